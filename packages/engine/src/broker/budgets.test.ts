/** Budgets, risk and autonomy in the pipeline: real rooms, real store, and agents that try to get more than there is. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { declaredBudgets } from '@ephor/engine/policy'
import { callOf, openWorld } from '@ephor/testkit'
import type { World, WorldOptions } from '@ephor/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createBroker } from './create-broker.ts'
import type { Broker } from './create-broker.ts'
import type { Performed } from './types.ts'

const PERMIT = 'permit(principal, action, resource);'
const PAY = 'tools: { box/pay: { amount: { at: /amount, currency: EUR } } }\n'
const MONEY = `${PAY}budgets: { payments: { measure: money, currency: EUR, limit: 100, per: agent, period: day, covers: [money] } }\n`

const worlds: World[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close()
})

async function open(charter: string, policies = PERMIT, more: Partial<WorldOptions> = {}) {
  const world = await openWorld({ policies: { 'all.cedar': policies, 'charter.yaml': charter }, ...more })
  worlds.push(world)
  expect(world.policy.active()).toMatchObject({ refused: undefined })
  return world
}

const ok = async () => ({ isError: false, value: 'paid' })
type Caller = { bearer: string }
const pay = (broker: Broker, { bearer }: Caller, amount: unknown, more = {}) =>
  broker.perform(callOf(bearer, 'pay', { amount: amount as number }, more), ok)
const ended = (performed: Performed) => (performed.kind === 'refused' ? performed.fault : performed.kind)

describe('a budget of money', () => {
  let world: World
  beforeAll(async () => {
    world = await open(MONEY)
    worlds.pop()
  })
  afterAll(() => world.close())
  const usedBy = async (agent: string, of = world) => {
    const uses = await of.budgets.list({ budget: 'payments', unit: 'EUR', period: 'day' }, of.clock.now(), 100)
    return uses.find(({ subject }) => subject === agent)?.used
  }

  test('is not overspent by calls that come at once, through two brokers on one store', async () => {
    const agent = await world.agent()
    const settings = { timeoutMs: 5000, outcomeDeadlineMs: 60_000, approvalTtlMs: 900_000, approvalWaitMs: 20 }
    const replica = createBroker({ ...world, settings })
    const sessions = Array.from({ length: 40 }, (_, i) => `session-${i}`)
    const all = await Promise.all(sessions.map((session, i) => pay(i % 2 ? replica : world.broker, agent, 7, { session })))
    replica.close()
    expect(all.filter(({ kind }) => kind === 'done')).toHaveLength(14)
    expect(all.filter((one) => ended(one) === 'BUDGET_EXHAUSTED')).toHaveLength(26)
    // The ledger says the same as the counter.
    const bodies = await Promise.all(all.map(async ({ decision }) => (await world.ledger.find(decision))?.body))
    const taken = bodies.flatMap((body) => (body?.['budgets'] as { amount: number }[] | undefined) ?? [])
    expect(taken.reduce((sum, { amount }) => sum + amount, 0)).toBe(98)
    expect(await usedBy(agent.id)).toBe(98)
  })

  test('says which budget is used up, and when it frees, without the amount that the agent sent', async () => {
    const agent = await world.agent()
    await pay(world.broker, agent, 60)
    const refused = await pay(world.broker, agent, 4123)
    expect(refused).toMatchObject({ kind: 'refused', fault: 'BUDGET_EXHAUSTED' })
    expect(refused).toMatchObject({
      detail: expect.stringMatching(
        /^of the budget payments, 60 of 100 EUR \(minor units\) an agent a day are used.*; it frees at .*T00:00:00.000Z$/,
      ),
    })
    expect(JSON.stringify(refused)).not.toContain('4123')
    expect(ended(await pay(world.broker, agent, 40))).toBe('done')
    world.clock.advance(86_400_000)
    expect(ended(await pay(world.broker, agent, 100))).toBe('done')
    world.clock.advance(-86_400_000)
    expect(ended(await pay(world.broker, agent, 1))).toBe('BUDGET_EXHAUSTED')
  })

  test.each([
    ['negative', { amount: -50 }],
    ['absent', {}],
    ['fractional', { amount: 0.5 }],
    ['overflowing', { amount: 1e300 }],
    ['text', { amount: '10' }],
    ['inherited', { __proto__x: 1, constructor: 5 }],
  ])('does not let an amount that is %s through', async (_, input) => {
    const agent = await world.agent()
    let ran = 0
    const performed = await world.broker.perform(callOf(agent.bearer, 'pay', input), async () => {
      ran++
      return { isError: false, value: null }
    })
    expect([ended(performed), ran]).toEqual(['INPUT_INVALID', 0])
    expect(await usedBy(agent.id)).toBeUndefined()
  })

  test('refuses a currency that it cannot count, and a tool whose amount nobody declared', async () => {
    const either = MONEY.replace('currency: EUR }', 'currency: /to }')
    const world = await open(either)
    const agent = await world.agent()
    const inCurrency = (to: string) => world.broker.perform(callOf(agent.bearer, 'pay', { amount: 5, to }), ok)
    expect(ended(await inCurrency('eur'))).toBe('done')
    expect(ended(await inCurrency('USD'))).toBe('BUDGET_UNCOUNTABLE')
    expect(ended(await inCurrency('a lot of euros'))).toBe('INPUT_INVALID')
    const other = await open(MONEY.replace(PAY, ''))
    expect(other.policy.active().findings).toContainEqual(expect.objectContaining({ code: 'AMOUNT_UNDECLARED', severity: 'warning' }))
    expect(ended(await pay(other.broker, await other.agent(), 5))).toBe('BUDGET_UNCOUNTABLE')
  })

  test('is the same after a restart, and a changed limit holds at once', async () => {
    const world = await open(MONEY)
    const agent = await world.agent()
    await pay(world.broker, agent, 90)
    await world.close({ keep: true })
    worlds.pop()
    const again = await openWorld({ home: world.home })
    worlds.push(again)
    expect(ended(await pay(again.broker, agent, 11))).toBe('BUDGET_EXHAUSTED')
    writeFileSync(join(again.policyFolder, 'charter.yaml'), MONEY.replace('limit: 100', 'limit: 101'))
    await again.policy.reload()
    expect(ended(await pay(again.broker, agent, 11))).toBe('done')
    writeFileSync(join(again.policyFolder, 'charter.yaml'), MONEY.replace('limit: 100', 'limit: 50'))
    await again.policy.reload()
    expect(ended(await pay(again.broker, agent, 0))).toBe('BUDGET_EXHAUSTED')
  })

  test('does not use up the approval of a call that it refuses', async () => {
    const charter = `${MONEY}autonomy: { default: confirm-each }\n`
    const world = await open(charter)
    const agent = await world.agent()
    const approve = async (held: Performed) => {
      if (held.kind !== 'held') throw new Error(`not held: ${ended(held)}`)
      const { digest } = (await world.approvals.find(held.approval.id)) ?? { digest: '' }
      await world.approvals.decide(held.approval.id, world.person, { verdict: 'approve', digest })
      return { approval: held.approval.id }
    }
    const [first, second] = [await pay(world.broker, agent, 60), await pay(world.broker, agent, 50)]
    const [use, other] = [await approve(first), await approve(second)]
    expect(ended(await pay(world.broker, agent, 60, use))).toBe('done')
    expect(ended(await pay(world.broker, agent, 50, other))).toBe('BUDGET_EXHAUSTED')
    expect((await world.approvals.find(other.approval))?.state).toBe('approved')
    expect(await usedBy(agent.id, world)).toBe(60)
  })
})

describe('a budget that outcomes settle', () => {
  test('of bytes counts arguments and results', async () => {
    const world = await open('budgets: { volume: { measure: bytes, reserve: 1000, limit: 1500, per: session, period: hour } }')
    const agent = await world.agent()
    const look = (session: string) =>
      world.broker.perform(callOf(agent.bearer, 'look', {}, { session }), async () => ({ isError: false, value: 'x'.repeat(198) }))
    const done = await look('one')
    expect((await world.ledger.find(`${done.decision}/outcome`))?.body['settled']).toEqual([{ budget: 'volume', amount: -800 }])
    expect(ended(await look('one'))).toBe('done')
    // 404 are used: the reserve of a third call fits, that of two more at once does not.
    expect((await Promise.all([look('one'), look('one')])).map(ended).toSorted()).toEqual(['BUDGET_EXHAUSTED', 'done'])
  })

  test('of tokens believes what is reported, once, and keeps the reserve of who says nothing', async () => {
    const world = await open('budgets: { talk: { measure: tokens, reserve: 100, limit: 1000, per: agent, period: day } }')
    const agent = await world.agent()
    const used = async () => (await world.budgets.list({ budget: 'talk', unit: 'tokens', period: 'day' }, world.clock.now(), 1))[0]?.used
    const ask = () => world.broker.ask(callOf(agent.bearer, 'look', {}, { door: 'api' }))
    const first = await ask()
    await world.broker.report(agent.principal, first.decision, { status: 'succeeded', tokens: 640 })
    expect(await used()).toBe(640)
    await expect(world.broker.report(agent.principal, first.decision, { status: 'succeeded', tokens: 0 })).rejects.toMatchObject({
      code: 'OUTCOME_DECIDED',
    })
    await world.broker.report(agent.principal, (await ask()).decision, { status: 'failed', result: 'no' })
    expect(await used()).toBe(740)
  })

  test('takes nothing from a call that no budget covers', async () => {
    const world = await open(MONEY)
    const agent = await world.agent()
    const done = await world.broker.perform(callOf(agent.bearer, 'look'), ok)
    expect((await world.ledger.find(done.decision))?.body).not.toHaveProperty('budgets')
    expect(await world.broker.show(done.decision, world.person)).toMatchObject({ spends: [] })
  })
})

test('the counters can be made again from the ledger alone', async () => {
  const tokens = 'talk: { measure: tokens, reserve: 100, limit: 100000, per: person, period: week }'
  const volume = 'volume: { measure: bytes, reserve: 500, limit: 100000, per: session, period: hour }'
  const world = await open(`${MONEY.trimEnd().replace(/ }$/, '')}, ${tokens}, ${volume} }\n`)
  const agents = [await world.agent('one'), await world.agent('two')]
  await Promise.all(
    [5, 60, 50, 7].flatMap((amount) => agents.map((agent) => pay(world.broker, agent, amount, { session: `s${amount % 2}` }))),
  )
  const asked = await world.broker.ask(callOf(agents[0]?.bearer ?? '', 'look', {}, { door: 'api' }))
  if (agents[0]) await world.broker.report(agents[0].principal, asked.decision, { status: 'succeeded', result: 'x', tokens: 7 })
  const made = new Map<string, number>()
  const keys = new Map<unknown, string[]>()
  for (const { body } of await world.ledger.list({ limit: 1000 })) {
    for (const { budget, subject, amount } of (body['budgets'] as { budget: string; subject: string; amount: number }[] | undefined) ??
      []) {
      const key = `${budget} ${subject}`
      made.set(key, (made.get(key) ?? 0) + amount)
      keys.set(body['id'], [...(keys.get(body['id']) ?? []), key])
    }
    for (const { budget, amount } of (body['settled'] as { budget: string; amount: number }[] | undefined) ?? []) {
      const key = keys.get(body['decision'])?.find((one) => one.startsWith(`${budget} `)) ?? ''
      made.set(key, (made.get(key) ?? 0) + amount)
    }
  }
  const stored = await Promise.all(
    declaredBudgets(world.policy.charter()).map(async (terms) => {
      const uses = await world.budgets.list(terms, world.clock.now(), 100)
      return uses.map(({ subject, used }) => [`${terms.budget} ${subject}`, used] as const)
    }),
  )
  expect(new Map(stored.flat())).toEqual(made)
  expect(made.size).toBe(2 + 2 + 4)
})

describe('policies see', () => {
  test('what is left of a budget', async () => {
    const forbid = `${PERMIT}\n@reason("Keep a reserve.")\nforbid(principal, action in Action::"money", resource) when { context.budget has payments && context.budget.payments.left < 50 };`
    const world = await open(MONEY, forbid)
    const agent = await world.agent()
    expect([ended(await pay(world.broker, agent, 60)), ended(await pay(world.broker, agent, 1))]).toEqual(['done', 'POLICY_DENIED'])
  })

  test('how risky a call is, and the record shows the sum', async () => {
    const hold = `${PERMIT}\n@approval("")\nforbid(principal, action, resource) when { context.risk.tier == "critical" };`
    const world = await open(`${PAY}risk: { class: { critical: 0, high: 0 }, amount: { EUR: [{ from: 1000, points: 40 }] } }\n`, hold)
    const agent = await world.agent()
    const small = await pay(world.broker, agent, 999)
    const large = await pay(world.broker, agent, 1000)
    expect([small, large].map(ended)).toEqual(['done', 'held'])
    const [before, after] = await Promise.all([small, large].map(async ({ decision }) => (await world.ledger.find(decision))?.body['risk']))
    expect(before).toMatchObject({
      parts: expect.arrayContaining([
        { term: 'kind:money', points: 30 },
        { term: 'novel', points: 10 },
      ]),
    })
    expect(after).toMatchObject({ tier: 'critical', parts: expect.arrayContaining([{ term: 'amount:EUR', points: 40 }]) })
    // The first call was permitted: the tool is not new to the agent any more.
    expect(JSON.stringify(after)).not.toContain('novel')
    const shown = await world.broker.show(large.decision, world.person)
    expect(shown?.riskScore?.parts).toContainEqual({ term: 'amount:EUR', points: 40, because: 'its amount reaches the band from 1000 EUR' })
  })

  test('that a tool is new to an agent until it was permitted, also after a restart', async () => {
    const world = await open('', `${PERMIT}\nforbid(principal, action == Action::"box/wipe", resource);`)
    const agent = await world.agent()
    const isNovel = async (of: World, name: string) => {
      const { decision } = await of.broker.perform(callOf(agent.bearer, name), ok)
      return JSON.stringify((await of.ledger.find(decision))?.body['risk']).includes('novel')
    }
    expect([await isNovel(world, 'note'), await isNovel(world, 'note')]).toEqual([true, false])
    expect([await isNovel(world, 'wipe'), await isNovel(world, 'wipe')]).toEqual([true, true])
    await world.close({ keep: true })
    worlds.pop()
    const again = await openWorld({ home: world.home })
    worlds.push(again)
    expect([await isNovel(again, 'note'), await isNovel(again, 'look')]).toEqual([false, true])
  })
})

test('an observer reads, and nothing else of it runs, whatever the policies permit', async () => {
  const world = await open('autonomy: { default: observe }')
  const agent = await world.agent()
  const results = await Promise.all(['look', 'note', 'wipe', 'pay'].map((name) => world.broker.perform(callOf(agent.bearer, name), ok)))
  expect(results.map(ended)).toEqual(['done', 'POLICY_DENIED', 'POLICY_DENIED', 'POLICY_DENIED'])
})
