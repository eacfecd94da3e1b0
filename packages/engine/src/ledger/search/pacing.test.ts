/** The index takes a bounded share of the machine from the appends that it follows. */
import { randomBytes } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Source } from './find-entries.ts'
import { startIndexer } from './indexer.ts'
import { restAfter } from './pacing.ts'
import type { Position } from './term-index.ts'

const leaf = randomBytes(32)
const rowOf = (seq: number) => ({ seq, id: null, leaf_hash: leaf, body: '{}' })

/** On a clock of its own, reading an entry takes 1 ms. @param perSecond entries that are appended @returns the share of time it worked */
async function shareOf(stored: number, perSecond: number, batches: number): Promise<{ share: number; left: number }> {
  let [now, worked, rests] = [0, 0, 0]
  let position: Position = { next: 0, last: leaf.toString('hex') }
  const size = () => stored + Math.floor((now * perSecond) / 1000)
  const source = {
    rows: {
      size: () => Promise.resolve(size()),
      range: (from: number, to: number) => {
        const rows = Array.from({ length: Math.max(0, Math.min(to + 1, size()) - from) }, (_, i) => rowOf(from + i))
        now += rows.length
        worked += rows.length
        return Promise.resolve(rows)
      },
      many: ([seq = 0]: number[]) => Promise.resolve([rowOf(seq)]),
    },
    index: {
      position: () => Promise.resolve(position),
      add: (_: unknown, __: unknown, to: Position) => Promise.resolve(((position = to), true)),
    },
    reasonsOf: () => Promise.resolve({}),
  } as unknown as Source
  const failures: unknown[] = []
  const { promise: over, resolve } = Promise.withResolvers<void>()
  const indexer = startIndexer(source, (error) => failures.push(error), {
    now: () => now,
    async rest(ms) {
      now += ms
      if (++rests === batches) resolve()
      await turn()
    },
  })
  await over
  await indexer.stop()
  expect(failures).toEqual([])
  return { share: worked / now, left: size() - position.next }
}

test.each([
  { stored: 5_000, perSecond: 0, most: 1 / 4 },
  { stored: 5_000, perSecond: 100, most: 1 / 7.5 },
  { stored: 0, perSecond: 900, most: 1 / 7.5 },
  { stored: 0, perSecond: 20_000, most: 1 / 7.5 },
])(
  'with $stored entries to catch up and $perSecond a second more, it works no more than a share of $most',
  async ({ stored, perSecond, most }) => {
    const { share } = await shareOf(stored, perSecond, 15)
    expect(share).toBeGreaterThan(0.02)
    expect(share).toBeLessThanOrEqual(most)
  },
)

test('what it can keep up with, it keeps up with', async () => {
  expect((await shareOf(0, 100, 60)).left).toBeLessThan(256)
})

test('it rests longer the more often it fails, and no longer than a minute', () => {
  const rests = [1, 2, 3, 20].map((failures) => restAfter({ step: 'overtaken', workedMs: 1, isBusy: false, failures }))
  expect(rests).toEqual([2000, 4000, 8000, 60_000])
})
