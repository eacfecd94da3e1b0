/** Attacks on the positions of sinks in the database: what contradicts the ledger is found and named. */
import { checkProjections } from '@ephor/engine/ledger'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openWorld } from './outbox.fixture.ts'
import type { World } from './outbox.fixture.ts'
import { outboxProjector } from './projector.ts'
import { addSink } from './store.ts'

let world: World
const change = (sql: string) => world.store.commit({ changes: [{ sql, params: [] }] })
const check = () => checkProjections(world.ledger, [outboxProjector(world)])

beforeAll(async () => {
  world = await openWorld()
  await world.append('a', 'b', 'c', 'd')
  await world.store.commit({ changes: [addSink('siem', 1)] })
  await world.outbox([]).replay('siem', 2, 'per_1')
})
afterAll(() => world.close())

test.each([
  ['next_seq = 99', 'next_seq', 'beyond the 5 entries'],
  ['next_seq = 0', 'next_seq', 'before 2, where the ledger says that it was put'],
  ['epoch = 0', 'epoch', 'put somewhere 1 times'],
  ["state = 'paused'", 'state', 'neither on nor off'],
])('a sink with %s is found', async (set, field, detail) => {
  expect(await check()).toMatchObject({ rows: 1, differences: [], uncovered: [{ table: 'outbox_sink', key: 'siem' }] })
  await change(`UPDATE outbox_sink SET ${set}`)
  expect((await check()).differences).toEqual([{ table: 'outbox_sink', key: 'siem', field, detail: expect.stringContaining(detail) }])
  await change("UPDATE outbox_sink SET next_seq = 2, epoch = 1, state = 'on'")
})

test('a sink that was put somewhere and is gone is missed', async () => {
  await change('DELETE FROM outbox_sink')
  expect((await check()).differences).toEqual([{ table: 'outbox_sink', key: 'siem', detail: 'the ledger has it and the row is missing' }])
})
