/** Records, texts and worlds that somebody changed are found; candidates that cost too much, and threads that die, harm nobody. */
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { openErasure } from '@ephor/engine/ledger'
import { openWorld } from '@ephor/testkit'
import type { World } from '@ephor/testkit'
import { expect, test } from 'vitest'
import { callAround, openBusyWorld, POLICIES, STRICTER, tamper } from './backtests.fixture.ts'

async function checked(world: World) {
  const { id } = await world.backtests.checkDrift('system')
  await world.backtests.idle()
  return { id, ...(await world.backtests.show(id)).tally }
}

const entryOf = async (world: World, decision: string) => (await world.ledger.find(decision))?.seq

test('the payload of another decision, put in the place of one, is found as drift and left out of a backtest', async () => {
  const { world, perform } = await openBusyWorld()
  const [one, two] = [await perform('look', { path: '/etc/passwd' }), await perform('look', { path: `${world.folder}/a` })]
  const [from, to] = [await entryOf(world, two.decision), await entryOf(world, one.decision)]
  await tamper(
    world,
    `UPDATE ledger_payload SET sealed = (SELECT sealed FROM ledger_payload WHERE seq = ${from} AND name LIKE '%input%') WHERE seq = ${to} AND name LIKE '%input%'`,
  )
  const { id, ...tally } = await checked(world)
  expect(tally).toMatchObject({ seen: 2, replayed: 1, same: 1, lost: [{ decision: one.decision, skip: 'corrupt' }] })
  const body = (await world.ledger.find(`${id}/drift`))?.body
  expect(body).toMatchObject({ type: 'policy.drift', differences: 1, decisions: [one.decision] })
  const { id: candidate } = await world.backtests.start({ by: world.person.id, files: STRICTER })
  await world.backtests.idle()
  expect((await world.backtests.show(candidate)).tally).toMatchObject({ replayed: 1, same: 1, skipped: { corrupt: 1 } })
  await world.close()
})

test.each([
  [
    'an entry’s body',
    'corrupt',
    (seq: number) => `UPDATE ledger_entry SET body = replace(body, '"permit"', '"denied"') WHERE seq = ${seq}`,
  ],
  ['a payload that is gone', 'corrupt', (seq: number) => `DELETE FROM ledger_payload WHERE seq = ${seq} AND name LIKE '%facts%'`],
  ['the texts', 'version', () => `UPDATE policy_files SET files = replace(files, 'quorum:1', 'quorum:2')`],
  ['the texts, so that they are none', 'version', () => `UPDATE policy_files SET files = '{'`],
  ['the world', 'world', () => `UPDATE policy_world_part SET content = replace(content, '"tester"', '"friend"')`],
  ['the list of worlds', 'world', () => `DELETE FROM policy_world`],
])('%s, changed in the store, is drift', async (_what, skip, sql) => {
  const { world, perform } = await openBusyWorld()
  const { decision } = await perform('look', { path: `${world.folder}/a` })
  expect(await checked(world)).toMatchObject({ same: 1, lost: [] })
  const { decision: second } = await perform('look', { path: `${world.folder}/b` })
  await tamper(world, sql((await entryOf(world, second)) ?? 0))
  expect(await checked(world)).toMatchObject({ same: 0, skipped: { [skip]: 1 }, lost: [{ decision: second, skip }] })
  // It stays until it is put right: the next check begins where everything was well.
  expect(await checked(world)).toMatchObject({ seen: 1, skipped: { [skip]: 1 } })
  expect(decision).not.toBe(second)
  await world.close()
})

test('a row that says that everything was checked does not keep a check from looking', async () => {
  const { world, perform } = await openBusyWorld()
  await perform('look', { path: `${world.folder}/a` })
  await checked(world)
  const { decision } = await perform('look', { path: `${world.folder}/b` })
  await tamper(world, 'UPDATE backtests_run SET up_to = 1000000, position = 1000000')
  await tamper(world, `DELETE FROM ledger_payload WHERE seq = ${await entryOf(world, decision)}`)
  expect(await checked(world)).toMatchObject({ seen: 2, lost: [{ decision }] })
  await world.close()
})

test('what was erased is no drift: it can’t be asked any more', async () => {
  const busy = await openBusyWorld()
  const { world, agent } = busy
  await callAround(busy)
  const { store, ledger, clock, log } = world
  const erasure = await openErasure({ store, ledger, clock, log, file: join(world.home, 'erased') })
  await erasure.erase(agent.id, { reason: 'subject-request', by: world.person.id })
  await erasure.clear()
  expect(await checked(world)).toMatchObject({ seen: 14, replayed: 1, same: 1, skipped: { erased: 12, unasked: 1 }, lost: [] })
  erasure.close()
  await world.close()
})

test('keys that are gone, and no entry says so, are drift', async () => {
  const { world, agent, perform } = await openBusyWorld()
  const { decision } = await perform('look', { path: `${world.folder}/a` })
  await world.close({ keep: true })
  const again = await openWorld({ home: world.home })
  await tamper(again, `DELETE FROM ledger_key WHERE subject LIKE '${agent.id}%'`)
  expect(await checked(again)).toMatchObject({ same: 0, skipped: { corrupt: 1 }, lost: [{ decision, skip: 'corrupt' }] })
  await again.close()
})

test('a candidate that can never be active is refused before anything runs', async () => {
  const { world } = await openBusyWorld()
  const start = (text: string) => world.backtests.start({ by: world.person.id, files: { 'a.cedar': text } })
  await expect(start('permit (principal')).rejects.toMatchObject({ code: 'POLICY_INVALID', where: expect.stringContaining('a.cedar:1') })
  await expect(start('permit (principal, action == Action::"box/gone", resource);')).rejects.toMatchObject({ code: 'POLICY_INVALID' })
  await expect(start(`permit (principal, action, resource) when { ${'('.repeat(5000)}true${')'.repeat(5000)} };`)).rejects.toMatchObject({
    code: 'POLICY_INVALID',
  })
  expect((await world.backtests.list({ limit: 10 })).items).toEqual([])
  await world.close()
})

test('a candidate that burns steps on every decision denies them by its budget, while calls are decided as ever', async () => {
  const { world, perform } = await openBusyWorld()
  const text = 'x'.repeat(60)
  for (let i = 0; i < 5; i++) await perform('note', { text: text.repeat(900) }, { session: `${i}` })
  // Each pattern makes the matcher try again at every character.
  const slow = Array.from({ length: 300 }, (_, i) => `context.input.text like "*${'x*'.repeat(40)}y${i}"`).join(' || ')
  const files = Object.fromEntries(
    Array.from({ length: 20 }, (_, i) => [
      `slow${i}.cedar`,
      `forbid (principal, action == Action::"box/note", resource) when { context.input has text && (${slow.slice(0, slow.indexOf(' || ', 900))}) };`,
    ]),
  )
  const { id } = await world.backtests.start({ by: world.person.id, files: { ...POLICIES, ...files } })
  const before = performance.now()
  const { kind } = await perform('look', { path: `${world.folder}/a` })
  expect({ kind, quick: performance.now() - before < 2000 }).toEqual({ kind: 'done', quick: true })
  await world.backtests.idle()
  const { tally, state } = await world.backtests.show(id)
  expect(state).toBe('done')
  expect(tally.changed.map(({ to }) => to.fault)).toContain('POLICY_TIMEOUT')
  await world.close()
}, 60_000)

test('a candidate whose kept texts are changed while it waits is not run', async () => {
  const { world, perform } = await openBusyWorld()
  await perform('look', { path: `${world.folder}/a` })
  const first = await world.backtests.checkDrift('system')
  const { id } = await world.backtests.start({ by: world.person.id, files: STRICTER })
  await tamper(world, `UPDATE policy_files SET files = replace(files, 'Look at', 'Wave through') WHERE files LIKE '%Look at%'`)
  await world.backtests.idle()
  expect(first.id).not.toBe(id)
  expect(await world.backtests.show(id)).toMatchObject({ state: 'failed', fault: 'BUNDLE_INVALID' })
  await world.close()
})

test('people can’t fill the line of runs', async () => {
  const { world } = await openBusyWorld()
  const start = () => world.backtests.start({ by: world.person.id, files: STRICTER })
  const all = await Promise.allSettled(Array.from({ length: 30 }, start))
  expect(all.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(5)
  for (const run of all) if (run.status === 'fulfilled') await world.backtests.stop(run.value.id)
  await world.backtests.idle()
  await pause(1)
  await world.close()
}, 60_000)
