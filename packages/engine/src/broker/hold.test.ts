/** Held calls: an approval is for one exact call, serves once, and is never a bearer grant. */
import { callOf, openWorld } from '@ephor/testkit'
import type { World } from '@ephor/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Call, Performed } from './types.ts'

let world: World
let agent: Awaited<ReturnType<World['agent']>>
beforeAll(async () => {
  world = await openWorld()
  agent = await world.agent()
})
afterAll(() => world.close())

let ran: string[] = []
const perform = (name: string, input: object, more: Partial<Call> = {}, bearer = agent.bearer) =>
  world.broker.perform(callOf(bearer, name, input as Call['input'], more), async ({ decision }) => {
    ran.push(decision)
    return { isError: false, value: 'done' }
  })

async function heldBy(performed: Promise<Performed>): Promise<string> {
  const held = await performed
  expect(held.kind).toBe('held')
  return held.kind === 'held' ? held.approval.id : ''
}

async function decide(id: string, verdict: 'approve' | 'deny', note?: string) {
  const approval = await world.approvals.find(id)
  return world.approvals.decide(id, world.person, { verdict, digest: approval?.digest ?? '', ...(note === undefined ? {} : { note }) })
}

test('a destructive call is held with a handle, does not run, and is recorded as held', async () => {
  ran = []
  const held = await perform('wipe', { what: 'a' })
  expect(held).toMatchObject({ kind: 'held', reasons: [expect.objectContaining({ text: expect.stringMatching(/\w/) })] })
  expect((await world.ledger.find(held.decision))?.body).toMatchObject({ effect: 'hold', tool: { name: 'wipe' } })
  expect(ran).toEqual([])
})

test('the same call asked twice waits for the same approval', async () => {
  const id = await heldBy(perform('wipe', { what: 'twice' }))
  expect(await heldBy(perform('wipe', { what: 'twice' }))).toBe(id)
  const both = await Promise.all([heldBy(perform('wipe', { what: 'at once' })), heldBy(perform('wipe', { what: 'at once' }))])
  expect(both[0]).toBe(both[1])
})

test('after approval the same call runs once; the next one is held anew', async () => {
  ran = []
  const id = await heldBy(perform('wipe', { what: 'b' }))
  await decide(id, 'approve')
  const done = await perform('wipe', { what: 'b' }, { approval: id })
  expect(done.kind).toBe('done')
  expect((await world.ledger.find(done.decision))?.body).toMatchObject({ effect: 'permit', approval: id })
  expect(await perform('wipe', { what: 'b' }, { approval: id })).toMatchObject({ kind: 'refused', fault: 'APPROVAL_SPENT' })
  expect(await heldBy(perform('wipe', { what: 'b' }))).not.toBe(id)
  expect(ran).toHaveLength(1)
})

test('of many retries at once, exactly one runs', async () => {
  ran = []
  const id = await heldBy(perform('wipe', { what: 'race' }))
  await decide(id, 'approve')
  const results = await Promise.all(Array.from({ length: 12 }, () => perform('wipe', { what: 'race' }, { approval: id })))
  expect(results.filter(({ kind }) => kind === 'done')).toHaveLength(1)
  expect(results.filter((result) => result.kind === 'refused' && result.fault === 'APPROVAL_SPENT')).toHaveLength(11)
  expect(ran).toHaveLength(1)
  for (const { decision } of results) expect(await world.ledger.find(decision)).toBeDefined()
})

test.each([
  ['other arguments', 'wipe', { what: 'everything' }],
  ['another tool', 'pay', { amount: 1, to: 'x' }],
])('an approval opens nothing for %s', async (_, name, input) => {
  ran = []
  const id = await heldBy(perform('wipe', { what: `bound ${name}` }))
  await decide(id, 'approve')
  expect(await perform(name, input, { approval: id })).toMatchObject({ kind: 'refused', fault: 'APPROVAL_MISMATCH' })
  expect(ran).toEqual([])
})

test('an approval stolen by another agent opens nothing', async () => {
  const id = await heldBy(perform('wipe', { what: 'stolen' }))
  await decide(id, 'approve')
  const thief = await world.agent('thief')
  expect(await perform('wipe', { what: 'stolen' }, { approval: id }, thief.bearer)).toMatchObject({ fault: 'APPROVAL_MISMATCH' })
})

test('a denied call stays denied, with the reason that the person gave', async () => {
  const id = await heldBy(perform('wipe', { what: 'no' }))
  await decide(id, 'deny', 'not before the audit')
  expect(await perform('wipe', { what: 'no' }, { approval: id })).toMatchObject({
    kind: 'refused',
    fault: 'APPROVAL_DENIED',
    detail: expect.stringContaining('not before the audit'),
  })
})

test('an approval that nobody used in time is worth nothing', async () => {
  const id = await heldBy(perform('wipe', { what: 'late' }))
  await decide(id, 'approve')
  world.clock.advance(3_600_000)
  expect(await perform('wipe', { what: 'late' }, { approval: id })).toMatchObject({ kind: 'refused', fault: 'APPROVAL_EXPIRED' })
})

test('a handle that nobody gave out is refused', async () => {
  expect(await perform('wipe', { what: 'x' }, { approval: 'apr_00000000000000000000000000' })).toMatchObject({ fault: 'APPROVAL_UNKNOWN' })
})

test('a retry waits for the decision of the person', async () => {
  const patient = await openWorld({ settings: { approvalWaitMs: 5000 } })
  const caller = await patient.agent()
  const call = () =>
    patient.broker.perform(callOf(caller.bearer, 'wipe', { what: 'wait' }), async () => ({ isError: false, value: 'done' }))
  const held = await call()
  if (held.kind !== 'held') throw new Error(held.kind)
  const retry = call()
  const approval = await patient.approvals.find(held.approval.id)
  await patient.approvals.decide(held.approval.id, patient.person, { verdict: 'approve', digest: approval?.digest ?? '' })
  expect((await retry).kind).toBe('done')
  await patient.close()
})

test('an approval does not survive a change of policy', async () => {
  const other = await openWorld({
    policies: {
      'p.cedar':
        '@reason("r")\npermit (principal, action, resource);\n@reason("ask")\n@approval("deadline:10m")\nforbid (principal, action in Action::"destructive", resource);\n',
    },
  })
  const caller = await other.agent()
  const call = (approval?: string) =>
    other.broker.perform(callOf(caller.bearer, 'wipe', { what: 'p' }, approval === undefined ? {} : { approval }), async () => ({
      isError: false,
      value: 'done',
    }))
  const held = await call()
  if (held.kind !== 'held') throw new Error(held.kind)
  const approval = await other.approvals.find(held.approval.id)
  await other.approvals.decide(held.approval.id, other.person, { verdict: 'approve', digest: approval?.digest ?? '' })
  const { writeFileSync } = await import('node:fs')
  const before = other.policy.version()
  writeFileSync(`${other.policyFolder}/q.cedar`, '@reason("frozen")\nforbid (principal, action in Action::"money", resource);\n')
  await expect.poll(() => other.policy.version(), { timeout: 15_000 }).not.toBe(before)
  expect(await call(held.approval.id)).toMatchObject({ kind: 'refused', fault: 'APPROVAL_MISMATCH' })
  await other.close()
})

test('a held call survives a restart, and is finished through the same pipeline', async () => {
  const first = await openWorld()
  const caller = await first.agent()
  const call = (at: World) =>
    at.broker.perform(callOf(caller.bearer, 'wipe', { what: 'restart' }), async () => ({ isError: false, value: 'done' }))
  const held = await call(first)
  if (held.kind !== 'held') throw new Error(held.kind)
  await first.close({ keep: true })
  const second = await openWorld({ home: first.home })
  const approval = await second.approvals.find(held.approval.id)
  expect(approval?.state).toBe('pending')
  await second.approvals.decide(held.approval.id, second.person, { verdict: 'approve', digest: approval?.digest ?? '' })
  expect((await call(second)).kind).toBe('done')
  await second.close()
})
