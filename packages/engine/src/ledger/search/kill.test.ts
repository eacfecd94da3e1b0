/** An indexer that is killed in the middle of its work leaves an index that goes on, with each entry once. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { scratch } from '../ledger.fixture.ts'
import { openSearchWorld } from './search.fixture.ts'

/** Kills it with no warning once it indexed so many. */
async function indexAndKill(folder: string, upTo: number): Promise<void> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./index-loop.fixture.ts', import.meta.url)), folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    if (Number(line) >= upTo) child.kill('SIGKILL')
  })
  await once(lines, 'close')
}

test('kill -9 in the middle of indexing leaves nothing out and nothing twice', { timeout: 60_000 }, async () => {
  const folder = scratch()
  await (await openSearchWorld(folder)).close()
  for (const upTo of [250, 600]) await indexAndKill(folder, upTo)
  const { ledger, search, close } = await openSearchWorld(folder)
  const { size } = await ledger.head()
  expect(size).toBeGreaterThan(600)
  const { items } = await search.search({ agent: 'agt_7' }, { order: 'newest', limit: 500 })
  const seqs = items.map(({ seq }) => seq)
  expect(seqs).toEqual([...new Set(seqs)].toSorted((a, b) => b - a))
  expect(seqs).toHaveLength(size / 100)
  await expect
    .poll(() => search.status(), { timeout: 20_000, interval: 200 })
    .toMatchObject({ entries: size, indexed: size, counted: size, missing: 0 })
  await close()
})
