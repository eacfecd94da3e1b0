/** Somebody who can write the database, or put back yesterday's: each change is found at start, on reading, or by the verifier. */
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { verifyLog } from '@ephor/proof'
import { beforeAll, expect, test } from 'vitest'
import { alter, appendMany, copyStore, copyWorld, decision, openWorld, scratch, testsPostgres } from './ledger.fixture.ts'
import type { World } from './ledger.fixture.ts'

/** A closed ledger of 600 entries: two full tiles, and 88 entries in the tail. */
let original: string

beforeAll(async () => {
  const world = await openWorld()
  original = world.folder
  await appendMany(world.ledger, 599)
  await world.ledger.append({ changes: [], entries: [decision('d599', 'payload', 'agt_2')] })
  await world.close()
})

/** What an honest operator does: start, look something up, export, verify. Answers where it stopped. */
async function useIt(folder: string): Promise<string> {
  let world: World
  try {
    world = await openWorld(folder)
  } catch (error) {
    return `start: ${(error as { code?: string }).code}`
  }
  try {
    for (const seq of [5, 599]) {
      if (!(await world.ledger.read(seq))) return 'read: gone'
      if (!(await world.ledger.find(`d${seq}`))) return 'find: gone'
      if ((await world.ledger.payload(seq, 'input')) === undefined) return 'payload: gone'
      await world.ledger.proof(seq)
    }
    const target = join(folder, 'export')
    await world.ledger.exportTo(target)
    const read = (path: string) => Promise.resolve(existsSync(join(target, path)) ? readFileSync(join(target, path)) : undefined)
    const verdict = await verifyLog({ read }, { vkey: world.ledger.verifierKey, earlier: readFileSync(join(original, 'checkpoint')) })
    return verdict.ok ? 'verified' : `verify: ${verdict.fault}`
  } catch (error) {
    return `use: ${(error as { code?: string }).code}`
  } finally {
    await world.close().catch(() => undefined)
  }
}

test('a ledger that nobody touched opens, reads and verifies', async () => {
  expect(await useIt(await copyWorld(original))).toBe('verified')
})

const OLD = 'seq = 5'
const TAIL = 'seq = 599'

test.each([
  ['entry.tenant', 'start: LEDGER_FORKED', `UPDATE ledger_entry SET tenant = 'x' WHERE ${TAIL}`],
  ['entry.tenant of an old entry', 'read: gone', `UPDATE ledger_entry SET tenant = 'x' WHERE ${OLD}`],
  ['entry.seq', 'start: LEDGER_FORKED', `UPDATE ledger_entry SET seq = 700 WHERE ${TAIL}`],
  ['entry.seq of an old entry', 'read: gone', `UPDATE ledger_entry SET seq = -1 WHERE ${OLD}`],
  ['entry.id', 'start: LEDGER_FORKED', `UPDATE ledger_entry SET id = 'x' WHERE ${TAIL}`],
  ['entry.id of an old entry', 'use: STORE_CORRUPT', `UPDATE ledger_entry SET id = 'x' WHERE ${OLD}`],
  ['entry.leaf_hash', 'start: LEDGER_FORKED', `UPDATE ledger_entry SET leaf_hash = ZEROS(32) WHERE ${TAIL}`],
  ['entry.leaf_hash of an old entry', 'use: STORE_CORRUPT', `UPDATE ledger_entry SET leaf_hash = ZEROS(32) WHERE ${OLD}`],
  ['entry.body', 'start: LEDGER_FORKED', `UPDATE ledger_entry SET body = replace(body, 'permit', 'forbid') WHERE ${TAIL}`],
  ['entry.body of an old entry', 'use: STORE_CORRUPT', `UPDATE ledger_entry SET body = replace(body, 'permit', 'forbid') WHERE ${OLD}`],
  ['payload.tenant', 'use: STORE_CORRUPT', `UPDATE ledger_payload SET tenant = 'x' WHERE ${OLD}`],
  ['payload.seq', 'use: STORE_CORRUPT', `UPDATE ledger_payload SET seq = 9999 WHERE ${OLD}`],
  ['payload.name', 'use: STORE_CORRUPT', `UPDATE ledger_payload SET name = 'x' WHERE ${OLD}`],
  ['payload.subject', 'use: STORE_CORRUPT', `UPDATE ledger_payload SET subject = 'x' WHERE ${OLD}`],
  ['payload.sealed', 'use: STORE_CORRUPT', `UPDATE ledger_payload SET sealed = ZEROS(80) WHERE ${OLD}`],
  [
    'the payload of another entry',
    'use: STORE_CORRUPT',
    `UPDATE ledger_payload SET sealed = (SELECT sealed FROM ledger_payload WHERE seq = 6) WHERE ${OLD}`,
  ],
  ['key.tenant', 'use: STORE_CORRUPT', "UPDATE ledger_key SET tenant = 'x'"],
  ['key.subject', 'use: STORE_CORRUPT', "UPDATE ledger_key SET subject = 'x' WHERE subject LIKE 'agt_1/%'"],
  ['a key, dropped', 'use: STORE_CORRUPT', 'DELETE FROM ledger_key'],
  ['key.sealed', 'use: STORE_CORRUPT', 'UPDATE ledger_key SET sealed = ZEROS(60)'],
  [
    'the keys of two subjects, swapped',
    'use: STORE_CORRUPT',
    `UPDATE ledger_key SET sealed = (SELECT k.sealed FROM ledger_key k WHERE k.subject <> ledger_key.subject)`,
  ],
  ['tile.tenant', 'start: LEDGER_FORKED', "UPDATE ledger_tile SET tenant = 'x' WHERE level = 0 AND n = 2"],
  ['tile.level', 'start: LEDGER_FORKED', 'UPDATE ledger_tile SET level = 7 WHERE level = 1'],
  ['tile.n', 'start: LEDGER_FORKED', 'UPDATE ledger_tile SET n = 99 WHERE level = 0 AND n = 2'],
  ['tile.hashes', 'start: LEDGER_FORKED', 'UPDATE ledger_tile SET hashes = ZEROS(64) WHERE level = 1'],
  ['tile.hashes of an old tile', 'use: STORE_CORRUPT', 'UPDATE ledger_tile SET hashes = ZEROS(8192) WHERE level = 0 AND n = 0'],
  ['checkpoint.tenant', 'start: LEDGER_FORKED', "UPDATE ledger_checkpoint SET tenant = 'x'"],
  ['checkpoint.size', 'start: LEDGER_FORKED', 'UPDATE ledger_checkpoint SET size = 599'],
  ['checkpoint.note', 'start: LEDGER_FORKED', "UPDATE ledger_checkpoint SET note = replace(note, char(10) || '600', char(10) || '590')"],
  ['the last entries, dropped', 'start: LEDGER_FORKED', 'DELETE FROM ledger_entry WHERE seq >= 590'],
  ['an old entry, dropped', 'read: gone', `DELETE FROM ledger_entry WHERE ${OLD}`],
  ['the checkpoint, dropped', 'start: LEDGER_FORKED', 'DELETE FROM ledger_checkpoint'],
  ...(testsPostgres
    ? [
        // All its entries are signed: there is nothing that a missing counter could hide.
        ['log.tenant', 'verified', "UPDATE ledger_log SET tenant = 'x'"],
        ['log.origin', 'start: LEDGER_FORKED', "UPDATE ledger_log SET origin = 'x'"],
        ['log.size, less', 'start: LEDGER_FORKED', 'UPDATE ledger_log SET size = 599'],
        ['log.size, more', 'start: LEDGER_FORKED', 'UPDATE ledger_log SET size = 601'],
      ]
    : []),
])('a change of %s is noticed (%s)', async (_, noticed, sql) => {
  const folder = await copyWorld(original)
  expect(await alter(folder, sql)).toBeGreaterThan(0)
  expect(await useIt(folder)).toBe(noticed)
})

test.each([
  ['entry 5 of the ledger was changed', `UPDATE ledger_entry SET body = replace(body, 'permit', 'forbid') WHERE ${OLD}`],
  ['the payload input of entry 5 is missing', `DELETE FROM ledger_payload WHERE ${OLD}`],
  ['does not open', `UPDATE ledger_payload SET sealed = ZEROS(80) WHERE ${OLD}`],
  ['the tree does not prove entry 5', 'UPDATE ledger_tile SET hashes = ZEROS(8192) WHERE level = 0 AND n = 0'],
])('what was found says what it is, and where: %s', async (words, sql) => {
  const folder = await copyWorld(original)
  expect(await alter(folder, sql)).toBeGreaterThan(0)
  const { ledger, close } = await openWorld(folder)
  await expect(ledger.payload(5, 'input').then(() => ledger.proof(5))).rejects.toThrow(words)
  await close()
})

test('yesterday’s database file under today’s checkpoint is refused', async () => {
  const folder = await copyWorld(original)
  const world = await openWorld(folder)
  await appendMany(world.ledger, 10, 'today')
  await world.close()
  await copyStore(original, folder)
  await expect(openWorld(folder)).rejects.toThrow(/the store ends at 600 entries.*, but 610 were signed/)
})

test('an empty database file under a checkpoint is refused', async () => {
  const folder = await copyWorld(original)
  rmSync(join(folder, testsPostgres ? 'store.url' : 'store.db'))
  await expect(openWorld(folder)).rejects.toThrow('the store is empty')
})

test('another history of the same length is refused, though the same key signed it', async () => {
  const [one, two] = [await copyWorld(original), await copyWorld(original)]
  for (const [folder, prefix] of [
    [one, 'one'],
    [two, 'two'],
  ] as const) {
    const world = await openWorld(folder)
    await appendMany(world.ledger, 20, prefix)
    await world.close()
  }
  copyFileSync(join(one, 'checkpoint'), join(two, 'checkpoint'))
  await expect(openWorld(two)).rejects.toThrow('are not those that were signed')
})

test.skipIf(testsPostgres)('a ledger whose outside checkpoint was removed is refused until a trusted one is put there', async () => {
  const folder = await copyWorld(original)
  rmSync(join(folder, 'checkpoint'))
  await expect(openWorld(folder)).rejects.toThrow('its checkpoint outside is missing')
  copyFileSync(join(original, 'checkpoint'), join(folder, 'checkpoint'))
  await (await openWorld(folder)).close()
})

test('an outside checkpoint that is damaged or of another key is refused', async () => {
  const folder = await copyWorld(original)
  writeFileSync(join(folder, 'checkpoint'), 'nonsense')
  await expect(openWorld(folder)).rejects.toThrow('not one of this ledger and key')
  const other = await openWorld(scratch())
  await other.close()
  copyFileSync(other.outside, join(folder, 'checkpoint'))
  await expect(openWorld(folder)).rejects.toThrow('not one of this ledger and key')
})

test('a store that is ahead of its outside checkpoint opens: the crash came between the two', async () => {
  const folder = await copyWorld(original)
  const world = await openWorld(folder)
  await world.ledger.append({ changes: [], entries: [decision('late')] })
  await world.close()
  copyFileSync(join(original, 'checkpoint'), join(folder, 'checkpoint'))
  const again = await openWorld(folder)
  await expect(again.ledger.head()).resolves.toMatchObject({ size: 601 })
  await again.close()
})

test.runIf(testsPostgres)('a replica that is new takes the checkpoint in the database, but not one that somebody else signed', async () => {
  const folder = await copyWorld(original)
  rmSync(join(folder, 'checkpoint'))
  await (await openWorld(folder)).close()
  expect(readFileSync(join(folder, 'checkpoint'), 'utf8')).toBe(readFileSync(join(original, 'checkpoint'), 'utf8'))
  const other = await openWorld()
  await appendMany(other.ledger, 600)
  const { checkpoint } = await other.ledger.head()
  await other.close()
  rmSync(join(folder, 'checkpoint'))
  await alter(folder, `UPDATE ledger_checkpoint SET note = '${checkpoint}'`)
  await expect(openWorld(folder)).rejects.toThrow('the checkpoint in the store is not one of this ledger and key')
})

test.runIf(testsPostgres)('a counter that is gone with entries that nobody signed yet is noticed', async () => {
  const folder = scratch()
  const world = await openWorld(folder)
  await appendMany(world.ledger, 3)
  await world.store.close()
  await alter(folder, 'DELETE FROM ledger_log')
  await expect(openWorld(folder)).rejects.toThrow('the counter of the ledger is missing')
})

test.runIf(testsPostgres)('entries that were acknowledged, not signed yet, and dropped are missed by the counter', async () => {
  const folder = scratch()
  const world = await openWorld(folder)
  await appendMany(world.ledger, 3)
  await world.store.close()
  await alter(folder, 'DELETE FROM ledger_entry WHERE seq = 2')
  await expect(openWorld(folder)).rejects.toThrow('the counter of the ledger says 3 entries, but they end at 2')
})
