/** The ledger's promises: durable, once, in order, provable, and readable only with its keys. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '@ephor/contract'
import { canonicalize, leafHash, parseVerifierKey, toHex, utf8, verifyCheckpoint, verifyLog, verifyReceipt } from '@ephor/proof'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { appendMany, decision, openWorld, ORIGIN, scratch, testsPostgres } from './ledger.fixture.ts'
import type { World } from './ledger.fixture.ts'
import { readStore } from './store.ts'

let world: World

beforeEach(async () => {
  world = await openWorld()
})

afterEach(() => world.close())

function withCode(code: string): Error {
  return expect.objectContaining({ code }) as Error
}

function verifyFolder(folder: string, earlier?: string) {
  const read = (path: string) => Promise.resolve(existsSync(join(folder, path)) ? readFileSync(join(folder, path)) : undefined)
  return verifyLog({ read }, { vkey: world.ledger.verifierKey, ...(earlier !== undefined && { earlier }) })
}

test('an entry gets the next place, and its receipt is the hash of its canonical body', async () => {
  const [first, second] = await world.ledger.append({ changes: [], entries: [decision('a'), decision('b')] })
  expect([first?.seq, second?.seq, first?.origin]).toEqual([0, 1, ORIGIN])
  const entry = await world.ledger.read(1)
  expect(entry?.body).toMatchObject({ v: 1, type: 'decision', id: 'b', tenant: 'default', effect: 'permit' })
  expect(entry?.leafHash).toBe(second?.leafHash)
  expect(toHex(leafHash(utf8(canonicalize(entry?.body))))).toBe(second?.leafHash)
})

test('the body of an entry says nothing about its payload, and the payload opens with its key alone', async () => {
  await world.ledger.append({ changes: [], entries: [decision('a', 'alice@example.com'), decision('b', 'alice@example.com')] })
  const [a, b] = await world.ledger.list({ limit: 10 })
  expect(JSON.stringify(a)).not.toContain('alice')
  // Salted: equal payloads have different commitments.
  expect(a?.body['commitments']).not.toEqual(b?.body['commitments'])
  const written = testsPostgres ? JSON.stringify(await readStore(world.store).payloads(0, 1, ['input'])) : readFileSync(`${world.file}-wal`)
  expect(written.includes('alice')).toBe(false)
  await expect(world.ledger.payload(0, 'input')).resolves.toEqual({ text: 'alice@example.com' })
  await expect(world.ledger.payload(0, 'result')).resolves.toBeUndefined()
  await expect(world.ledger.payload(9, 'input')).resolves.toBeUndefined()
})

test('payloads still open after a restart', async () => {
  await world.ledger.append({ changes: [], entries: [decision('a')] })
  await world.close()
  world = await openWorld(world.folder)
  await world.ledger.append({ changes: [], entries: [decision('b', 'second')] })
  await expect(world.ledger.payload(0, 'input')).resolves.toEqual({ text: 'payload' })
  await expect(world.ledger.payload(1, 'input')).resolves.toEqual({ text: 'second' })
})

test('a key that somebody removed does not look like an erasure', async () => {
  const [receipt] = await world.ledger.append({ changes: [], entries: [decision('a')] })
  await world.store.commit({ changes: [{ sql: 'DELETE FROM ledger_key', params: [], rows: 1 }] })
  await world.close()
  world = await openWorld(world.folder)
  await expect(world.ledger.payload(0, 'input')).rejects.toThrow(withCode('STORE_CORRUPT'))
  await expect(
    verifyReceipt(receipt as never, await world.ledger.proof(0), parseVerifierKey(world.ledger.verifierKey)),
  ).resolves.toMatchObject({
    size: 1,
  })
})

test('an id is written once, and the second attempt writes nothing of its part', async () => {
  await world.ledger.append({ changes: [], entries: [decision('a')] })
  await expect(world.ledger.append({ changes: [], entries: [decision('other'), decision('a')] })).rejects.toThrow(withCode('CONFLICT'))
  await expect(world.ledger.find('other')).resolves.toBeUndefined()
  const [receipt] = await world.ledger.append({ changes: [], entries: [decision('b')] })
  expect(receipt?.seq).toBe(1)
  await expect(world.ledger.find('a')).resolves.toMatchObject({ seq: 0 })
})

test('of many callers with one id exactly one succeeds, and the others of their batch are untouched', async () => {
  const results = await Promise.allSettled([
    ...Array.from({ length: 20 }, () => world.ledger.append({ changes: [], entries: [decision('same')] })),
    ...Array.from({ length: 20 }, (_, i) => world.ledger.append({ changes: [], entries: [decision(`own${i}`)] })),
  ])
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(21)
  const entries = await world.ledger.list({ limit: 100 })
  expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 21 }, (_, i) => i))
})

test('rows and entries are written together or not at all', async () => {
  const insert = { sql: "INSERT INTO ledger_key (tenant, subject, sealed) VALUES (@tenant, 'x', ?)", params: [Uint8Array.of(0)] }
  const unmet = { sql: "DELETE FROM ledger_key WHERE subject = 'nobody'", params: [], rows: 1, fault: 'APPROVAL_SPENT' as const }
  await expect(world.ledger.append({ changes: [insert, unmet], entries: [decision('a')] })).rejects.toThrow(withCode('APPROVAL_SPENT'))
  await expect(world.ledger.head()).resolves.toMatchObject({ size: 0 })
  // The key that the failed unit carried is carried again.
  await world.ledger.append({ changes: [insert], entries: [decision('a')] })
  await expect(world.ledger.payload(0, 'input')).resolves.toEqual({ text: 'payload' })
})

test('what is too large, not JSON, or uses the ledger’s own names is refused before it is written', async () => {
  const big = { type: 'x', body: { text: 'x'.repeat(65_535) } }
  await expect(world.ledger.append({ changes: [], entries: [big] })).rejects.toThrow(withCode('ENTRY_TOO_LARGE'))
  await expect(world.ledger.append({ changes: [], entries: [{ type: 'x', body: { text: '\ud800' } }] })).rejects.toThrow(
    withCode('CANONICAL_INVALID'),
  )
  await expect(world.ledger.append({ changes: [], entries: [{ type: 'x', body: { at: 'now' } }] })).rejects.toThrow(withCode('INTERNAL'))
  await expect(world.ledger.append({ changes: [], entries: [] })).rejects.toThrow('without a ledger entry')
  await expect(world.ledger.head()).resolves.toMatchObject({ size: 0 })
})

test('the head covers everything acknowledged before it was asked for, and stays put while nothing happens', async () => {
  await appendMany(world.ledger, 300)
  const head = await world.ledger.head()
  expect(head.size).toBe(300)
  const checkpoint = await verifyCheckpoint(head.checkpoint, parseVerifierKey(world.ledger.verifierKey))
  expect(toHex(checkpoint.root)).toBe(head.root)
  expect(readFileSync(world.outside, 'utf8')).toBe(head.checkpoint)
  await expect(world.ledger.head()).resolves.toEqual(head)
})

test('a checkpoint is signed within about a second without being asked for', async () => {
  await appendMany(world.ledger, 3)
  const deadline = Date.now() + 10_000
  while (!readFileSync(world.outside, 'utf8').startsWith(`${ORIGIN}\n3\n`) && Date.now() < deadline)
    await new Promise((r) => setTimeout(r, 50))
  expect(readFileSync(world.outside, 'utf8')).toContain(`${ORIGIN}\n3\n`)
})

test('every receipt is kept: its proof verifies offline, at every size', async () => {
  const key = parseVerifierKey(world.ledger.verifierKey)
  for (const count of [1, 2, 254, 300]) {
    await appendMany(world.ledger, count, `r${count}-`)
    const { size } = await world.ledger.head()
    for (const seq of [0, Math.floor(size / 2), size - 1]) {
      const entry = await world.ledger.read(seq)
      const receipt = { origin: ORIGIN, seq, leafHash: entry?.leafHash ?? '' }
      await expect(verifyReceipt(receipt, await world.ledger.proof(seq), key)).resolves.toMatchObject({ size })
    }
  }
  await expect(world.ledger.proof(9999)).rejects.toThrow(withCode('NOT_FOUND'))
})

test('entries are listed in order, page by page', async () => {
  await appendMany(world.ledger, 5)
  const page = await world.ledger.list({ after: 1, limit: 2 })
  expect(page.map(({ seq }) => seq)).toEqual([2, 3])
})

test('an export verifies, is brought up to date, and holds no leftovers', async () => {
  const folder = join(world.folder, 'export')
  await world.ledger.append({ changes: [], entries: [decision('d'), { type: 'outcome', id: 'd/outcome', body: { decision: 'd' } }] })
  await appendMany(world.ledger, 290)
  await expect(world.ledger.exportTo(folder)).resolves.toMatchObject({ size: 292 })
  const earlier = readFileSync(join(folder, 'checkpoint'), 'utf8')
  await expect(verifyFolder(folder)).resolves.toMatchObject({ ok: true, size: 292, types: { decision: 291, outcome: 1 } })
  await appendMany(world.ledger, 300, 'more')
  const { size, files } = await world.ledger.exportTo(folder)
  await expect(verifyFolder(folder, earlier)).resolves.toMatchObject({ ok: true, size: 592, earlierSize: 292 })
  const found = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  expect([size, found.length]).toEqual([592, files])
})

test('an empty ledger can be exported and verifies', async () => {
  const folder = join(world.folder, 'export')
  await world.ledger.exportTo(folder)
  await expect(verifyFolder(folder)).resolves.toMatchObject({ ok: true, size: 0 })
})

test('a folder that holds anything else is not exported into', async () => {
  const folder = join(world.folder, 'mine')
  mkdirSync(folder)
  writeFileSync(join(folder, 'thesis.txt'), 'x')
  await expect(world.ledger.exportTo(folder)).rejects.toThrow(withCode('CONFLICT'))
  await expect(world.ledger.exportTo(world.outside)).rejects.toThrow(withCode('CONFLICT'))
  const other = await openWorld(scratch())
  await other.ledger.exportTo(join(world.folder, 'theirs'))
  await other.close()
  await expect(world.ledger.exportTo(join(world.folder, 'theirs'))).rejects.toThrow('choose an empty folder')
  await world.ledger.append({ changes: [], entries: [decision('a')] })
  const ours = join(world.folder, 'ours')
  await world.ledger.exportTo(ours)
  writeFileSync(join(ours, 'checkpoint'), readFileSync(join(world.folder, 'theirs', 'checkpoint')))
  await expect(world.ledger.exportTo(ours)).rejects.toThrow('did not make')
})

test('the files of the log are served by their paths, and nothing else is', async () => {
  await appendMany(world.ledger, 3)
  await world.ledger.head()
  const folder = join(world.folder, 'export')
  await world.ledger.exportTo(folder)
  for (const path of ['checkpoint', 'ledger.vkey', 'tile/0/000.p/3', 'tile/entries/000.p/2', 'tile/entries/000.p/3'])
    await expect(world.ledger.file(path)).resolves.toBeDefined()
  expect(Buffer.from((await world.ledger.file('tile/0/000.p/3')) as Uint8Array)).toEqual(readFileSync(join(folder, 'tile/0/000.p/3')))
  for (const path of ['tile/0/000', 'tile/0/000.p/4', 'tile/1/000.p/1', 'tile/entries/001', '../store.db', 'keys/ledger.key', ''])
    await expect(world.ledger.file(path)).resolves.toBeUndefined()
})

test('what the ledger’s thread does not know is refused', async () => {
  await expect(world.store.call('nonsense', undefined)).rejects.toThrow(Fault)
})
