/** Several replicas on one PostgreSQL: one order, one tree, whoever appends, integrates or dies. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseVerifierKey, readCheckpoint, verifyLog, verifyReceipt } from '@ephor/proof'
import type { Receipt } from '@ephor/proof'
import { expect, test } from 'vitest'
import { alter, appendMany, decision, openWorld, scratch, testsPostgres } from './ledger.fixture.ts'
import type { World } from './ledger.fixture.ts'

const withCode = (code: string) => expect.objectContaining({ code }) as Error

async function verdictOf({ ledger }: World) {
  const folder = join(scratch(), 'export')
  await ledger.exportTo(folder)
  const read = (path: string) => Promise.resolve(existsSync(join(folder, path)) ? readFileSync(join(folder, path)) : undefined)
  return verifyLog({ read }, { vkey: ledger.verifierKey })
}

/** Places without gaps, each id once, and every receipt is what the tree says. */
async function expectWhole(world: World, receipts: (Receipt & { id: string })[]): Promise<void> {
  const { size, checkpoint } = await world.ledger.head()
  const entries = await world.ledger.list({ limit: size + 1 })
  expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: size }, (_, i) => i))
  const bySeq = new Map(entries.map((entry) => [entry.seq, entry]))
  for (const { id, seq, leafHash } of receipts) expect(bySeq.get(seq)).toMatchObject({ leafHash, body: { id } })
  expect(new Set(receipts.map(({ seq }) => seq)).size).toBe(receipts.length)
  const key = parseVerifierKey(world.ledger.verifierKey)
  for (const receipt of receipts.slice(-3)) await verifyReceipt(receipt, await world.ledger.proof(receipt.seq), key)
  await expect(verdictOf(world)).resolves.toMatchObject({ ok: true, size })
  expect(readCheckpoint(checkpoint).size).toBe(size)
}

async function appendAs({ ledger }: World, prefix: string, count: number): Promise<(Receipt & { id: string })[]> {
  const done = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const id = `${prefix}${i}`
      return (
        await ledger.append({ changes: [], entries: [decision(id), { type: 'outcome', id: `${id}/outcome`, body: { decision: id } }] })
      ).map((receipt, part) => ({ ...receipt, id: part === 0 ? id : `${id}/outcome` }))
    }),
  )
  return done.flat()
}

test.runIf(testsPostgres)('two replicas append at once: no gap, nothing lost, nothing twice, and both have the one tree', async () => {
  const one = await openWorld()
  const two = await openWorld(one.folder, { replica: 'two' })
  const [ours, theirs] = await Promise.all([appendAs(one, 'a', 300), appendAs(two, 'b', 300), one.ledger.head(), two.ledger.head()])
  const receipts = [...ours, ...theirs]
  await expectWhole(one, receipts)
  await expect(two.ledger.head()).resolves.toEqual(await one.ledger.head())
  expect(readFileSync(two.outside, 'utf8')).toBe(readFileSync(one.outside, 'utf8'))
  for (const seq of [0, 600, 1199]) await expect(two.ledger.proof(seq)).resolves.toBe(await one.ledger.proof(seq))
  await expect(two.ledger.payload(receipts[0]?.seq ?? 0, 'input')).resolves.toEqual({ text: 'payload' })
  await two.close()
  await one.close()
})

test.runIf(testsPostgres)('an id is written once, whichever replica comes first', async () => {
  const one = await openWorld()
  const two = await openWorld(one.folder, { replica: 'two' })
  const results = await Promise.allSettled(
    [one, two, one, two].map(({ ledger }) => ledger.append({ changes: [], entries: [decision('same')] })),
  )
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  const codes = results.flatMap((result) => (result.status === 'rejected' ? [(result.reason as { code: string }).code] : []))
  expect(codes).toEqual(['CONFLICT', 'CONFLICT', 'CONFLICT'])
  await expect(two.ledger.head()).resolves.toMatchObject({ size: 1 })
  await two.close()
  await one.close()
})

test.runIf(testsPostgres)(
  'a replica that appends nothing follows: its own file outside has each new checkpoint within seconds',
  async () => {
    const one = await openWorld()
    const two = await openWorld(one.folder, { replica: 'two' })
    const told: number[] = []
    two.ledger.onCheckpoint(({ size }) => told.push(size))
    await appendMany(one.ledger, 20)
    await expect.poll(() => readCheckpoint(readFileSync(two.outside)).size, { timeout: 10_000 }).toBe(20)
    expect(told.at(-1)).toBe(20)
    await two.close()
    await one.close()
  },
)

test.runIf(testsPostgres)(
  'replicas that are killed in the middle of it leave a whole ledger to the others, again and again',
  { timeout: 60_000 },
  async () => {
    const world = await openWorld()
    const receipts: (Receipt & { id: string })[] = []
    for (const run of ['a', 'b', 'c']) {
      const child = spawn(process.execPath, [fileURLToPath(new URL('./append-loop.fixture.ts', import.meta.url)), world.folder, run, run], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const lines = createInterface({ input: child.stdout })
      let seen = 0
      lines.on('line', (line) => {
        receipts.push(JSON.parse(line) as Receipt & { id: string })
        if (++seen === 60) child.kill('SIGKILL')
      })
      const closed = once(lines, 'close')
      receipts.push(...(await appendAs(world, `${run}-own-`, 50)))
      await world.ledger.head()
      await closed
      receipts.push(...(await appendAs(world, `${run}-after-`, 20)))
    }
    await expectWhole(world, receipts)
    await world.close()
  },
)

test.runIf(testsPostgres)('whoever prepares and dies before it publishes is not missed: the next one takes over', async () => {
  const one = await openWorld()
  const two = await openWorld(one.folder, { replica: 'two' })
  await appendMany(one.ledger, 300)
  // Tiles are stored, nothing is signed; then the process is gone.
  await one.store.call('prepare', { nextKeyChange: 'ledger.key/0' })
  await one.store.close()
  await appendMany(two.ledger, 5, 'two')
  await expect(two.ledger.head()).resolves.toMatchObject({ size: 305 })
  await expect(verdictOf(two)).resolves.toMatchObject({ ok: true, size: 305 })
  await two.close()
})

const GROW = 'UPDATE ledger_log SET size = 301'

test.runIf(testsPostgres).each<[string, string, (old: string) => string[]]>([
  ['an older checkpoint', 'the store ends at 2 entries, but 300', (old) => [`UPDATE ledger_checkpoint SET size = 2, note = '${old}'`]],
  [
    'an entry that hashes to something else',
    'entry 300 was changed',
    () => [GROW, 'UPDATE ledger_entry SET leaf_hash = ZEROS(32) WHERE seq = 300'],
  ],
  ['an entry that is missing', 'entry 300 is missing', () => [GROW, 'DELETE FROM ledger_entry WHERE seq = 300']],
  ['a counter that goes back', 'the ledger has 4 entries, but had 300', () => ['UPDATE ledger_log SET size = 4']],
])('%s in the database stops a replica while it runs', async (_, why, statements) => {
  const one = await openWorld()
  await appendMany(one.ledger, 2)
  const old = (await one.ledger.head()).checkpoint
  await appendMany(one.ledger, 298, 'b')
  await one.ledger.head()
  // As if another replica had appended, which nobody told this one about.
  const insert = `INSERT INTO ledger_entry (tenant, seq, id, leaf_hash, body) SELECT tenant, 300, 'x', decode(encode(sha256(decode('00', 'hex') || convert_to('{"id":"x"}', 'UTF8')), 'hex'), 'hex'), '{"id":"x"}' FROM ledger_log`
  for (const sql of [insert, ...statements(old)]) expect(await alter(one.folder, sql)).toBe(1)
  await expect(one.ledger.head()).rejects.toThrow(why)
  expect(one.ledger.forked()?.detail).toContain(why)
  await expect(one.ledger.append({ changes: [], entries: [decision('x')] })).rejects.toThrow(withCode('LEDGER_FORKED'))
  await one.store.close()
})

test.runIf(testsPostgres)('a store of another installation’s ledger is refused, whatever its keys', async () => {
  const one = await openWorld()
  await one.close()
  const other = scratch()
  writeFileSync(join(other, 'store.url'), readFileSync(join(one.folder, 'store.url')))
  await expect(openWorld(other)).rejects.toThrow('the checkpoint in the store is not one of this ledger and key')
})

test.runIf(testsPostgres)('two tenants in one database have a ledger each', async () => {
  const one = await openWorld()
  const acme = await openWorld(one.folder, { tenant: 'acme', replica: 'acme' })
  await Promise.all([appendMany(one.ledger, 30), appendMany(acme.ledger, 20)])
  expect([(await one.ledger.head()).size, (await acme.ledger.head()).size]).toEqual([30, 20])
  await expect(verdictOf(acme)).resolves.toMatchObject({ ok: true, size: 20 })
  await acme.close()
  await one.close()
})
