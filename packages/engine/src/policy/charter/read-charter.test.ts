/** The charter's text: what is accepted, and that every mistake is named with its place. */
import { expect, test } from 'vitest'
import { defaultCharter } from './charter.ts'
import { readCharter } from './read-charter.ts'

function findingsOf(text: string) {
  const read = readCharter(text)
  return 'findings' in read ? read.findings : []
}

test('an empty charter adds nothing', () => {
  expect(readCharter('')).toEqual({ charter: defaultCharter })
  expect(readCharter('# only a comment\n')).toEqual({ charter: defaultCharter })
})

test('a whole charter is read', () => {
  const read = readCharter(`
owners: [group:security]
authorities:
  policy: { review: [group:security], publish: [per_1] }
  charter: { review: [group:security, group:board], publish: [group:board], reviewers: 2 }
review: { every: 90d, last: 2026-11-01 }
appetite: { confirm: high, refuse: critical }
risk:
  kind: { money: 50 }
  amount: { EUR: [{ from: 0, points: 5 }, { from: 100000, points: 40 }] }
tools:
  bank/pay: { amount: { at: /amount, currency: EUR, decimals: 2 }, data: [financial] }
autonomy:
  default: confirm-each
  rules: [{ mode: observe, agents: [group:interns] }, { mode: autonomous, actions: [read] }]
budgets:
  payments: { measure: money, currency: EUR, limit: 500000, per: agent, period: day, covers: [money] }
  talk: { measure: tokens, reserve: 4000, limit: 1000000, per: person, period: week }
tests: { required: true }
rollout: { shadow: 1h, canary: { percent: 10, for: 2h } }
`)
  expect(read).toMatchObject({
    charter: {
      authorities: { policy: { reviewers: 1 }, charter: { reviewers: 2 } },
      review: { every: 90 * 86_400_000 },
      risk: { kind: { money: 50, read: 0 }, data: { personal: 15 } },
      budgets: { talk: { covers: ['tools/call'] } },
      rollout: { shadow: 3_600_000, rollback: { decisions: 50 } },
    },
  })
})

test('a mistyped name is an error with its place and the nearest name', () => {
  expect(findingsOf('owners: []\nautonmy:\n  default: observe\n')).toEqual([
    expect.objectContaining({
      code: 'CHARTER_UNKNOWN',
      severity: 'error',
      file: 'charter.yaml',
      line: 2,
      column: 1,
      suggestion: 'did you mean autonomy?',
    }),
  ])
  expect(findingsOf('autonomy:\n  rules:\n    - mode: observe\n      agent: [agt_1]\n      actions: [money]\n')).toMatchObject([
    { code: 'CHARTER_UNKNOWN', line: 4, column: 7, suggestion: 'did you mean agents?' },
  ])
  expect(findingsOf('budgets:\n  a: { measure: calls, per: agent, period: day, limt: 4, limit: 4 }\n')).toMatchObject([
    { line: 2, column: 49, suggestion: 'did you mean limit?' },
  ])
})

test('a wrong value is an error at the value', () => {
  expect(findingsOf('thresholds:\n  medium: 20\n  high: lots\n')).toMatchObject([{ code: 'CHARTER_INVALID', line: 3, column: 9 }])
  expect(findingsOf('review: { every: 3 months, last: 2026-11-01 }')).toMatchObject([{ line: 1, column: 18 }])
  expect(findingsOf('budgets:\n  "Day one":\n    { measure: calls, per: agent, period: day, limit: 4 }\n')).toMatchObject([
    { line: 2, column: 3 },
  ])
  expect(findingsOf('thresholds: { medium: 50, high: 20 }')[0]?.message).toContain('must rise')
})

test('a missing value is an error at what it is missing from', () => {
  expect(findingsOf('budgets:\n  day: { measure: calls, per: agent, period: day }\n')).toMatchObject([
    { line: 2, column: 8, message: expect.stringContaining('budgets.day.limit') },
  ])
})

test('limits that no sum could keep are refused', () => {
  const budget = (limit: string) => `budgets: { a: { measure: calls, per: agent, period: day, limit: ${limit} } }`
  for (const limit of ['0', '-1', '1.5', '9007199254740992', '1e300', '.inf', '.nan', '"5"'])
    expect(findingsOf(budget(limit)), limit).not.toEqual([])
  expect(findingsOf(budget('9007199254740991'))).toEqual([])
})

test('hostile YAML is refused with a place: duplicates, aliases, several documents, depth, size, prototypes', () => {
  expect(findingsOf('owners: []\nowners: [per_1]\n')).toMatchObject([{ code: 'CHARTER_SYNTAX', line: 2 }])
  expect(findingsOf('owners: &a [per_1]\nauthorities: *a\n')[0]).toMatchObject({ code: 'CHARTER_SYNTAX' })
  expect(findingsOf('owners: []\n---\nowners: []\n')).not.toEqual([])
  expect(findingsOf(`owners: ${'['.repeat(30_000)}`)).not.toEqual([])
  expect(findingsOf(`owners: []#${' '.repeat(70_000)}`)).toMatchObject([{ code: 'CHARTER_TOO_LARGE' }])
  expect(findingsOf('__proto__: { tests: { required: true } }')).not.toEqual([])
  expect(findingsOf('risk: { data: { __proto__: 5 } }')).toEqual([])
  expect(({} as Record<string, unknown>).tests).toBeUndefined()
  expect(findingsOf('- a\n- b\n')).toMatchObject([{ code: 'CHARTER_INVALID', line: 1 }])
  expect(findingsOf('owners: !!js/function "x"')).not.toEqual([])
})
