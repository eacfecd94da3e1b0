/** Delivery: in order, at least once, one replica a sink, and nothing that a sink does holds up anybody else. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SOON, memorySink, openWorld, range } from './outbox.fixture.ts'
import type { World } from './outbox.fixture.ts'
import { readSink } from './store.ts'
import { DeliveryFailure } from './types.ts'

let world: World
beforeEach(async () => void (world = await openWorld()))
afterEach(() => world.close())

const decisions = (count: number) => range(count).map(() => 'decision')

test('a sink gets the whole ledger in order, then what is appended, and goes on after a restart where it was', async () => {
  await world.append(...decisions(150))
  const { sink, got } = memorySink()
  const deliverer = world.deliverer(sink)
  await expect.poll(() => got.length, SOON).toBe(150)
  await world.append(...decisions(5))
  await expect.poll(() => got, SOON).toEqual(range(155))
  await deliverer.close()
  await world.append('decision')
  const again = memorySink()
  world.deliverer(again.sink)
  await expect.poll(() => again.got, SOON).toEqual([155])
})

test('a sink that begins now gets nothing of before, and only the types that it takes', async () => {
  await world.append('decision')
  const { sink, got } = memorySink()
  world.deliverer(sink, { types: ['approval', 'server.accepted'], from: 'now' as never })
  await expect.poll(() => readSink(world.store, 'sink'), SOON).toBeTruthy()
  await world.append('approval', 'approval.opened', 'approvals', 'server.accepted', 'server', 'decision')
  await expect.poll(() => got, SOON).toEqual([1, 2, 4])
  await expect.poll(async () => (await readSink(world.store, 'sink'))?.next_seq, SOON).toBe(7)
})

test('a sink that fails loses nothing and no order; another sink and appends go on meanwhile', async () => {
  let down = true
  const failing = memorySink(({ data }) => {
    if (down && data.seq === 3) throw new DeliveryFailure('down')
  })
  const other = memorySink()
  world.deliverer(failing.sink)
  world.deliverer(other.sink, { name: 'other' })
  await world.append(...decisions(20))
  await expect.poll(() => other.got, SOON).toEqual(range(20))
  await expect.poll(async () => (await readSink(world.store, 'sink'))?.failures, SOON).toBeGreaterThan(2)
  expect(failing.got).toEqual([0, 1, 2])
  expect(await readSink(world.store, 'sink')).toMatchObject({ next_seq: 3, error: 'down', state: 'on' })
  down = false
  await expect.poll(() => failing.got, SOON).toEqual(range(20))
  await expect.poll(() => readSink(world.store, 'sink'), SOON).toMatchObject({ next_seq: 20, failures: 0, error: null })
})

test('a receiver that asks for a pause gets it', async () => {
  const attempts: number[] = []
  const { sink, got } = memorySink(() => {
    attempts.push(performance.now())
    if (attempts.length === 1) throw new DeliveryFailure('busy', { retryAfterMs: 700 })
  })
  world.deliverer(sink)
  await world.append('decision')
  await expect.poll(() => got, SOON).toEqual([0])
  expect((attempts[1] ?? 0) - (attempts[0] ?? 0)).toBeGreaterThan(690)
})

test('of two replicas one delivers; a clean stop hands over at once', async () => {
  const [a, b] = [memorySink(), memorySink()]
  const first = world.deliverer(a.sink, { holder: 'a', shared: true })
  await world.append(...decisions(3))
  await expect.poll(() => a.got, SOON).toEqual(range(3))
  world.deliverer(b.sink, { holder: 'b', shared: true })
  await world.append(...decisions(3))
  await expect.poll(() => a.got, SOON).toEqual(range(6))
  await sleep(1000)
  expect(b.got).toEqual([])
  await first.close()
  await world.append('decision')
  await expect.poll(() => b.got, SOON).toEqual([6])
})

test('a replica that was paused beyond its lease is taken over from, and then moves nothing and sends no more', async () => {
  const timing = { leaseMs: 500, firstPauseMs: 20, lastPauseMs: 200 }
  let wakeUp = () => {}
  const paused = new Promise<void>((resolve) => (wakeUp = resolve))
  const [a, b] = [memorySink(({ data }) => (data.seq === 2 ? paused : undefined)), memorySink()]
  world.deliverer(a.sink, { holder: 'a', shared: true, timing })
  await world.append(...decisions(6))
  await expect.poll(() => a.got, SOON).toEqual([0, 1])
  world.deliverer(b.sink, { holder: 'b', shared: true, timing })
  await expect.poll(() => b.got.at(-1), SOON).toBe(5)
  // From the last position that was written down, without a gap: some twice, none lost.
  expect(b.got).toEqual(range(b.got.length, 6 - b.got.length))
  expect(b.got[0]).toBeLessThanOrEqual(2)
  wakeUp()
  await sleep(300)
  expect(a.got).toEqual([0, 1, 2])
  expect(await readSink(world.store, 'sink')).toMatchObject({ next_seq: 6, holder: 'b' })
})

test('a receiver that is gone gets nothing any more until a person replays, and the replay is in the ledger', async () => {
  let gone = true
  const { sink, got } = memorySink(() => {
    if (gone) throw new DeliveryFailure('410', { gone: true })
  })
  world.deliverer(sink)
  const outbox = world.outbox([])
  await world.append('decision', 'decision')
  await expect.poll(() => readSink(world.store, 'sink'), SOON).toMatchObject({ state: 'off', next_seq: 0 })
  gone = false
  await sleep(900)
  expect(got).toEqual([])
  await outbox.replay('sink', undefined, 'per_1')
  await expect.poll(() => got, SOON).toEqual([0, 1, 2])
  expect((await world.ledger.read(2))?.body).toMatchObject({ type: 'outbox.replayed', sink: 'sink', from: 0, earlier: 0, by: 'per_1' })
})

test('a replay sends again from there, though a deliverer is at work', async () => {
  const { sink, got } = memorySink()
  const deliverer = world.deliverer(sink)
  const outbox = world.outbox([])
  await world.append(...decisions(5))
  await expect.poll(() => got, SOON).toEqual(range(5))
  await outbox.replay('sink', 2, 'per_1')
  deliverer.wake()
  await expect.poll(() => got, SOON).toEqual([0, 1, 2, 3, 4, 2, 3, 4, 5])
  await expect(outbox.replay('sink', 99, 'per_1')).rejects.toMatchObject({ code: 'REQUEST_INVALID' })
  await expect(outbox.replay('nobody', 0, 'per_1')).rejects.toMatchObject({ code: 'NOT_FOUND' })
})
