/** Somebody who can write the database changes what the ledger keeps beside its entries: holds, rules, erased keys, what others signed. */
import { generateKeyPairSync, sign } from 'node:crypto'
import { join } from 'node:path'
import { RetentionRules } from '@ephor/contract'
import { makeLog, systemClock } from '@ephor/engine/kernel'
import { tamperColumns } from '@ephor/engine/kernel/testing'
import { makeCosignerKey, signCosignature, toHex } from '@ephor/proof'
import type { CosignerKey } from '@ephor/proof'
import { publicBytes } from '@ephor/testkit'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { openErasure } from './erasure/open-erasure.ts'
import { decision, openWorld, scratch } from './ledger.fixture.ts'
import type { World } from './ledger.fixture.ts'
import { ledgerProjector } from './project-ledger.ts'
import { checkProjections } from './projection-check.ts'
import { httpAuthority } from './timestamps/http-authority.ts'
import { keepTimestamps } from './timestamps/keep-timestamps.ts'
import { hasOpenssl, issue, makeCa, reply, serveTsa } from './timestamps/tsa.fixture.ts'
import { insertOutage, putCosignature } from './witness/witness-store.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const [ANNA, BERT] = ['agt_0000000000000000000000000a', 'per_0000000000000000000000000b']
const log = makeLog('silent')
const closers: (() => unknown)[] = []

let world: World
let cosigners: CosignerKey[] = []

const check = async (keys = cosigners) => {
  const { store, ledger } = world
  return checkProjections(ledger, [ledgerProjector({ store, ledger, cosigners: keys })])
}

/** The key of the first row. */
async function keyOf(table: string, names: readonly string[]): Promise<Record<string, string | number>> {
  const { store } = world
  const rows = store.reader<Record<string, Record<string, string | number>>>().selectFrom(table).selectAll()
  const row = await rows.where('tenant', '=', store.tenant).executeTakeFirstOrThrow()
  return Object.fromEntries(names.map((name) => [name, row[name] ?? '']))
}

async function cosign(): Promise<void> {
  const { privateKey } = generateKeyPairSync('ed25519')
  const key = makeCosignerKey('w.test/1', publicBytes(privateKey))
  const { size, checkpoint: note } = await world.ledger.head()
  const at = systemClock.now()
  const line = await signCosignature(note, {
    ...key,
    sign: (bytes) => sign(null, bytes, privateKey),
    time: Math.floor(at / 1000),
  })
  await world.store.commit({ changes: [putCosignature({ size, witness: `${key.name}+${toHex(key.keyId)}`, line, note, at })] })
  cosigners = [key]
}

async function stamp(): Promise<void> {
  const folder = makeCa()
  issue(folder, 'tsa')
  const tsa = await serveTsa((query) => reply(folder, query, 'tsa'))
  const authority = httpAuthority({ url: tsa.url, ca: join(folder, 'ca.pem'), clock: systemClock })
  const stamps = keepTimestamps({ ...world, clock: systemClock, log, authority, everyMs: 60_000 })
  closers.push(tsa.close, () => stamps.close())
  await vi.waitFor(async () => expect(await stamps.list({ limit: 1 })).toHaveLength(1), { timeout: 20_000 })
}

beforeAll(async () => {
  const folder = scratch()
  world = await openWorld(folder)
  const { store, ledger } = world
  const erasure = await openErasure({ store, ledger, clock: systemClock, log, file: join(folder, 'erased') })
  closers.push(() => erasure.close())
  await ledger.append({ changes: [], entries: [decision('d1', 'secret', ANNA)] })
  await cosign()
  await erasure.erase(ANNA, { reason: 'asked', by: BERT })
  await erasure.clear()
  const rules = RetentionRules.parse({ classes: { content: ['input'] }, jurisdictions: {}, rules: [{ class: 'content', keep: '20d' }] })
  await erasure.setRules(rules, BERT)
  await erasure.holds.place({ subject: BERT, since: 1000, until: 2000, reason: 'a case' }, BERT)
  const gone = await erasure.holds.place({ reason: 'another case' }, BERT)
  await erasure.holds.release(gone.id, BERT)
  const began = { state: 'began', quorum: 1, size: 1, since: new Date(5000).toISOString(), silent: [] }
  await ledger.append({ changes: [insertOutage({ size: 1, since: 5000 })], entries: [{ type: 'ledger.witness.missing', body: began }] })
  if (hasOpenssl) await stamp()
})
afterAll(async () => {
  for (const close of closers.toReversed()) await close()
  await world.close()
})

test('what nobody touched is what the entries and the signatures say', async () => {
  const { differences, uncovered, rows } = await check()
  expect({ differences, uncovered }).toEqual({ differences: [], uncovered: [] })
  expect(rows).toBeGreaterThanOrEqual(hasOpenssl ? 6 : 5)
})

/** By table: its key; columns that no entry speaks for, '' for the whole row; and a value that differs enough to be seen. */
const TABLES: Record<string, { key: string[]; open?: string[]; values?: Record<string, number> }> = {
  // Marked as not cleared, it is cleared once more.
  ledger_destroyed_key: { key: ['name'], open: ['cleared'] },
  ledger_hold: { key: ['id'] },
  ledger_retention: { key: [], open: ['swept'] },
  ledger_outage: { key: [] },
  ledger_cosignature: { key: ['size', 'witness'], open: [''], values: { at: 1 } },
  ...(hasOpenssl ? { ledger_timestamp: { key: ['size'], open: [''] } } : {}),
}

test.each(Object.keys(TABLES))('a change of any single column of %s, and of the whole row, is found and named', async (table) => {
  const { key: names, open = [], values = {} } = TABLES[table] ?? { key: [] }
  const key = await keyOf(table, names)
  const name = names.length === 0 ? 'the only row' : names.map((one) => String(key[one])).join('/')
  await tamperColumns(world.store, { table, key, values }, async (field) => {
    if (open.includes(field)) return
    const missing = { table, key: name, detail: 'the ledger has it and the row is missing' }
    const { differences } = await check()
    const found = differences.map((one) => (one.field === undefined ? one : { table: one.table, key: one.key, field: one.field }))
    expect(found).toContainEqual(field === '' ? missing : { table, key: name, field })
  })
  expect((await check()).differences).toEqual([])
})

test('a hold and a destroyed key that no entry knows are found', async () => {
  const { store } = world
  const sql = [
    "INSERT INTO ledger_hold (tenant, id, placed_at, placed_by, entry) VALUES (@tenant, 'hld_x', 1, 'per_x', 'retention/1')",
    "INSERT INTO ledger_destroyed_key (tenant, name, digest, entry, cleared) VALUES (@tenant, 'key', 'sha256:0', 'retention/1', 1)",
  ]
  await store.commit({ changes: sql.map((one) => ({ sql: one, params: [] })) })
  const detail = 'the row is there and the ledger has no entry for it'
  expect((await check()).differences).toEqual([
    { table: 'ledger_destroyed_key', key: 'key', detail },
    { table: 'ledger_hold', key: 'hld_x', detail },
  ])
  const undo = ["DELETE FROM ledger_hold WHERE id = 'hld_x'", "DELETE FROM ledger_destroyed_key WHERE name = 'key'"]
  await store.commit({ changes: undo.map((one) => ({ sql: one, params: [] })) })
})

test('bytes that are said to be removed and are still there are found', async () => {
  const { store } = world
  const { name = '' } = await keyOf('ledger_destroyed_key', ['name'])
  const set = (bytes: Uint8Array) => ({
    sql: 'UPDATE ledger_payload SET sealed = ? WHERE tenant = @tenant AND subject = ?',
    params: [bytes, name],
  })
  await store.commit({ changes: [set(new Uint8Array(80))] })
  expect((await check()).differences).toMatchObject([{ table: 'ledger_destroyed_key', key: name, field: 'cleared' }])
  await store.commit({ changes: [set(new Uint8Array())] })
})

test('what a witness signed whose key is not known here is said not to be covered', async () => {
  const { differences, uncovered } = await check([])
  expect(differences).toEqual([])
  expect(uncovered).toMatchObject([{ table: 'ledger_cosignature', field: 'line, at' }])
})
