/** Whatever was decided can be decided again from the record alone, and says the same; and what sessions did is told to policies. */
import type { JsonObject } from '@ephor/engine/kernel'
import { openBundle, readQuestion } from '@ephor/engine/policy'
import type { OpenBundle } from '@ephor/engine/policy'
import { callOf, openWorld } from '@ephor/testkit'
import type { World } from '@ephor/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Call, Run } from './types.ts'

const POLICIES = {
  'a.cedar': `
@id("all") @reason("Fine.") permit (principal is Agent, action, resource);
@id("wipes") @reason("Somebody has to agree.") @approval("quorum:1")
forbid (principal, action in Action::"destructive", resource);
@id("outside") @reason("Not outside.") forbid (principal, action in Action::"tools/call", resource)
when { context has paths && !context.paths.outside.isEmpty() };
@id("busy") @reason("Three calls a session.") forbid (principal, action == Action::"box/note", resource)
when { context.session.calls >= 3 };
@id("long") @reason("An hour a session.") forbid (principal, action == Action::"box/note", resource)
when { context.session.age > 3600 };
@id("overflows") @reason("Never.") forbid (principal, action == Action::"box/pay", resource)
when { context.input has amount && context.input.amount + 9223372036854775807 > 0 };`,
  'charter.yaml': 'budgets: { pays: { measure: calls, per: agent, period: day, limit: 2, covers: [money] } }',
}

let world: World
let agent: Awaited<ReturnType<World['agent']>>
beforeAll(async () => {
  world = await openWorld({ policies: POLICIES })
  agent = await world.agent()
})
afterAll(() => world.close())

const run: Run = async () => ({ isError: false, value: 'ok' })
const perform = (name: string, input: JsonObject, more: Partial<Call> = {}) =>
  world.broker.perform({ ...callOf(agent.bearer, name, input), ...more }, run)

test('policies are told how many calls a session was permitted, and how old it is', async () => {
  const note = async (session: string) => {
    const { kind, reasons } = await perform('note', { text: 'x' }, { session })
    return kind === 'done' ? 'done' : reasons[0]?.policy
  }
  for (let i = 0; i < 3; i++) expect(await note('one')).toBe('done')
  expect(await note('one')).toBe('a/busy')
  expect(await note('two')).toBe('done')
  world.clock.advance(3_700_000)
  expect(await note('two')).toBe('a/long')
  expect(await note('three')).toBe('done')
})

test('a session goes on counting after a restart', async () => {
  const first = await openWorld({ policies: POLICIES })
  const { bearer } = await first.agent()
  const note = (at: World) => at.broker.perform({ ...callOf(bearer, 'note', { text: 'x' }), session: 's' }, run)
  for (let i = 0; i < 3; i++) await note(first)
  await first.close({ keep: true })
  const second = await openWorld({ home: first.home })
  expect(await note(second)).toMatchObject({ kind: 'refused', reasons: [{ policy: 'a/busy' }] })
  await second.close()
})

/** Decides again what an entry says was decided. */
type Recorded = JsonObject & { policy: string; world: string; effect: string; said?: string; fault?: string }

async function replay(seq: number, body: Recorded, bundles: Map<string, OpenBundle>) {
  const [input, facts] = await Promise.all([world.ledger.payload(seq, 'input'), world.ledger.payload(seq, 'facts')])
  const question = readQuestion(body, input, facts)
  if (!question) return undefined
  const key = `${body.policy} ${body.world}`
  if (!bundles.has(key)) {
    const [files, then] = await Promise.all([world.policy.bundle(body.policy), world.policy.world(body.world)])
    if (!files || !then) throw new Error('the texts or the world of a decision are gone')
    bundles.set(key, await openBundle(files, then))
  }
  return bundles.get(key)?.decide(question)
}

test('from the ledger, the texts and the worlds alone, every decision comes out as it was', async () => {
  const path = (name: string) => ({ path: `${world.folder}/${name}` })
  await perform('look', path('a'))
  await perform('look', { path: '/etc/passwd' })
  await perform('look', { path: 5 })
  await perform('nothing', {})
  for (let i = 0; i < 3; i++) await perform('pay', {})
  await perform('pay', { amount: 1 })
  const held = await perform('wipe', { what: 'a' })
  if (held.kind !== 'held') throw new Error('it was not held')
  const approval = await world.approvals.find(held.approval.id)
  await world.approvals.decide(held.approval.id, world.person, { verdict: 'approve', digest: approval?.digest ?? '' })
  await perform('wipe', { what: 'a' }, { approval: held.approval.id })
  // A stranger joins: another world.
  await world.agent('stranger')
  await perform('look', path('b'))
  await world.broker.judgeServerRequest({ server: 'box', method: 'sampling/createMessage', agent: agent.id, session: 's', params: {} })

  const bundles = new Map<string, OpenBundle>()
  const seen: string[] = []
  for (const { seq, body: entry } of await world.ledger.list({ limit: 1000 })) {
    if (entry.type !== 'decision') continue
    const body = entry as Recorded
    const again = await replay(seq, body, bundles)
    if (!again) {
      seen.push(`unasked ${body.fault}`)
      continue
    }
    const said = body.said ?? body.effect
    seen.push(`${said} ${body.fault ?? ''}`.trim())
    expect(again).toMatchObject({ effect: said, version: body.policy, world: body.world })
    expect(again.reasons.map(({ policy }) => policy)).toEqual(body.reasons)
    expect('fault' in again ? again.fault : body.fault).toBe(body.fault)
  }
  expect(bundles.size).toBe(2)
  const kinds = ['permit', 'hold', 'deny POLICY_DENIED', 'deny INPUT_INVALID', 'deny POLICY_ERROR', 'deny POLICY_NO_PERMIT']
  for (const one of [...kinds, 'permit BUDGET_EXHAUSTED', 'unasked TOOL_UNKNOWN']) expect(seen).toContain(one)
})
