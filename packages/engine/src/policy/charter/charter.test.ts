/** The charter's arithmetic and modes: what they may do to a decision, and what no charter can. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Autonomy, Decision, GivenApproval, RiskScore } from '../types.ts'
import { world } from '../policy.fixture.ts'
import { chargesOf } from './charges.ts'
import { Charter, defaultCharter } from './charter.ts'
import { checkCharter, reviewOverdue } from './check-charter.ts'
import { readAmount } from './read-amount.ts'
import { assess } from './assess.ts'
import type { Assessment } from './assess.ts'
import { modeOf } from './mode.ts'
import { restrict as restrictWith } from './restrict.ts'
import { scoreRisk } from './score-risk.ts'
import type { RiskFacts } from './score-risk.ts'

const plain: RiskFacts = {
  kind: 'read',
  class: 'low',
  dataCategories: [],
  amount: undefined,
  novel: false,
  standing: undefined,
  labels: [],
}
const actor = { agent: 'agt_1', groups: ['finance'], actions: new Set(['mail/pay', 'money', 'risk:critical', 'tools/call']) }

describe('risk', () => {
  test('is a sum that is shown', () => {
    const facts: RiskFacts = { ...plain, kind: 'money', class: 'high', dataCategories: ['personal'], novel: true, standing: 'watched' }
    const { score, tier, parts } = scoreRisk(defaultCharter, facts)
    expect(parts.map(({ term, points }) => [term, points])).toEqual([
      ['kind:money', 30],
      ['class:high', 25],
      ['data:personal', 15],
      ['novel', 10],
      ['standing:watched', 25],
    ])
    expect({ score, tier }).toEqual({ score: 105, tier: 'critical' })
  })

  test('of a plain read is nothing, and low', () => {
    expect(scoreRisk(defaultCharter, plain)).toEqual({ score: 0, tier: 'low', parts: [] })
  })

  test('of a tier begins at its threshold', () => {
    const tierAt = (novel: number) => scoreRisk(Charter.parse({ risk: { novel } }), { ...plain, novel: true }).tier
    expect([19, 20, 44, 45, 69, 70].map(tierAt)).toEqual(['low', 'medium', 'medium', 'high', 'high', 'critical'])
  })

  test('counts the highest band that an amount reaches', () => {
    const charter = Charter.parse({
      risk: {
        amount: {
          EUR: [
            { from: 100, points: 7 },
            { from: 0, points: 1 },
            { from: 5000, points: 60 },
          ],
        },
      },
    })
    const pointsOf = (value: number, currency = 'EUR') => scoreRisk(charter, { ...plain, amount: { value, currency } }).score
    expect([0, 99, 100, 4999, 5000].map((value) => pointsOf(value))).toEqual([1, 1, 7, 7, 60])
    // The agent chooses the currency: one that the charter forgot is not the cheap way.
    expect(pointsOf(1, 'USD')).toBe(60)
  })

  test('takes no name into the record that the charter does not know', () => {
    const { parts } = scoreRisk(defaultCharter, {
      ...plain,
      dataCategories: ['Jane Doe', '__proto__', 'constructor'],
      labels: ['toString', 'Jane'],
    })
    expect(parts).toEqual([{ term: 'data:other', points: 10, because: 'it touches other data' }])
  })
})

describe('an amount', () => {
  const at = (value: unknown, decimals = 0) => readAmount({ at: '/a', currency: 'EUR', decimals }, { a: value } as never)

  test('is read exactly', () => {
    expect(at(1250)).toEqual({ value: 1250, currency: 'EUR' })
    expect(at(0.29, 2)).toEqual({ value: 29, currency: 'EUR' })
    expect(at('12.50', 2)).toEqual({ value: 1250, currency: 'EUR' })
    expect(at(12, 2)).toEqual({ value: 1200, currency: 'EUR' })
    expect(at('12.500', 2)).toEqual({ value: 1250, currency: 'EUR' })
  })

  test('that is negative, absent, overflowing or no plain number is refused', () => {
    const hostile = [
      -1,
      -0.5,
      '-1',
      undefined,
      null,
      [],
      [5],
      { valueOf: 5 },
      true,
      Number.NaN,
      Infinity,
      1e21,
      '1e3',
      '0x10',
      ' 5',
      '5 ',
      '+5',
      '',
      '1,000',
    ]
    for (const value of [...hostile, '٥', '9007199254740992', '99999999999999999999', 1.5, '0.001'])
      expect(typeof at(value), String(value)).toBe('string')
    expect(typeof at('90071992547409.93', 2)).toBe('string')
    expect(typeof at(12.345, 2)).toBe('string')
  })

  test('is never found in a prototype', () => {
    expect(typeof readAmount({ at: '/constructor/length', currency: 'EUR', decimals: 0 }, {})).toBe('string')
    expect(typeof readAmount({ at: '/a/length', currency: 'EUR', decimals: 0 }, { a: [1, 2] })).toBe('object')
  })

  test('has the currency that the arguments name, in capitals', () => {
    const terms = { at: '/a', currency: '/deep/c~1d', decimals: 0 }
    expect(readAmount(terms, { a: 1, deep: { 'c/d': 'usd' } })).toEqual({ value: 1, currency: 'USD' })
    for (const named of ['US', 'DOLLARS', 5, '€€€']) expect(typeof readAmount(terms, { a: 1, deep: { 'c/d': named } })).toBe('string')
  })
})

const pins = { version: 'sha256:v', world: 'sha256:w' }
const permit: Decision = { ...pins, effect: 'permit', reasons: [{ policy: 'p/1', text: 'fine' }], obligations: [] }
const held: Decision = {
  ...pins,
  effect: 'hold',
  reasons: [{ policy: 'h/1', text: 'ask' }],
  asks: [{ policy: 'h/1', reason: 'ask', quorum: 2 }],
  obligations: [],
}
const denied: Decision = { ...pins, effect: 'deny', fault: 'POLICY_DENIED', detail: 'no', reasons: [] }
const risky = (tier: RiskScore['tier']): RiskScore => ({ score: 50, tier, parts: [] })
const about = (mode: Autonomy, isRead: boolean, tier: RiskScore['tier'] = 'low') => ({
  mode,
  isRead,
  risk: risky(tier),
  amount: undefined,
  charges: [],
})

function restrict(decision: Decision, charter: Charter, { approvals = [], ...assessment }: Assessment & { approvals?: GivenApproval[] }) {
  return restrictWith(decision, charter, assessment, approvals)
}

describe('autonomy', () => {
  test('of an observer is to read, and nothing else', () => {
    expect(restrict(permit, defaultCharter, about('observe', true)).effect).toBe('permit')
    expect(restrict(permit, defaultCharter, about('observe', false))).toMatchObject({ effect: 'deny', fault: 'POLICY_DENIED' })
    expect(restrict(held, defaultCharter, about('observe', false)).effect).toBe('deny')
  })

  test('that confirms each call holds every one, and what policies ask stays asked', () => {
    const charter = Charter.parse({ autonomy: { confirm: { group: 'ops', quorum: 2, deadline: '15m' } } })
    expect(restrict(permit, charter, about('confirm-each', true))).toMatchObject({
      effect: 'hold',
      asks: [{ policy: 'charter.yaml#autonomy', group: 'ops', quorum: 2, deadlineMs: 900_000 }],
    })
    expect(restrict(held, charter, about('confirm-each', true))).toMatchObject({ asks: [{ policy: 'h/1', quorum: 2 }, { quorum: 2 }] })
  })

  test('an approval answers the charter only where the charter asked', () => {
    const confirmed = (policies: string[], by = ['per_1'], charter = defaultCharter) =>
      restrict(permit, charter, { ...about('confirm-each', true), approvals: [{ id: 'apr_1', by, policies }] }).effect
    expect(confirmed(['charter.yaml#autonomy'])).toBe('permit')
    expect(confirmed(['h/1'])).toBe('hold')
    expect(confirmed(['charter.yaml#autonomy'], [])).toBe('hold')
    const pair = Charter.parse({ autonomy: { confirm: { quorum: 2 } } })
    expect(confirmed(['charter.yaml#autonomy'], ['per_1', 'per_1'], pair)).toBe('hold')
    expect(confirmed(['charter.yaml#autonomy'], ['per_1', 'per_2'], pair)).toBe('permit')
  })

  test('appetite holds the risky calls of who confirms what is risky, and refuses what goes beyond, whoever asks', () => {
    const charter = Charter.parse({ appetite: { confirm: 'high', refuse: 'critical' } })
    const effectOf = (mode: Autonomy, tier: RiskScore['tier']) => restrict(permit, charter, about(mode, false, tier)).effect
    expect(effectOf('confirm-risky', 'medium')).toBe('permit')
    expect(effectOf('confirm-risky', 'high')).toBe('hold')
    expect(effectOf('autonomous', 'high')).toBe('permit')
    expect(effectOf('autonomous', 'critical')).toBe('deny')
  })

  test('that permits carries what the call takes of budgets, and refuses what cannot be counted before anybody is asked', () => {
    const charges = [{ budget: 'calls', per: 'agent', period: 'day', unit: 'calls', limit: 5, amount: 1 }] as const
    expect(restrict(permit, defaultCharter, { ...about('autonomous', false), charges })).toMatchObject({ effect: 'permit', charges })
    expect(restrict(held, defaultCharter, { ...about('autonomous', false), charges: 'no' })).toMatchObject({ fault: 'BUDGET_UNCOUNTABLE' })
    expect(restrict(denied, defaultCharter, { ...about('autonomous', false), charges: 'no' })).toMatchObject(denied)
  })

  test('the strictest of the rules that fit holds', () => {
    const rules = [
      { mode: 'autonomous', agents: ['agt_1'] },
      { mode: 'observe', agents: ['group:finance'], actions: ['money'] },
    ]
    const charter = Charter.parse({ autonomy: { default: 'confirm-each', rules } })
    expect(modeOf(charter, actor)).toBe('observe')
    expect(modeOf(charter, { ...actor, actions: new Set(['fs/read', 'read']) })).toBe('autonomous')
    expect(modeOf(charter, { ...actor, agent: 'agt_2', groups: [] })).toBe('confirm-each')
  })

  test('no charter makes anything run that the policies refuse or hold', () => {
    const RANK = { permit: 0, hold: 1, deny: 2 }
    const tier = fc.constantFrom('low', 'medium', 'high', 'critical')
    const charters = fc.record({ confirm: fc.option(tier, { nil: undefined }), refuse: fc.option(tier, { nil: undefined }) })
    const modes = fc.constantFrom<Autonomy>('observe', 'confirm-each', 'confirm-risky', 'autonomous')
    fc.assert(
      fc.property(fc.constantFrom(permit, held, denied), charters, modes, fc.boolean(), tier, (decision, appetite, mode, isRead, risk) => {
        const approvals = [{ id: 'apr_1', by: ['per_1'], policies: ['charter.yaml#autonomy', 'charter.yaml#appetite'] }]
        const after = restrict(decision, Charter.parse({ appetite }), { ...about(mode, isRead, risk), approvals })
        expect(RANK[after.effect]).toBeGreaterThanOrEqual(RANK[decision.effect])
        const asksOf = (one: Decision) => (one.effect === 'hold' ? one.asks : [])
        expect(asksOf(after).length >= asksOf(decision).length || after.effect === 'deny').toBe(true)
      }),
    )
  })
})

describe('an assessment', () => {
  const target = { ...actor, action: 'mail/pay', standing: 'good', tool: { kind: 'money', risk: 'critical' } } as const
  const facts = { door: 'mcp', approvals: [], now: 0 }
  const charter = Charter.parse({ tools: { 'mail/pay': { amount: { at: '/amount', currency: 'EUR' }, data: ['financial'] } } })

  test('reads the amount that the charter points at, and counts the data that it names', () => {
    expect(assess(charter, target, { input: { amount: 12 }, facts })).toMatchObject({
      amount: { value: 12, currency: 'EUR' },
      isRead: false,
      risk: { score: 90, tier: 'critical' },
      charges: [],
    })
  })

  test('of a call without the amount is none: the call is refused', () => {
    expect(assess(charter, target, { input: {}, facts })).toContain('/amount must be an amount')
    expect(assess(charter, target, { input: { amount: -12 }, facts: { ...facts, amount: { value: 1, currency: 'EUR' } } })).toContain(
      '/amount',
    )
  })

  test('of what a tool server asks counts as leaving for the outside', () => {
    const asks = {
      agent: 'fs',
      groups: [],
      actions: new Set(['roots/list', 'server-request']),
      action: 'roots/list',
      standing: undefined,
      tool: undefined,
    }
    expect(assess(charter, asks, { input: {}, facts })).toMatchObject({ isRead: false, risk: { score: 20, tier: 'medium' } })
  })
})

describe('charges', () => {
  const charter = Charter.parse({
    budgets: {
      pay: { measure: 'money', currency: 'EUR', limit: 100, per: 'agent', period: 'day', covers: ['money'] },
      pay_usd: { measure: 'money', currency: 'USD', limit: 100, per: 'agent', period: 'day', covers: ['money'] },
      calls: { measure: 'calls', limit: 5, per: 'session', period: 'hour' },
      volume: { measure: 'bytes', reserve: 1000, limit: 5000, per: 'agent', period: 'hour', agents: ['agt_1'] },
      others: { measure: 'calls', limit: 1, per: 'agent', period: 'hour', agents: ['agt_2', 'group:ops'] },
    },
  })
  const of = (amount: { value: number; currency: string } | undefined) => chargesOf(charter, actor, { input: { é: 1 }, amount })

  test('are those of every budget that covers the call', () => {
    expect(of({ value: 30, currency: 'EUR' })).toMatchObject([
      { budget: 'pay', unit: 'EUR', amount: 30 },
      { budget: 'calls', amount: 1 },
      { budget: 'volume', amount: 1008, certain: 8 },
    ])
  })

  test('a call whose money cannot be counted is refused, not free', () => {
    expect(of(undefined)).toContain('does not say where the amount')
    expect(of({ value: 1, currency: 'GBP' })).toContain('another currency')
  })
})

describe('a charter that is checked', () => {
  test('counts no calls that tool servers make', () => {
    const text = 'budgets: { a: { measure: calls, per: agent, period: day, limit: 4, covers: [roots/list] } }'
    expect(checkCharter({ 'charter.yaml': text }, world, ['roots/list']).findings).toMatchObject([{ code: 'ACTION_UNCOUNTED', column: 77 }])
  })

  const actions = ['fs/read', 'mail/send', 'mail/pay', 'read', 'money', 'tools/call']
  const check = (text: string) => checkCharter({ 'charter.yaml': text }, world, actions).findings

  test('names only tools that there are', () => {
    expect(check('tools:\n  mail/pya: { data: [personal] }\n')).toMatchObject([
      { code: 'ACTION_UNKNOWN', severity: 'error', line: 2, column: 3, suggestion: 'did you mean mail/pay?' },
    ])
    expect(check('autonomy: { rules: [{ mode: observe, actions: [mony] }] }')).toMatchObject([
      { column: 48, suggestion: 'did you mean money?' },
    ])
  })

  test('warns of agents that there are not, and of money that cannot be counted', () => {
    expect(check('autonomy: { rules: [{ mode: observe, agents: [agt_1, agt_9, group:none] }] }')).toMatchObject([
      { code: 'AGENT_UNKNOWN', severity: 'warning' },
      { code: 'AGENT_UNKNOWN' },
    ])
    const budget = 'budgets: { pay: { measure: money, currency: EUR, limit: 5, per: agent, period: day, covers: [money] } }\n'
    expect(check(budget)).toMatchObject([{ code: 'AMOUNT_UNDECLARED', severity: 'warning', line: 1, column: 12 }])
    expect(check(`${budget}tools: { mail/pay: { amount: { at: /amount, currency: EUR } } }`)).toEqual([])
  })

  test('says when its review is overdue, from that moment', () => {
    const files = { 'charter.yaml': 'review:\n  every: 90d\n  last: 2026-01-01\n' }
    const { charter } = checkCharter(files, world, [])
    const due = Date.parse('2026-04-01')
    expect(reviewOverdue(files, charter, due)).toEqual([])
    expect(reviewOverdue(files, charter, due + 1)).toMatchObject([
      { code: 'CHARTER_REVIEW_OVERDUE', severity: 'warning', line: 3, column: 9 },
    ])
  })
})
