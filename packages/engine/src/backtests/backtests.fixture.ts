/** For this room's tests: a world in which agents made decisions of every kind. */
import type { JsonObject } from '@ephor/engine/kernel'
import { callOf, openWorld } from '@ephor/testkit'
import type { World, WorldOptions } from '@ephor/testkit'

export const POLICIES = {
  'a.cedar': `
@id("all") @reason("Fine.") permit (principal is Agent, action, resource);
@id("wipes") @reason("Somebody has to agree.") @approval("quorum:1")
forbid (principal, action in Action::"destructive", resource);
@id("outside") @reason("Not outside.") forbid (principal, action in Action::"tools/call", resource)
when { context has paths && !context.paths.outside.isEmpty() };
@id("notes") @reason("A few an hour.") @obligation("limit:3/hour") permit (principal is Agent, action == Action::"box/note", resource);`,
  'charter.yaml': 'budgets: { pays: { measure: calls, per: agent, period: day, limit: 2, covers: [money] } }\n',
}

/** Payments are held as well. */
export const STRICTER = {
  ...POLICIES,
  'b.cedar': '@id("pays") @reason("Look at payments.") @approval("") forbid (principal, action in Action::"money", resource);\n',
}

export async function openBusyWorld(options: WorldOptions = {}) {
  const world = await openWorld({ policies: POLICIES, ...options })
  const agent = await world.agent()
  const perform = (name: string, input: JsonObject, more = {}) =>
    world.broker.perform({ ...callOf(agent.bearer, name, input), ...more }, async () => ({ isError: false, value: 'ok' }))
  return { world, agent, perform }
}

type Busy = Awaited<ReturnType<typeof openBusyWorld>>

/** Permits, a denial, arguments that don't fit, a tool that isn't there, a budget and a limit used up, a hold and what became of it. */
export async function callAround({ world, perform }: Busy): Promise<void> {
  const path = (name: string) => ({ path: `${world.folder}/${name}` })
  await perform('look', path('a'))
  await perform('look', { path: '/etc/passwd' })
  await perform('look', { path: 5 })
  await perform('nothing', {})
  for (let i = 0; i < 3; i++) await perform('pay', { amount: i })
  for (let i = 0; i < 4; i++) await perform('note', { text: `${i}` })
  const held = await perform('wipe', { what: 'a' })
  if (held.kind !== 'held') throw new Error(`it was not held: ${JSON.stringify(held)}`)
  const approval = await world.approvals.find(held.approval.id)
  await world.approvals.decide(held.approval.id, world.person, { verdict: 'approve', digest: approval?.digest ?? '' })
  await perform('wipe', { what: 'a' }, { approval: held.approval.id })
  await world.broker.judgeServerRequest({ server: 'box', method: 'sampling/createMessage', agent: 'agt_x', session: 's', params: {} })
}

/** Writes to the tables, as somebody with the file of the store would. */
export const tamper = (world: World, sql: string) => world.store.commit({ changes: [{ sql, params: [] }] })
