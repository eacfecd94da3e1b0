/** Recorded decisions made again: with their own policies they come out as they were, with others it is said what would change. */
import { setTimeout as pause } from 'node:timers/promises'
import { openWorld } from '@ephor/testkit'
import { expect, test } from 'vitest'
import { callAround, openBusyWorld, POLICIES, STRICTER } from './backtests.fixture.ts'

test('every decision comes out again as it was, and what no policy decided is counted apart', async () => {
  const busy = await openBusyWorld()
  const { world } = busy
  await callAround(busy)
  await world.agent('another one: another world')
  await busy.perform('note', { text: 'later' }, { session: 'two' })
  const { id } = await world.backtests.checkDrift('system')
  await world.backtests.idle()
  const run = await world.backtests.show(id)
  expect(run).toMatchObject({
    state: 'done',
    kind: 'drift',
    tally: { seen: 15, replayed: 14, same: 14, skipped: { unasked: 1 }, changed: [] },
  })
  expect(await world.backtests.drift()).toMatchObject({ run: id, differences: 0, failed: false })
  expect((await world.ledger.find(`${id}/started`))?.body).toMatchObject({ type: 'backtest.started', by: 'system', after: -1 })
  expect((await world.ledger.find(`${id}/ended`))?.body).toMatchObject({ state: 'done', replayed: 14, same: 14 })
  await world.close()
})

test('what an application’s policies decided is left out, and counted', async () => {
  const { world, agent, perform } = await openBusyWorld()
  await perform('look', { path: `${world.folder}/a` })
  const access = { enforcementPoint: agent.principal, application: 'records', action: 'export', question: {}, deadlineMs: 60_000 }
  const permit = { version: 'sha256:aa', world: undefined, reasons: [], effect: 'permit' as const, obligations: [] }
  for (const door of ['authzen', 'envoy'] as const) await world.broker.judgeAccess({ ...access, door, decide: () => permit })
  const { id } = await world.backtests.checkDrift('system')
  await world.backtests.idle()
  expect((await world.backtests.show(id)).tally).toMatchObject({ seen: 3, replayed: 1, same: 1, skipped: { door: 2 }, lost: [] })
  await world.close()
})

test('a check for drift goes on from the last one, and the timer starts one a day', async () => {
  const busy = await openBusyWorld({ driftEveryMs: 86_400_000 })
  const { world, perform } = busy
  await callAround(busy)
  await world.backtests.tick()
  expect(await world.backtests.drift()).toBeUndefined()
  world.clock.advance(86_400_001)
  await world.backtests.tick()
  await world.backtests.idle()
  const first = await world.backtests.drift()
  expect(first).toMatchObject({ differences: 0 })
  await perform('look', { path: `${world.folder}/b` })
  await world.backtests.tick()
  await world.backtests.idle()
  expect(await world.backtests.drift()).toEqual(first)
  world.clock.advance(86_400_001)
  await world.backtests.tick()
  await world.backtests.idle()
  const { items } = await world.backtests.list({ limit: 10 })
  expect(items.map(({ by, after, tally }) => [by, after, tally.seen])).toEqual([
    ['system', first?.upTo, 1],
    ['system', -1, 14],
  ])
  await world.close()
})

test('a candidate shows what would change, by effect, agent and tool, with the reasons of both', async () => {
  const busy = await openBusyWorld()
  const { world, agent } = busy
  await callAround(busy)
  const { id, version } = await world.backtests.start({ by: world.person.id, files: STRICTER })
  await world.backtests.idle()
  const { tally, state } = await world.backtests.show(id)
  // The third payment was refused by the budget, so policy had permitted it: that is what is compared.
  expect({ state, ...tally }).toMatchObject({
    state: 'done',
    replayed: 13,
    same: 10,
    transitions: { 'permit→hold': 3 },
    agents: { [agent.id]: { 'permit→hold': 3 } },
    tools: { 'box/pay': { 'permit→hold': 3 } },
  })
  expect(tally.changed[0]).toMatchObject({
    agent: agent.id,
    action: 'box/pay',
    from: { effect: 'permit', reasons: ['a/all'] },
    to: { effect: 'hold', reasons: ['b/pays'] },
  })
  expect(await world.backtests.ofVersion(version ?? '')).toMatchObject({ id })
  expect(await world.policy.bundle(version ?? '')).toEqual(STRICTER)
  await world.close()
})

test('what is decided alike for another reason is a change as well', async () => {
  const { world, perform } = await openBusyWorld()
  await perform('look', { path: `${world.folder}/a` })
  const files = { ...POLICIES, 'a.cedar': POLICIES['a.cedar'].replace('@id("all")', '@id("everything") @obligation("timeout:1s")') }
  const { id } = await world.backtests.start({ by: world.person.id, files })
  await world.backtests.idle()
  expect((await world.backtests.show(id)).tally.transitions).toEqual({ 'permit→permit': 1 })
  await world.close()
})

test('only decisions since a time, of an agent, and at most so many', async () => {
  const busy = await openBusyWorld()
  const { world, agent } = busy
  await callAround(busy)
  world.clock.advance(3_600_000)
  const since = world.clock.now()
  const other = await world.agent('other')
  await busy.perform('look', { path: `${world.folder}/b` })
  const seen = async (how: { since?: number; agent?: string; most?: number }) => {
    const { id } = await world.backtests.start({ by: world.person.id, files: STRICTER, ...how })
    await world.backtests.idle()
    return (await world.backtests.show(id)).tally.seen
  }
  expect(await seen({})).toBe(15)
  expect(await seen({ since })).toBe(1)
  expect(await seen({ since: world.clock.now() + 1 })).toBe(0)
  expect(await seen({ agent: other.id })).toBe(0)
  expect(await seen({ agent: agent.id })).toBe(14)
  expect(await seen({ agent: agent.id, most: 3 })).toBe(3)
  await world.close()
}, 60_000)

test('a run that is cut off by a stop goes on from where it was, and counts nothing twice', async () => {
  const { world, perform } = await openBusyWorld()
  for (let i = 0; i < 600; i++) await perform('look', { path: i % 3 === 0 ? '/etc/passwd' : `${world.folder}/${i}` })
  const { id } = await world.backtests.checkDrift('system')
  while ((await world.backtests.show(id)).position < 0) await pause(1)
  await world.close({ keep: true })
  const again = await openWorld({ home: world.home })
  await again.backtests.idle()
  const run = await again.backtests.show(id)
  expect(run).toMatchObject({ state: 'done', tally: { seen: 600, same: 600 } })
  expect((await again.ledger.find(`${id}/ended`))?.body).toMatchObject({ seen: 600, same: 600 })
  await again.close()
}, 60_000)

test('a run that was stopped keeps what it had found, and has ended', async () => {
  const busy = await openBusyWorld()
  const { world } = busy
  await callAround(busy)
  const { id } = await world.backtests.start({ by: world.person.id, files: STRICTER })
  await world.backtests.stop(id)
  await world.backtests.idle()
  expect(await world.backtests.show(id)).toMatchObject({ state: 'stopped' })
  await expect(world.backtests.stop(id)).rejects.toMatchObject({ code: 'CONFLICT' })
  expect((await world.ledger.find(`${id}/ended`))?.body).toMatchObject({ state: 'stopped' })
  await world.close()
})

test('arguments as large as they may be are read a few at a time', async () => {
  const { world, perform } = await openBusyWorld()
  const text = 'x'.repeat(1_000_000)
  for (let i = 0; i < 40; i++) await perform('note', { text }, { session: `${i}` })
  const { size } = await world.ledger.head()
  let [after, stretches] = [-1, 0]
  const seen: string[] = []
  while (after < size - 1) {
    const batch = await world.ledger.sealed({ after, upTo: size - 1, limit: 500, ids: 'dec', names: ['input', 'facts'] })
    const bytes = batch.entries.flatMap(({ payloads }) => payloads).reduce((sum, { sealed }) => sum + sealed.length, 0)
    expect(bytes).toBeLessThan(17 * 1024 * 1024)
    seen.push(...batch.entries.map(({ row }) => row.id ?? ''))
    after = batch.last ?? size
    stretches++
  }
  expect([stretches, new Set(seen).size, seen.length]).toEqual([3, 40, 40])
  const { id } = await world.backtests.checkDrift('system')
  await world.backtests.idle()
  expect(await world.backtests.show(id)).toMatchObject({ state: 'done', tally: { seen: 40, same: 40 } })
  await world.close()
}, 60_000)
