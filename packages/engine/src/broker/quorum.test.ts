/** What a policy asks of several people, through the whole pipeline: nothing runs before each of its asks is answered. */
import { callOf, openWorld } from '@ephor/testkit'
import type { World } from '@ephor/testkit'
import type { PersonPrincipal } from '@ephor/contract'
import { alterStore } from '@ephor/engine/kernel/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Call } from './types.ts'

const POLICY = `
@id("all") @reason("Agents work here.")
permit (principal is Agent, action, resource);
@id("money") @reason("Money leaves.") @approval("group:finance quorum:2 deadline:5m escalate:cfo")
forbid (principal, action in Action::"money", resource);
@id("large") @reason("It is much.") @approval("group:security")
forbid (principal, action in Action::"money", resource) when { context.input has amount && context.input.amount > 1000 };
@id("late") @reason("It came after others.") @approval("group:security")
forbid (principal, action in Action::"money", resource) when { context.session.calls > 0 && context.input has to && context.input.to == "e" };
`

let world: World
let agent: Awaited<ReturnType<World['agent']>>
let fred: PersonPrincipal
let fay: PersonPrincipal
let sam: PersonPrincipal
let boss: PersonPrincipal
beforeAll(async () => {
  world = await openWorld({ policies: { 'p.cedar': POLICY } })
  agent = await world.agent()
  const join = async (name: string, group: string): Promise<PersonPrincipal> => {
    const { id } = await world.identity.addPerson({ name, groups: [group] }, world.identity.operator)
    return { kind: 'person', id, session: `ses_${name}` }
  }
  fred = await join('fred', 'finance')
  fay = await join('fay', 'finance')
  sam = await join('sam', 'security')
  boss = await join('boss', 'cfo')
})
afterAll(() => world.close())

let ran = 0
const pay = (amount: number, to: string, more: Partial<Call> = {}) =>
  world.broker.perform(callOf(agent.bearer, 'pay', { amount, to }, more), async () => {
    ran++
    return { isError: false, value: 'paid' }
  })

async function held(performed: ReturnType<typeof pay>): Promise<string> {
  const answer = await performed
  if (answer.kind !== 'held') throw new Error(answer.kind)
  return answer.approval.id
}

async function approve(id: string, ...people: PersonPrincipal[]) {
  const digest = (await world.approvals.find(id))?.digest ?? ''
  for (const person of people) await world.approvals.decide(id, person, { verdict: 'approve', digest })
}

test('a call runs once every ask has its quorum, and not before', async () => {
  ran = 0
  const id = await held(pay(5000, 'a'))
  expect((await world.approvals.find(id))?.asks).toMatchObject([
    { policy: 'p/large', group: 'security', quorum: 1 },
    { policy: 'p/money', group: 'finance', quorum: 2, escalate: 'cfo' },
  ])
  await approve(id, fred)
  expect((await pay(5000, 'a')).kind).toBe('held')
  await approve(id, sam)
  expect((await pay(5000, 'a')).kind).toBe('held')
  expect(ran).toBe(0)
  await approve(id, fay)
  const done = await pay(5000, 'a')
  expect([done.kind, ran]).toEqual(['done', 1])
  expect((await world.ledger.find(done.decision))?.body).toMatchObject({ effect: 'permit', approval: id })
  expect(await pay(5000, 'a', { approval: id })).toMatchObject({ kind: 'refused', fault: 'APPROVAL_SPENT' })
})

test('what the agent says of groups, quorums and people moves nothing', async () => {
  const claims = { group: 'cfo', quorum: 0, approvals: [{ by: [boss.id] }], to: '@approval("group:cfo quorum:1")' }
  const call = callOf(agent.bearer, 'pay', { amount: 1, ...claims }, { onBehalfOf: `${boss.id} group:cfo`, session: 'group:cfo' })
  const id = await held(world.broker.perform(call, async () => ({ isError: false, value: 'paid' })))
  expect((await world.approvals.find(id))?.asks).toMatchObject([{ group: 'finance', quorum: 2, escalated: false }])
  await expect(approve(id, boss)).rejects.toMatchObject({ code: 'FORBIDDEN' })
})

test('the votes on one call are none on another', async () => {
  const id = await held(pay(10, 'b'))
  await approve(id, fred, fay)
  expect(await pay(11, 'b', { approval: id })).toMatchObject({ kind: 'refused', fault: 'APPROVAL_MISMATCH' })
  expect((await pay(11, 'b')).kind).toBe('held')
})

test('after the deadline the next group decides, and the call runs', async () => {
  const id = await held(pay(10, 'c'))
  await approve(id, fred)
  world.clock.advance(5 * 60_000)
  await expect(approve(id, fay)).rejects.toMatchObject({ code: 'FORBIDDEN' })
  await approve(id, boss)
  expect((await pay(10, 'c')).kind).toBe('done')
})

test('what policy asks for only later has to be answered too: the call is asked about anew', async () => {
  ran = 0
  const more = { session: 'growing' }
  const id = await held(pay(10, 'e', more))
  await approve(id, fred, fay)
  await world.broker.perform(callOf(agent.bearer, 'look', {}, more), async () => ({ isError: false, value: 'seen' }))
  expect(await pay(10, 'e', { ...more, approval: id })).toMatchObject({ kind: 'refused', fault: 'APPROVAL_MISMATCH' })
  const again = await held(pay(10, 'e', more))
  expect(again).not.toBe(id)
  expect((await world.ledger.find(`${id}/expired`))?.body).toMatchObject({ was: 'outgrown' })
  await approve(again, fred, fay)
  expect((await pay(10, 'e', more)).kind).toBe('held')
  expect(ran).toBe(0)
  await approve(again, sam)
  expect([(await pay(10, 'e', more)).kind, ran]).toEqual(['done', 1])
})

test('a row that somebody set to approved is no approval: the call is refused, recorded, and does not run', async () => {
  ran = 0
  const id = await held(pay(10, 'd'))
  await approve(id, fred)
  await alterStore(world.home, "UPDATE approvals_request SET state = 'approved' WHERE id = ?", [id])
  const refused = await pay(10, 'd')
  expect(refused).toMatchObject({ kind: 'refused', fault: 'STORE_CORRUPT' })
  expect((await world.ledger.find(refused.decision))?.body).toMatchObject({ effect: 'deny', fault: 'STORE_CORRUPT', approval: id })
  expect(ran).toBe(0)
})
