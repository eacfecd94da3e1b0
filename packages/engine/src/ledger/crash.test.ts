/** Crashes and full disks: nothing acknowledged is lost, nothing is acknowledged that isn't kept. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { verifyLog } from '@ephor/proof'
import type { Receipt } from '@ephor/proof'
import { expect, test } from 'vitest'
import { appendMany, decision, openWorld, scratch, testsPostgres } from './ledger.fixture.ts'

/** Runs the appending process until it acknowledged `count` parts, then kills it with no warning. */
async function appendAndKill(folder: string, run: string, count: number): Promise<(Receipt & { id: string })[]> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./append-loop.fixture.ts', import.meta.url)), folder, run], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const acknowledged: (Receipt & { id: string })[] = []
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    acknowledged.push(JSON.parse(line) as Receipt & { id: string })
    if (acknowledged.length === count) child.kill('SIGKILL')
  })
  await once(lines, 'close')
  return acknowledged
}

test('kill -9 loses no acknowledged entry and leaves no gap, again and again', { timeout: 120_000 }, async () => {
  const folder = scratch()
  await (await openWorld(folder)).close()
  const acknowledged: (Receipt & { id: string })[] = []
  for (const [run, count] of [
    ['a', 40],
    ['b', 300],
    ['c', 150],
  ] as const)
    acknowledged.push(...(await appendAndKill(folder, run, count)))
  expect(acknowledged.length).toBeGreaterThanOrEqual(490)

  const world = await openWorld(folder)
  const { ledger } = world
  const { size } = await ledger.head()
  for (const { id, seq, leafHash } of acknowledged) await expect(ledger.find(id)).resolves.toMatchObject({ seq, leafHash })
  const entries = await ledger.list({ limit: size + 1 })
  expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: size }, (_, i) => i))
  // Parts are whole: each decision has the outcome of its unit beside it.
  expect(entries.filter(({ body }) => body['type'] === 'outcome')).toHaveLength(size / 2)
  await ledger.exportTo(join(folder, 'export'))
  const read = (path: string) => {
    const file = join(folder, 'export', path)
    return Promise.resolve(existsSync(file) ? readFileSync(file) : undefined)
  }
  await expect(verifyLog({ read }, { vkey: ledger.verifierKey })).resolves.toMatchObject({ ok: true, size })
  await world.close()
})

test.skipIf(testsPostgres)('a full disk denies, writes nothing of what it denied, and recovers when there is space', async () => {
  const world = await openWorld(scratch(), { module: new URL('./full-disk.fixture.ts', import.meta.url) })
  const { ledger, store } = world
  await appendMany(ledger, 20)
  await store.call('leave free', 10)
  const big = (id: string) => ({ ...decision(id, 'x'.repeat(100_000)) })
  const denied = await Promise.allSettled(Array.from({ length: 8 }, (_, i) => ledger.append({ changes: [], entries: [big(`full${i}`)] })))
  const reasons = denied.map((result) => (result.status === 'rejected' ? (result.reason as { code: string }).code : 'written'))
  expect(new Set(reasons)).toEqual(new Set(['STORE_UNAVAILABLE']))
  await expect(ledger.find('full0')).resolves.toBeUndefined()

  await store.call('leave free', 100_000)
  const [receipt] = await ledger.append({ changes: [], entries: [big('full0')] })
  expect(receipt?.seq).toBe(20)
  await expect(ledger.head()).resolves.toMatchObject({ size: 21 })
  await expect(ledger.payload(20, 'input')).resolves.toEqual({ text: 'x'.repeat(100_000) })
  await world.close()
  const again = await openWorld(world.folder)
  await expect(again.ledger.head()).resolves.toMatchObject({ size: 21 })
  await again.close()
})

test.skipIf(testsPostgres)('a checkpoint that can’t be stored is tried again, and entries wait for it unharmed', async () => {
  const world = await openWorld(scratch(), { module: new URL('./full-disk.fixture.ts', import.meta.url) })
  const { ledger, store } = world
  await appendMany(ledger, 256)
  await store.call('leave free', 0)
  await expect(ledger.head()).rejects.toThrow('SQLITE_FULL')
  await store.call('leave free', 100)
  await expect(ledger.head()).resolves.toMatchObject({ size: 256 })
  await expect(ledger.proof(255)).resolves.toContain('index 255')
  await world.close()
})

test('a checkpoint that can’t be copied outside is said so, and copied when it can be', async () => {
  const world = await openWorld()
  await world.ledger.append({ changes: [], entries: [decision('a')] })
  mkdirSync(`${world.outside}.tmp`)
  await expect(world.ledger.head()).rejects.toThrow('outside the store can’t be written'.replace('’', "'"))
  rmSync(`${world.outside}.tmp`, { recursive: true })
  const { checkpoint } = await world.ledger.head()
  expect(readFileSync(world.outside, 'utf8')).toBe(checkpoint)
  await world.close()
})
