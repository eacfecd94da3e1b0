/** Tests of following other replicas: in order, nothing passed over, nothing of our own. */
import { afterEach, expect, test } from 'vitest'
import { makeLog } from '@ephor/engine/kernel'
import type { Entry } from '@ephor/engine/ledger'
import { followOthers, ownEntries } from './follow-others.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

function world(follow: (entry: Entry) => Promise<void>, start = 0) {
  const entries: Entry[] = []
  const listeners = new Set<() => void>()
  const own = ownEntries()
  const add = (count: number) => {
    for (let i = 0; i < count; i++) entries.push({ seq: entries.length, leafHash: '', body: { type: 'decision' } })
    for (const listener of listeners) listener()
  }
  add(start)
  closers.push(
    followOthers({
      store: {
        onForeign(listener) {
          listeners.add(listener)
          return () => listeners.delete(listener)
        },
      },
      ledger: { list: async ({ after = -1, limit }) => entries.slice(after + 1, after + 1 + limit) },
      after: start - 1,
      isOwn: own.isOwn,
      follow,
      log: makeLog('silent'),
    }),
  )
  return { add, own }
}

test('entries of others are taken over in order, over more than a page, and none of our own', async () => {
  const seen: number[] = []
  const { add, own } = world(async ({ seq }) => void seen.push(seq), 3)
  own.add([4, 6])
  add(1200)
  await expect.poll(() => seen.length).toBe(1198)
  expect(seen.slice(0, 4)).toEqual([3, 5, 7, 8])
  expect(seen).toEqual(seen.toSorted((a, b) => a - b))
})

test('an entry that cannot be taken over is tried again, and those after it wait', async () => {
  const seen: number[] = []
  let failures = 2
  const { add } = world(async ({ seq }) => {
    if (seq === 1 && failures-- > 0) throw new Error('the database is away')
    seen.push(seq)
  })
  add(3)
  await expect.poll(() => seen, { timeout: 5000 }).toEqual([0, 1, 2])
})

test('what comes while others are being read is not forgotten', async () => {
  const seen: number[] = []
  const worldNow = world(async ({ seq }) => {
    seen.push(seq)
    if (seq === 0) worldNow.add(1)
  })
  worldNow.add(1)
  await expect.poll(() => seen).toEqual([0, 1])
})
