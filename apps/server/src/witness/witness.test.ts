/** A witness over HTTP: c2sp.org/tlog-witness status by status, what it does under attack, and what it remembers. */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatAddCheckpoint, formatNote, parseCosignerKey, parseNote, verifyCheckpoint, verifyCosignature } from '@ephor/proof'
import { makeLog } from '@ephor/engine/kernel'
import { toyLog } from '@ephor/testkit'
import { afterEach, expect, test } from 'vitest'
import { monitorPath } from './serve-witness.ts'
import { startWitness } from './start-witness.ts'
import type { RunningWitness } from './start-witness.ts'

const ORIGIN = 'log.test/one'
const entries = Array.from({ length: 40 }, (_, i) => `entry ${i}`)
const log = toyLog(ORIGIN, entries)
const other = toyLog(ORIGIN, ['another past', ...entries.slice(1)], log.key)

const running: RunningWitness[] = []
afterEach(async () => {
  for (const witness of running.splice(0)) await witness.stop()
})

const scratch = () => mkdtempSync(join(tmpdir(), 'ephor-witness-'))
async function open(home = scratch(), keys = [log.vkey]): Promise<RunningWitness> {
  const witness = await startWitness({ home, name: 'witness.test/w1', host: '127.0.0.1', port: 0, keys }, makeLog('silent'))
  running.push(witness)
  return witness
}

async function post({ url }: RunningWitness, body: string) {
  const response = await fetch(`${url}/add-checkpoint`, { method: 'POST', body })
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() }
}
async function add(witness: RunningWitness, old: number, size: number, of = log) {
  const proof = await of.proof(old, Math.max(old, size))
  return post(witness, formatAddCheckpoint({ old, proof, checkpoint: await of.checkpoint(size) }))
}

test('it cosigns what continues what it saw, and says how far it is to whoever does not know', async () => {
  const witness = await open()
  const key = parseCosignerKey(witness.verifierKey)
  const first = await add(witness, 0, 5)
  expect(first.status).toBe(200)
  const { time } = await verifyCosignature((await log.checkpoint(5)) + first.text, key)
  expect(Math.abs(time - Date.now() / 1000)).toBeLessThan(5)
  for (const [old, size] of [
    [5, 8],
    [8, 8],
    [8, 33],
  ] as const)
    expect((await add(witness, old, size)).status).toBe(200)
  expect(await add(witness, 5, 40)).toEqual({ status: 409, type: 'text/x.tlog.size', text: '33\n' })
  expect(await add(witness, 0, 3)).toEqual({ status: 409, type: 'text/x.tlog.size', text: '33\n' })
})

test('the empty tree is a checkpoint too, with the empty root', async () => {
  const witness = await open()
  expect((await add(witness, 0, 0)).status).toBe(200)
  expect((await add(witness, 0, 7)).status).toBe(200)
  const forged = (await log.checkpoint(0)).replace(/^0\n.*$/m, '0\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=')
  expect((await post(witness, formatAddCheckpoint({ old: 0, proof: [], checkpoint: forged }))).status).toBe(403)
})

test('every refusal has the status that the specification gives it', async () => {
  const witness = await open()
  const note = await log.checkpoint(4)
  const body = (of: string, old = 0) => formatAddCheckpoint({ old, proof: [], checkpoint: of })
  const statusOf = async (text: string) => (await post(witness, text)).status
  expect(await statusOf('')).toBe(400)
  expect(await statusOf(`old 00\n\n${note}`)).toBe(400)
  expect(await statusOf(`old -1\n\n${note}`)).toBe(400)
  expect(await statusOf(`old 0\nAAAA\n\n${note}`)).toBe(400)
  expect(await statusOf(`old 0\n${'A'.repeat(43)}=\n`.repeat(64) + `\n${note}`)).toBe(400)
  expect(await statusOf(body(note, 5))).toBe(400)
  expect(await statusOf(body(await toyLog('log.test/two', entries).checkpoint(4)))).toBe(404)
  expect(await statusOf(body(await toyLog(ORIGIN, entries).checkpoint(4)))).toBe(403)
  expect(await statusOf(body(note.replace('\n4\n', '\n5\n')))).toBe(403)
  // A proof where none belongs, and one that does not hold.
  expect(await statusOf(formatAddCheckpoint({ old: 0, proof: [log.root(4)], checkpoint: note }))).toBe(422)
  expect(await statusOf(body(note))).toBe(200)
  expect(await statusOf(formatAddCheckpoint({ old: 4, proof: await log.proof(3, 9), checkpoint: await log.checkpoint(9) }))).toBe(422)
  expect((await fetch(witness.url, { method: 'DELETE' })).status).toBe(405)
  expect((await fetch(`${witness.url}/__proto__`)).status).toBe(404)
})

test('two histories of one log: the second is not cosigned, whatever the size, and is kept as evidence', async () => {
  const witness = await open()
  expect((await add(witness, 0, 10)).status).toBe(200)
  expect((await add(witness, 10, 10, other)).status).toBe(422)
  expect((await add(witness, 10, 20, other)).status).toBe(422)
  expect((await add(witness, 10, 5)).status).toBe(400)
  expect(await (await fetch(witness.url)).text()).toContain('SIGNED TWO HISTORIES (1 checkpoints kept)')
  expect((await add(witness, 10, 20)).status).toBe(200)
})

test('of two same sizes at the same time only one history is ever cosigned', async () => {
  const witness = await open()
  for (let size = 1; size <= 20; size++) {
    const old = size - 1
    const answers = await Promise.all([log, other, log, other].map((of) => add(witness, old, size, of)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  }
})

test('a key that changes: both are trusted, and the old key’s lines stand for themselves', async () => {
  const next = toyLog(ORIGIN, entries)
  const witness = await open(scratch(), [log.vkey, next.vkey])
  expect((await add(witness, 0, 10)).status).toBe(200)
  expect((await add(witness, 10, 20, next)).status).toBe(200)
  // One good line does not save a note with a line that is wrong in a trusted key's name.
  const [old, fresh] = [parseNote(await log.checkpoint(21)), parseNote(await next.checkpoint(22))]
  const mixed = formatNote(fresh.text, [...fresh.signatures, ...old.signatures])
  expect((await post(witness, formatAddCheckpoint({ old: 20, proof: await log.proof(20, 22), checkpoint: mixed }))).status).toBe(403)
})

test('monitors read what was cosigned last, with both signatures and nothing else', async () => {
  const witness = await open()
  const path = `${witness.url}${monitorPath(ORIGIN)}`
  expect((await fetch(path)).status).toBe(404)
  const foreign = '— someone.test/else ' + Buffer.alloc(76, 1).toString('base64') + '\n'
  await post(witness, formatAddCheckpoint({ old: 0, proof: [], checkpoint: (await log.checkpoint(6)) + foreign }))
  const note = await (await fetch(path)).text()
  expect(await verifyCheckpoint(note, log.verifierKey)).toMatchObject({ size: 6 })
  await verifyCosignature(note, parseCosignerKey(witness.verifierKey))
  expect(note).not.toContain('someone.test')
})

test('a restart remembers, with the same key, which only its owner can read', async () => {
  const home = scratch()
  const before = await open(home)
  await add(before, 0, 9)
  await before.stop()
  const after = await open(home)
  expect(after.verifierKey).toBe(before.verifierKey)
  expect(statSync(join(home, 'witness.key')).mode & 0o777).toBe(0o600)
  expect(await add(after, 0, 9)).toMatchObject({ status: 409, text: '9\n' })
  expect((await add(after, 9, 12)).status).toBe(200)
})

test('it does not start on a state that was put back, without its counter, without its key, or beside another witness', async () => {
  const home = scratch()
  const starting = () =>
    open(home).then(
      () => 'started',
      (error: { code: string }) => error.code,
    )
  const witness = await open(home)
  await add(witness, 0, 3)
  expect(await starting()).toBe('STORE_LOCKED')
  await witness.stop()
  const [state, kept] = [join(home, 'witness.db'), join(home, 'kept.db')]
  copyFileSync(state, kept)
  const second = await open(home)
  await add(second, 3, 5)
  await second.stop()
  expect(existsSync(`${state}-wal`)).toBe(false)
  copyFileSync(kept, state)
  expect(await starting()).toBe('WITNESS_ROLLED_BACK')
  const given = readFileSync(join(home, 'given'))
  rmSync(join(home, 'given'))
  expect(await starting()).toBe('WITNESS_ROLLED_BACK')
  writeFileSync(join(home, 'given'), given)
  rmSync(join(home, 'witness.key'))
  expect(await starting()).toBe('STORE_CORRUPT')
})

test('a body without end is cut off, and the next request is answered', async () => {
  const witness = await open()
  const status = await new Promise<number | undefined>((resolve) => {
    const call = httpRequest(`${witness.url}/add-checkpoint`, { method: 'POST' }, (response) => {
      response.resume()
      resolve(response.statusCode)
      call.destroy()
    })
    call.on('error', () => resolve(undefined))
    const pump = () => {
      while (!call.destroyed && call.write('A'.repeat(16_384))) if (call.writableLength > 1_000_000) break
      if (!call.destroyed) call.once('drain', pump)
    }
    pump()
  })
  expect([413, undefined]).toContain(status)
  expect((await add(witness, 0, 4)).status).toBe(200)
})
