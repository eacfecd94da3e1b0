/** What other enforcement points ask: recorded before it is answered, held once, approved once, and late only within bounds. */
import { Fault } from '@ephor/contract'
import { openWorld } from '@ephor/testkit'
import type { World } from '@ephor/testkit'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Decision } from '@ephor/engine/policy'
import type { AccessRequest } from './index.ts'

let world: World
let asker: Awaited<ReturnType<World['agent']>>
/** Each test asks about a record of its own. */
let resource = 0
beforeAll(async () => {
  world = await openWorld()
  asker = await world.agent('gateway')
})
beforeEach(() => void resource++)
afterAll(() => world.close())

const pins = { version: 'sha256:aa', world: undefined, reasons: [] }
const permit: Decision = { ...pins, effect: 'permit', obligations: [] }
const hold: Decision = { ...pins, effect: 'hold', obligations: [], asks: [{ policy: 'ask', reason: 'why', quorum: 1 }] }

const request = (more: Partial<AccessRequest> = {}): AccessRequest => ({
  door: 'authzen',
  enforcementPoint: asker.principal,
  application: 'records',
  action: 'export',
  question: { subject: 'alice', resource: `record-${resource}` },
  decide: () => permit,
  deadlineMs: 60_000,
  ...more,
})
const ask = (more?: Partial<AccessRequest>) => world.broker.judgeAccess(request(more))
const untilApproved: AccessRequest['decide'] = (approvals) => (approvals.some(({ by }) => by.length > 0) ? permit : hold)

async function heldBy(asked: ReturnType<typeof ask>): Promise<string> {
  const judged = await asked
  if (judged.kind !== 'held') throw new Error(`it is ${judged.kind}`)
  return judged.approval.id
}

async function approve(id: string) {
  const approval = await world.approvals.find(id)
  await world.approvals.decide(id, world.person, { verdict: 'approve', digest: approval?.digest ?? '' })
}

/** From now on each write waits until all are let go on. */
function holdWrites() {
  const { store } = world
  const commit = store.commit.bind(store)
  const waiting: (() => void)[] = []
  store.commit = (unit) => new Promise<void>((resolve) => waiting.push(resolve)).then(() => commit(unit))
  return {
    waiting,
    letGo: () => {
      store.commit = commit
      for (const go of waiting.splice(0)) go()
    },
  }
}

const decisionsOf = async () => (await world.broker.list({ limit: 100 })).filter(({ door }) => door === 'authzen')

test('an answer is given when its record is durable, and not before', async () => {
  const { waiting, letGo } = holdWrites()
  let isAnswered = false
  const asked = ask().finally(() => (isAnswered = true))
  await expect.poll(() => waiting.length).toBe(1)
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(isAnswered).toBe(false)
  letGo()
  const { kind, decision, receipt } = await asked
  const entry = await world.ledger.find(decision)
  expect([kind, entry?.seq, entry?.body]).toEqual([
    'permitted',
    receipt?.seq,
    expect.objectContaining({ effect: 'permit', door: 'authzen' }),
  ])
  expect(await world.ledger.payload(entry?.seq ?? -1, 'input')).toMatchObject({ input: { subject: 'alice' } })
})

test('what can’t be recorded is not permitted', async () => {
  const before = await decisionsOf()
  const commit = world.store.commit.bind(world.store)
  world.store.commit = () => Promise.reject(new Fault('STORE_UNAVAILABLE', 'the disk is full'))
  await expect(ask()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  world.store.commit = commit
  expect(await decisionsOf()).toEqual(before)
})

test('the same question twice at once opens one approval', async () => {
  const asked = () => heldBy(ask({ decide: () => hold, action: 'twice' }))
  const both = await Promise.all([asked(), asked()])
  expect(both[0]).toBe(both[1])
  expect((await world.approvals.list({ limit: 10 })).items.filter(({ tool }) => tool === 'twice')).toHaveLength(1)
})

test('an approval that is used many times at once permits once', async () => {
  const approval = await heldBy(ask({ decide: untilApproved }))
  await approve(approval)
  const all = await Promise.all(Array.from({ length: 6 }, () => ask({ decide: untilApproved, approval })))
  expect(all.filter(({ kind }) => kind === 'permitted')).toHaveLength(1)
  expect(all.filter((one) => one.kind === 'refused' && one.fault === 'APPROVAL_SPENT')).toHaveLength(5)
})

test('an approval opens nothing for another question or another enforcement point', async () => {
  const approval = await heldBy(ask({ decide: untilApproved }))
  await approve(approval)
  const other = await world.agent('other')
  for (const more of [{ question: { subject: 'mallory' } }, { action: 'delete' }, { enforcementPoint: other.principal }])
    expect(await ask({ decide: untilApproved, approval, ...more })).toMatchObject({ kind: 'refused', fault: 'APPROVAL_MISMATCH' })
  expect(await ask({ decide: untilApproved, approval })).toMatchObject({ kind: 'permitted' })
})

test('a permit that would take of a budget is refused, also after an approval, which then stays unused', async () => {
  const charges = [{ budget: 'day', per: 'agent', period: 'day', unit: 'calls', limit: 5, amount: 1 }] as const
  const charged: Decision = { ...permit, charges }
  const refused = { kind: 'refused', fault: 'BUDGET_UNCOUNTABLE', detail: expect.stringContaining('budget day') }
  const first = await ask({ decide: () => charged })
  expect(first).toMatchObject(refused)
  expect((await world.ledger.find(first.decision))?.body).toMatchObject({ effect: 'deny', fault: 'BUDGET_UNCOUNTABLE' })
  const decide: AccessRequest['decide'] = (approvals) => (approvals.length > 0 ? charged : hold)
  const approval = await heldBy(ask({ decide, action: 'delete' }))
  await approve(approval)
  expect(await ask({ decide, action: 'delete', approval })).toMatchObject(refused)
  expect((await world.approvals.find(approval))?.state).toBe('approved')
})

test('an answer before its record says so in the record, and waits once an earlier one is late', async () => {
  const { waiting, letGo } = holdWrites()
  expect(await ask({ delayedMs: 200 })).toMatchObject({ kind: 'permitted', receipt: undefined })
  world.clock.advance(200)
  let isAnswered = false
  const late = ask({ delayedMs: 200 }).finally(() => (isAnswered = true))
  await expect.poll(() => waiting.length).toBe(2)
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(isAnswered).toBe(false)
  letGo()
  expect((await late).receipt?.seq).toBeGreaterThan(0)
  for (const { id } of (await decisionsOf()).slice(0, 2))
    expect((await world.ledger.find(id))?.body).toMatchObject({ durability: { withinMs: 200 } })
})

test('of answers before their record, no more than 1000 are ever without one', async () => {
  const { waiting, letGo } = holdWrites()
  for (let i = 0; i < 1000; i++) expect((await ask({ delayedMs: 600_000 })).receipt).toBeUndefined()
  let isAnswered = false
  const next = ask({ delayedMs: 600_000 }).finally(() => (isAnswered = true))
  await expect.poll(() => waiting.length).toBe(1001)
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(isAnswered).toBe(false)
  letGo()
  expect((await next).receipt).toBeDefined()
})

test('a store that fails once makes the next answers wait and fail, until it writes again', async () => {
  const commit = world.store.commit.bind(world.store)
  world.store.commit = () => Promise.reject(new Fault('STORE_UNAVAILABLE', 'the disk is full'))
  expect(await ask({ delayedMs: 60_000 })).toMatchObject({ kind: 'permitted', receipt: undefined })
  // The failure is known a moment after the answer that it came from.
  await expect.poll(() => ask({ delayedMs: 60_000 }).catch((error: Fault) => error.code)).toBe('STORE_UNAVAILABLE')
  await expect(ask({ delayedMs: 60_000 })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  world.store.commit = commit
  expect((await ask({ delayedMs: 60_000 })).receipt).toBeDefined()
  expect((await ask({ delayedMs: 60_000 })).receipt).toBeUndefined()
})

test('nothing that waits for people, or was approved by them, is answered before its record', async () => {
  const held = await ask({ decide: untilApproved, delayedMs: 60_000 })
  expect([held.kind, held.receipt]).toEqual(['held', expect.anything()])
  const approval = held.kind === 'held' ? held.approval.id : ''
  await approve(approval)
  expect((await ask({ decide: untilApproved, approval, delayedMs: 60_000 })).receipt).toBeDefined()
})

test('recovery leaves these decisions alone: nobody reports what came of them', async () => {
  const { decision } = await ask()
  await world.broker.drain(1000)
  await world.close({ keep: true })
  world = await openWorld({ home: world.home })
  world.clock.advance(7 * 24 * 3_600_000)
  expect(await world.broker.recover()).toBe(0)
  expect(await world.ledger.find(`${decision}/outcome`)).toBeUndefined()
  expect((await decisionsOf()).find(({ id }) => id === decision)?.outcome).toBeUndefined()
})
