/** Every operator on every pair of odd values, in both engines: thousands of policies, each of one closed expression, and one request. */
import { expect, test } from 'vitest'
import { compare } from './compare.fixture.ts'
import type { Comparison } from './compare.fixture.ts'
import { LITERALS, LONGS, PATTERNS, quote, STRINGS, uidText } from './vocabulary.fixture.ts'
import type { Extension } from './vocabulary.fixture.ts'

const uid = (type: string) => ({ type, id: 'a' })
const request = { principal: uid('User'), action: uid('Action'), resource: uid('File'), context: {} }

/** The expressions that hold, and those that fail. */
function outcome(expressions: readonly string[], verdict: Comparison['ours']): { hold: string[]; fail: string[] } | { refused: string } {
  if ('refused' in verdict) return verdict
  const texts = (ids: readonly string[]) => ids.map((id) => expressions[Number(id)] ?? '')
  return { hold: texts(verdict.reasons), fail: texts(verdict.errors) }
}

function expectAlike(expressions: readonly string[]): void {
  const policies = Object.fromEntries(expressions.map((text, i) => [String(i), `permit(principal, action, resource) when { ${text} };`]))
  const [answer] = compare({ schema: undefined, policies, templates: {}, links: [], entities: [], requests: [request] })
  const { official, ours } = answer as Comparison
  expect(outcome(expressions, official)).toHaveProperty('hold')
  expect(outcome(expressions, ours)).toEqual(outcome(expressions, official))
}

const values = (type: Extension) => [...LITERALS[type].good, ...LITERALS[type].odd].map((text) => `${type}(${quote(text)})`)
const good = (type: Extension) => LITERALS[type].good.map((text) => `${type}(${quote(text)})`)
const pairs = (all: readonly string[], make: (a: string, b: string) => string[], others = all) =>
  all.flatMap((a) => others.flatMap((b) => make(a, b)))
const ORDER = ['<', '<=', '>', '>=', '==', '!=']
const longs = [-3n, -1n, 0n, 1n, 2n, 24n, 60n, ...LONGS].map(String)

test('integers, up to 64 bits', () => {
  const operators = (a: string, b: string) => [
    ...ORDER.map((sign) => `${a} ${sign} ${b}`),
    ...['+', '-', '*'].flatMap((sign) => [`${a} ${sign} ${b} < ${a}`, `${a} ${sign} ${b} == ${b}`, `${a} ${sign} ${b} > 9007199254740992`]),
  ]
  expectAlike([...pairs(longs, operators), ...longs.map((n) => `-(${n}) < ${n}`)])
})

test('decimals', () => {
  const methods = ['lessThan', 'lessThanOrEqual', 'greaterThan', 'greaterThanOrEqual']
  expectAlike(pairs(values('decimal'), (a, b) => [`${a} == ${b}`, ...methods.map((name) => `${a}.${name}(${b})`)]))
})

test('addresses and ranges', () => {
  const methods = ['isIpv4', 'isIpv6', 'isLoopback', 'isMulticast']
  expectAlike([
    ...pairs(values('ip'), (a, b) => [`${a} == ${b}`, `${a}.isInRange(${b})`]),
    ...values('ip').flatMap((a) => methods.map((name) => `${a}.${name}()`)),
  ])
})

test('points in time', () => {
  expectAlike([
    ...pairs(values('datetime'), (a, b) => ORDER.map((sign) => `${a} ${sign} ${b}`)),
    ...pairs(good('datetime'), (a, b) => [
      `${a}.toDate() == ${b}`,
      `${a}.durationSince(${b}).toHours() < 0`,
      `${a}.durationSince(${b}) == ${a}.toTime()`,
    ]),
    ...pairs(
      good('datetime'),
      (a, b) => [`${a}.toTime() < ${b}`, `${a}.offset(${b}).toTime() < ${b}`, `${a}.offset(${b}).toDate() < ${a}`],
      good('duration'),
    ),
  ])
})

test('spans of time', () => {
  const units = ['toMilliseconds', 'toSeconds', 'toMinutes', 'toHours', 'toDays']
  expectAlike([
    ...pairs(values('duration'), (a, b) => ORDER.map((sign) => `${a} ${sign} ${b}`)),
    ...pairs(values('duration'), (a, b) => units.map((name) => `${a}.${name}() < ${b}`), longs),
  ])
})

test('patterns', () => {
  const strings = [...STRINGS, 'aXbXab', '*b', 'ab\n', 'aa', 'é*']
  expectAlike(pairs(strings.map(quote), (text, pattern) => [`${text} like "${pattern}"`], PATTERNS))
})

test('equality and membership between kinds', () => {
  const kinds = [
    '1',
    '"1"',
    'true',
    '[]',
    '[1]',
    '[1, 1]',
    '[[1], []]',
    '{}',
    '{a: 1}',
    '{"a": 1, b: []}',
    '{b: [], a: 1}',
    'decimal("1.0")',
    'ip("::1")',
    'datetime("1970-01-01")',
    'duration("0ms")',
    'principal',
    uidText(uid('User')),
    uidText(uid('Nobody')),
    'action',
    '[principal, action]',
  ]
  const operators = (a: string, b: string) => [
    `${a} == ${b}`,
    `${a} != ${b}`,
    ...['contains', 'containsAll', 'containsAny', 'hasTag', 'getTag'].map((name) => `(${a}).${name}(${b})`),
    `[${a}, 7].contains(${b})`,
    `[${a}, ${b}] == [${b}, ${a}]`,
    ...['in', '<', '+', '&&', '||'].map((sign) => `(${a}) ${sign} (${b})`),
    `if ${a} then ${b} else true`,
  ]
  const single = kinds.flatMap((a) => [
    `!(${a})`,
    `-(${a}) == 1`,
    `(${a}).isEmpty()`,
    `(${a}) has a`,
    `(${a}) has a.b`,
    `(${a}).a == 1`,
    `(${a}) is User`,
    `(${a}) is User in (${a})`,
    `(${a}) like "*"`,
  ])
  expectAlike([...pairs(kinds, operators), ...single])
})
