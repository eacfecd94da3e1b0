/** How effects combine: permits, hard and soft forbids, approvals, obligations, errors. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openGoodRoom, openRoom, requestOf, world } from './policy.fixture.ts'
import type { Policy } from './open-policy.ts'

const PACK = `
@id("reads") @reason("Reads are fine.") @obligation("limit:60/minute; timeout:30s")
permit (principal is Agent, action in Action::"read", resource);

@id("ada") @reason("Ada reads slowly.") @obligation("limit:10/minute;limit:100/hour")
permit (principal == Agent::"agt_1", action == Action::"fs/read", resource);

@id("secret") @reason("Secrets stay secret.")
forbid (principal, action in Action::"tools/call", resource)
when { context.input has path && context.input.path like "/srv/secret*" };

@id("risky") @reason("Permitted with consent.")
permit (principal is Agent, action in [Action::"destructive", Action::"external", Action::"money"], resource);

@id("ask-high") @reason("High risk needs a person.") @approval("deadline:15m group:ops")
forbid (principal, action in [Action::"risk:high", Action::"risk:critical"], resource);

@id("ask-money") @reason("Money needs finance.") @approval("group:finance")
forbid (principal, action in Action::"money", resource);

@id("overflow") @reason("Never reached.")
forbid (principal, action == Action::"fs/write", resource)
when { context.input has force && 9223372036854775807 + 1 > 0 };

@id("write") @reason("Writes are fine.")
permit (principal is Agent, action == Action::"fs/write", resource == ToolServer::"fs");

@id("sampling") @reason("The mail server may ask.")
permit (principal == ToolServer::"mail", action == Action::"sampling/createMessage", resource);

@id("agreed") @reason("Said by a person.")
permit (principal, action == Action::"mail/send", resource) when { context.approvals.contains("pack/ask-high") };
`

let room: Awaited<ReturnType<typeof openRoom>>
let policy: Policy
beforeAll(async () => {
  room = await openGoodRoom({ 'pack.cedar': PACK })
  policy = room.policy
})
afterAll(() => room.close())

const approved = (...policies: string[]) => [{ id: 'apr_1', by: ['per_1'], policies }]

test('a permit carries its reasons and the strictest of each obligation', async () => {
  const decision = await policy.decide(requestOf('fs/read', { path: '/srv/a' }))
  expect(decision).toMatchObject({
    effect: 'permit',
    version: policy.version(),
    reasons: [
      { policy: 'pack/ada', text: 'Ada reads slowly.' },
      { policy: 'pack/reads', text: 'Reads are fine.' },
    ],
    obligations: [
      { kind: 'timeout', ms: 30_000, policy: 'pack/reads' },
      { kind: 'limit', count: 10, per: 'minute', policy: 'pack/ada' },
      { kind: 'limit', count: 100, per: 'hour', policy: 'pack/ada' },
    ],
  })
})

test('a hard forbid denies whatever permits, also the second time', async () => {
  for (let i = 0; i < 2; i++) {
    expect(await policy.decide(requestOf('fs/read', { path: '/srv/secret/key' }))).toMatchObject({
      effect: 'deny',
      fault: 'POLICY_DENIED',
      detail: 'Secrets stay secret.',
      reasons: [{ policy: 'pack/secret', text: 'Secrets stay secret.' }],
    })
  }
})

test('what no policy permits is denied', async () => {
  const request = { ...requestOf('sampling/createMessage'), principal: { type: 'ToolServer', id: 'fs' } } as const
  expect(await policy.decide(request)).toMatchObject({ effect: 'deny', fault: 'POLICY_NO_PERMIT', reasons: [] })
  expect(await policy.decide({ ...request, principal: { type: 'ToolServer', id: 'mail' }, server: 'mail' })).toMatchObject({
    effect: 'permit',
  })
})

test('a call that only soft forbids stand against is held with all that they ask', async () => {
  expect(await policy.decide(requestOf('mail/pay', { amount: 5 }))).toMatchObject({
    effect: 'hold',
    asks: [
      { policy: 'pack/ask-high', reason: 'High risk needs a person.', deadlineMs: 900_000, group: 'ops', quorum: 1 },
      { policy: 'pack/ask-money', reason: 'Money needs finance.', group: 'finance', quorum: 1 },
    ],
  })
})

test('an approval answers the asks that it names, and no others', async () => {
  const pay = (approvals: Parameters<typeof requestOf>[2]) => policy.decide(requestOf('mail/pay', { amount: 5 }, approvals))
  expect(await pay({ approvals: approved('pack/ask-high') })).toMatchObject({ effect: 'hold', asks: [{ policy: 'pack/ask-money' }] })
  expect(await pay({ approvals: approved('pack/ask-high', 'pack/ask-money') })).toMatchObject({ effect: 'permit' })
  expect(await pay({ approvals: [{ id: 'apr_1', by: [], policies: ['pack/ask-high', 'pack/ask-money'] }] })).toMatchObject({
    effect: 'hold',
  })
})

test('an approval lifts no hard forbid, even one that it names', async () => {
  const facts = { approvals: approved('pack/secret', 'pack/ask-high') }
  expect(await policy.decide(requestOf('fs/remove', { path: '/srv/secret' }, facts))).toMatchObject({
    effect: 'deny',
    fault: 'POLICY_DENIED',
  })
})

test('policies see the approvals that were given', async () => {
  const reasons = async (approvals: ReturnType<typeof approved>) => {
    const decision = await policy.decide(requestOf('mail/send', { to: 'a' }, { approvals }))
    return decision.effect === 'permit' ? decision.reasons.map((reason) => reason.policy) : decision
  }
  expect(await reasons([])).toEqual(['pack/risky'])
  expect(await reasons(approved('pack/ask-high'))).toEqual(['pack/agreed', 'pack/risky'])
})

test('a forbid that cannot be evaluated denies, and says which it was without any value', async () => {
  expect(await policy.decide(requestOf('fs/write', { path: '/srv/a' }))).toMatchObject({ effect: 'permit' })
  for (let i = 0; i < 2; i++) {
    const decision = await policy.decide(requestOf('fs/write', { path: '/srv/a', force: true }))
    expect(decision).toMatchObject({ effect: 'deny', fault: 'POLICY_ERROR', reasons: [{ policy: 'pack/overflow' }] })
  }
  expect(room.lines.join('')).toContain('OVERFLOW')
  expect(room.lines.join('')).not.toContain('9223372036854775807')
})

test('who, what and where have to exist and belong together', async () => {
  const read = requestOf('fs/read')
  expect(await policy.decide({ ...read, principal: { type: 'Agent', id: 'agt_3' } })).toMatchObject({ fault: 'AGENT_UNKNOWN' })
  expect(await policy.decide({ ...read, server: 'nope' })).toMatchObject({ fault: 'SERVER_UNKNOWN' })
  expect(await policy.decide({ ...read, server: 'mail' })).toMatchObject({ fault: 'TOOL_UNKNOWN' })
  expect(await policy.decide({ ...read, action: 'fs/nope' })).toMatchObject({ fault: 'TOOL_UNKNOWN' })
  expect(await policy.decide({ ...read, action: 'read' })).toMatchObject({ fault: 'TOOL_UNKNOWN' })
  expect(await policy.decide({ ...read, principal: { type: 'ToolServer', id: 'fs' } })).toMatchObject({ fault: 'POLICY_NO_PERMIT' })
})

test('what could never be permitted is known without asking', () => {
  const ada = { type: 'Agent', id: 'agt_1' } as const
  expect(policy.couldPermit(ada, 'fs/read', 'fs')).toBe(true)
  expect(policy.couldPermit(ada, 'mail/pay', 'mail')).toBe(true)
  expect(policy.couldPermit(ada, 'fs/write', 'fs')).toBe(true)
  expect(policy.couldPermit({ type: 'ToolServer', id: 'fs' }, 'sampling/createMessage', 'fs')).toBe(false)
  expect(policy.couldPermit(ada, 'fs/nope', 'fs')).toBe(false)
})

test('an unconditional hard forbid takes a tool from sight', async () => {
  const text = `permit (principal, action, resource); forbid (principal, action == Action::"fs/write", resource);`
  const other = await openRoom({ 'a.cedar': text })
  const ada = { type: 'Agent', id: 'agt_1' } as const
  expect(other.policy.couldPermit(ada, 'fs/write', 'fs')).toBe(false)
  expect(other.policy.couldPermit(ada, 'fs/read', 'fs')).toBe(true)
  await other.close()
})

test('a tool that takes the name of an action of the protocol is refused', async () => {
  const tools = [...world.tools, { ...world.tools[2]!, server: 'resources', name: 'read' }]
  const other = await openRoom(
    { 'a.cedar': 'permit (principal, action in Action::"read", resource);' },
    { world: { ...world, servers: [...world.servers, { name: 'resources', folders: [] }], tools } },
  )
  expect((await other.policy.schema()).leftOut).toContainEqual(expect.objectContaining({ where: 'resources/read' }))
  const request = { ...requestOf('resources/read'), server: 'resources' }
  // It is the protocol's own action that answers: reading a resource of that server.
  expect(await other.policy.decide(request)).toMatchObject({ effect: 'permit' })
  await other.close()
})
