/** Erasure: what is destroyed can't be read from anywhere, what is held stays, and every proof goes on to verify. */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadKeys, makeLog, sealEnvelope } from '@ephor/engine/kernel'
import type { SqlValue } from '@ephor/engine/kernel'
import { canonicalize, parseVerifierKey, verifyLog, verifyReceipt } from '@ephor/proof'
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openWorld, scratch, testsPostgres } from '../ledger.fixture.ts'
import type { World } from '../ledger.fixture.ts'
import { openSealed } from '../sealed-entries.ts'
import { openErasure } from './open-erasure.ts'
import type { Erasure } from './open-erasure.ts'

const [ANNA, BERT, OPERATOR] = ['agt_0000000000000000000000000a', 'agt_0000000000000000000000000b', 'per_00000000000000000000000000']
const DAY = 86_400_000

let world: World
let erasure: Erasure
let now: number
const clock = { now: () => now, id: (prefix: string) => `${prefix}_${String(++ids).padStart(26, '0')}` }
let ids = 0

async function open(folder = scratch()): Promise<void> {
  world = await openWorld(folder, { clock })
  erasure = await openErasure({ store: world.store, ledger: world.ledger, clock, log: makeLog('silent'), file: join(folder, 'erased') })
}

async function close(): Promise<void> {
  erasure.close()
  await world.close()
}

async function reopen(): Promise<void> {
  await close()
  await open(world.folder)
}

beforeEach(async () => {
  now = Date.parse('2026-03-10T10:00:00Z')
  await open()
})
afterEach(close)

const withCode = (code: string) => expect.objectContaining({ code }) as Error

/** One entry of `subject` with an input and the facts. @returns its seq */
async function act(subject: string, input: string): Promise<number> {
  const payloads = [
    { name: 'input', subject, value: { text: input } },
    { name: 'facts', subject, value: { seen: input } },
  ]
  const [receipt] = await world.ledger.append({
    changes: [],
    entries: [{ type: 'decision', id: clock.id('dec'), body: { agent: subject }, payloads }],
  })
  return receipt?.seq ?? -1
}

const read = (seq: number, name = 'input') => world.ledger.payload(seq, name)

/** Whether these bytes stand anywhere in the files of the database. */
function inFiles(bytes: Buffer): boolean {
  return ['', '-wal', '-shm'].some((ending) => existsSync(world.file + ending) && readFileSync(world.file + ending).includes(bytes))
}

async function query<T>(text: string): Promise<T[]> {
  return (await sql.raw<T>(text).execute(world.store.reader())).rows
}

/** As somebody who can write the database. */
async function alter(text: string, ...params: SqlValue[]): Promise<void> {
  await world.store.commit({ changes: [{ sql: text, params, rows: 1 }] })
}

async function verify() {
  const target = join(scratch(), 'export')
  await world.ledger.exportTo(target)
  const files = (path: string) => Promise.resolve(existsSync(join(target, path)) ? readFileSync(join(target, path)) : undefined)
  return verifyLog({ read: files }, { vkey: world.ledger.verifierKey })
}

test('the preview says what goes and what stays, and changes nothing', async () => {
  await act(ANNA, 'one')
  now += DAY
  await act(ANNA, 'two')
  await act(BERT, 'three')
  const preview = await erasure.preview(ANNA)
  expect(preview).toMatchObject({
    goes: {
      keys: 2,
      payloads: { input: 2, facts: 2 },
      entries: { decision: 2 },
      from: '2026-03-10T10:00:00.000Z',
      to: '2026-03-11T10:00:00.000Z',
    },
    held: [],
    stays: { entries: 3, commitments: 4 },
  })
  await expect(erasure.preview(ANNA)).resolves.toEqual(preview)
  await expect(read(0)).resolves.toEqual({ text: 'one' })
})

test('an erasure takes everything of its subject and nothing of others, says so, and every old proof verifies', async () => {
  const seq = await act(ANNA, 'one')
  const proofBefore = await world.ledger.proof(seq)
  const others = await act(BERT, 'two')
  const done = await erasure.erase(ANNA, { reason: 'subject-request', by: OPERATOR })
  expect(done).toMatchObject({ entries: ['retention/1'], keys: 1, payloads: { input: 1, facts: 1 }, held: [] })
  await expect(read(seq)).resolves.toBeUndefined()
  await expect(read(seq, 'facts')).resolves.toBeUndefined()
  await expect(read(others)).resolves.toEqual({ text: 'two' })
  const entry = await world.ledger.find('retention/1')
  expect(entry?.body).toMatchObject({ type: 'ledger.erased', subject: ANNA, reason: 'subject-request', by: OPERATOR, counts: { input: 1 } })
  expect(Object.entries(entry?.body['destroyed'] ?? {})).toEqual([
    [expect.stringMatching(`^${ANNA}/other/2026-03-10/`), expect.stringMatching(/^sha256:/)],
  ])
  const before = (await world.ledger.read(seq)) as { leafHash: string }
  const receipt = { origin: world.ledger.origin, seq, leafHash: before.leafHash }
  const key = parseVerifierKey(world.ledger.verifierKey)
  await expect(verifyReceipt(receipt, proofBefore, key)).resolves.toMatchObject({ size: 1 })
  await expect(verifyReceipt(receipt, await world.ledger.proof(seq), key)).resolves.toMatchObject({ size: 3 })
  await expect(verify()).resolves.toMatchObject({ ok: true, size: 3, types: { 'ledger.erased': 1 } })
})

test('it stays erased after a restart, and for those who read many entries at once', async () => {
  const seq = await act(ANNA, 'one')
  await erasure.erase(ANNA, { reason: 'unlawful', by: OPERATOR })
  await reopen()
  await expect(read(seq)).resolves.toBeUndefined()
  const { entries, keys } = await world.ledger.sealed({ after: -1, upTo: 9, limit: 9, ids: 'dec', names: ['input'] })
  expect(entries.map((entry) => openSealed(entry, keys).payload('input'))).toEqual([undefined])
})

test('a subject that goes on acting gets a new key, and what it did before stays erased', async () => {
  const before = await act(ANNA, 'one')
  await erasure.erase(ANNA, { reason: 'subject-request', by: OPERATOR })
  const after = await act(ANNA, 'two')
  await expect(read(before)).resolves.toBeUndefined()
  await expect(read(after)).resolves.toEqual({ text: 'two' })
  await reopen()
  await expect(read(after)).resolves.toEqual({ text: 'two' })
})

test('what is sealed at the moment of the erasure is either erased or readable, never lost', async () => {
  const early = Array.from({ length: 40 }, (_, i) => act(ANNA, `early ${i}`))
  const erased = erasure.erase(ANNA, { reason: 'subject-request', by: OPERATOR })
  const late = Array.from({ length: 40 }, (_, i) => act(ANNA, `late ${i}`))
  const { entries } = await erased
  const line = (await world.ledger.find(entries[0] ?? ''))?.seq ?? -1
  await reopen()
  for (const [i, seq] of (await Promise.all([...early, ...late])).entries()) {
    const value = await read(seq)
    if (seq < line) continue
    expect(value, `${i}`).toEqual({ text: i < 40 ? `early ${i}` : `late ${i - 40}` })
  }
})

test.skipIf(testsPostgres)('the wrapped key and the sealed bytes are gone from database and write-ahead log', async () => {
  // Enough of others that the key's page is split and moved around.
  await Promise.all(Array.from({ length: 150 }, (_, i) => act(`agt_${String(i).padStart(26, '0')}`, `noise ${i}`)))
  const seq = await act(ANNA, 'one')
  await Promise.all(Array.from({ length: 150 }, (_, i) => act(`agt_${String(i + 150).padStart(26, '0')}`, `noise ${i}`)))
  await world.ledger.head()
  const [key] = await query<{ sealed: Buffer }>(`SELECT sealed FROM ledger_key WHERE subject LIKE '${ANNA}/%'`)
  const [payload] = await query<{ sealed: Buffer }>(`SELECT sealed FROM ledger_payload WHERE seq = ${seq}`)
  expect(inFiles(key?.sealed as Buffer) && inFiles(payload?.sealed as Buffer)).toBe(true)
  const { overwritten } = await erasure.erase(ANNA, { reason: 'subject-request', by: OPERATOR })
  expect(overwritten).toBe(true)
  expect(inFiles(key?.sealed as Buffer)).toBe(false)
  await erasure.clear()
  await world.store.call('scrub', undefined)
  expect(inFiles(payload?.sealed as Buffer)).toBe(false)
})

test('a reader of the database can’t tell whether a guess is what was erased', async () => {
  const seq = await act(ANNA, 'yes')
  await erasure.erase(ANNA, { reason: 'subject-request', by: OPERATOR })
  await erasure.clear()
  const entry = await world.ledger.read(seq)
  const commitments = entry?.body['commitments'] as { input: { sha256: string } } | undefined
  expect(commitments?.input.sha256).not.toBe(`sha256:${createHash('sha256').update('{"text":"yes"}').digest('hex')}`)
  expect(await query<{ n: number }>(`SELECT length(sealed) AS n FROM ledger_payload WHERE seq = ${seq}`)).toEqual([{ n: 0 }])
})

test('a key that somebody saved and puts back is destroyed again at the next start', async () => {
  const seq = await act(ANNA, 'one')
  const [row] = await query<{ subject: string; sealed: Buffer }>('SELECT subject, sealed FROM ledger_key')
  await erasure.erase(ANNA, { reason: 'subject-request', by: OPERATOR })
  await alter("INSERT INTO ledger_key (tenant, subject, sealed) VALUES ('default', ?, ?)", row?.subject ?? '', row?.sealed ?? null)
  await reopen()
  expect(erasure.again).toBe(1)
  await expect(read(seq)).resolves.toBeUndefined()
  expect(await query('SELECT * FROM ledger_key')).toEqual([])
})

test.skipIf(testsPostgres)(
  'keys that were destroyed are known outside the database, so that an older copy of it does not bring them back',
  async () => {
    const seq = await act(ANNA, 'one')
    await world.close()
    const old = readFileSync(world.file)
    const checkpoint = readFileSync(world.outside)
    await open(world.folder)
    await erasure.erase(ANNA, { reason: 'subject-request', by: OPERATOR })
    await close()
    writeFileSync(world.file, old)
    writeFileSync(world.outside, checkpoint)
    await open(world.folder)
    expect(erasure.again).toBe(1)
    await expect(read(seq)).resolves.toBeUndefined()
  },
)

test('rows alone erase nothing: without the entry that says so, a missing key is damage', async () => {
  const seq = await act(ANNA, 'one')
  await act(BERT, 'two')
  await erasure.erase(BERT, { reason: 'subject-request', by: OPERATOR })
  const [key] = await query<{ subject: string }>('SELECT subject FROM ledger_key')
  await alter('DELETE FROM ledger_key')
  await expect(openAgainAndRead(seq)).rejects.toThrow(withCode('STORE_CORRUPT'))
  // Nor does a row that points to the erasure of somebody else.
  await alter(
    "INSERT INTO ledger_destroyed_key (tenant, name, digest, entry, cleared) VALUES ('default', ?, 'x', 'retention/1', 1)",
    key?.subject ?? null,
  )
  await expect(openAgainAndRead(seq)).rejects.toThrow(withCode('STORE_CORRUPT'))
})

async function openAgainAndRead(seq: number): Promise<unknown> {
  await reopen()
  return read(seq)
}

test('a payload can’t be passed off as one that was erased', async () => {
  await act(ANNA, 'one')
  const seq = await act(BERT, 'two')
  await erasure.erase(ANNA, { reason: 'subject-request', by: OPERATOR })
  await alter('UPDATE ledger_payload SET subject = (SELECT subject FROM ledger_payload WHERE seq = 0) WHERE seq = 1')
  await expect(openAgainAndRead(seq)).rejects.toThrow(withCode('STORE_CORRUPT'))
})

test('more keys than one entry can name are destroyed by several, in one transaction', async () => {
  const acts: Promise<number>[] = []
  for (let i = 0; i < 310; i++) {
    now += DAY
    acts.push(act(ANNA, `day ${i}`))
  }
  await Promise.all(acts)
  const { entries, keys } = await erasure.erase(ANNA, { reason: 'other', by: OPERATOR })
  expect([entries, keys]).toEqual([['retention/1', 'retention/1/1'], 310])
  await expect(read(0)).resolves.toBeUndefined()
  await expect(read(309)).resolves.toBeUndefined()
  await expect(erasure.list(10)).resolves.toMatchObject([
    { entry: 'retention/1', keys: 300 },
    { entry: 'retention/1/1', keys: 10 },
  ])
})

test('there is nothing to erase of somebody unknown', async () => {
  await expect(erasure.erase(ANNA, { reason: 'other', by: OPERATOR })).resolves.toMatchObject({ entries: [], keys: 0 })
})

test('a key of before keys had classes and days opens, and is erased with its subject', async () => {
  const { kek } = loadKeys(join(world.folder, 'keys'))
  const [raw, salt, text] = [randomBytes(32), randomBytes(32), '{"text":"old"}']
  const salted = Buffer.concat([salt, Buffer.from(text)])
  const sha256 = `sha256:${createHash('sha256').update(salted).digest('hex')}`
  const body = {
    at: '2026-01-01T00:00:00.000Z',
    commitments: { input: { bytes: text.length, sha256 } },
    tenant: 'default',
    type: 'decision',
    v: 1,
  }
  const payload = { name: 'input', subject: ANNA, sealed: sealEnvelope(raw, `ledger/default/payload/${sha256}/input/${ANNA}`, salted) }
  const keys = [{ subject: ANNA, sealed: sealEnvelope(kek, `ledger/default/key/${ANNA}`, raw) }]
  await world.store.commit({ changes: [], attachment: { keys, entries: [{ id: null, body: canonicalize(body), payloads: [payload] }] } })
  await act(ANNA, 'new')
  await expect(read(0)).resolves.toEqual({ text: 'old' })
  await expect(erasure.erase(ANNA, { reason: 'subject-request', by: OPERATOR })).resolves.toMatchObject({ keys: 2, payloads: { input: 2 } })
  await expect(read(0)).resolves.toBeUndefined()
  await expect(read(1)).resolves.toBeUndefined()
})

test.runIf(testsPostgres)('an erasure by one replica reaches the keys in the memory of another', async () => {
  const other = await openWorld(world.folder, { clock, replica: 'other' })
  const log = makeLog('silent')
  const following = await openErasure({ store: other.store, ledger: other.ledger, clock, log, file: join(world.folder, 'erased-other') })
  const say = async (input: string) => {
    const payloads = [{ name: 'input', subject: ANNA, value: input }]
    const [receipt] = await other.ledger.append({ changes: [], entries: [{ type: 'note', body: {}, payloads }] })
    return receipt?.seq ?? -1
  }
  try {
    const before = await say('before')
    await erasure.erase(ANNA, { reason: 'subject-request', by: OPERATOR })
    await expect.poll(() => other.ledger.payload(before, 'input'), { timeout: 10_000 }).toBeUndefined()
    await expect.poll(async () => other.ledger.payload(await say('after'), 'input'), { timeout: 10_000 }).toBe('after')
    expect(readFileSync(join(world.folder, 'erased-other'), 'utf8')).toContain(ANNA)
  } finally {
    following.close()
    await other.close()
  }
})
