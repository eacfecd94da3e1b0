/** Input that is made to overflow, to exhaust or to mislead: each limit has its own code and comes first. */
import { describe, expect, test } from 'vitest'
import { compileTexts, outcome, refusalOf, requestWith, user } from './decide.fixture.ts'
import { compilePolicies, createEntities, evaluate, readContext, readEntities } from './index.ts'
import type { ExprJson, PolicyJson } from './index.ts'

const any = { op: 'All' } as const
const policy = (body: ExprJson): PolicyJson => ({
  effect: 'permit',
  principal: any,
  action: any,
  resource: any,
  conditions: [{ kind: 'when', body }],
})
const compile = (body: ExprJson) => () => compilePolicies([['p', policy(body)]])
const nest = (depth: number, leaf: ExprJson, wrap: (inner: ExprJson) => ExprJson) => {
  let body = leaf
  for (let i = 0; i < depth; i++) body = wrap(body)
  return body
}
const deepList = (depth: number) => JSON.parse(`${'['.repeat(depth)}1${']'.repeat(depth)}`)
const deepRecord = (depth: number) => JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`)

describe('policies', () => {
  const TRUE = { Value: true }

  test('100,000 negations nest too deep', () => {
    expect(refusalOf(compile(nest(100_000, TRUE, (arg) => ({ '!': { arg } }))))).toBe('POLICY_TOO_DEEP')
  })

  test.each(['left', 'right'])('a tower of comparisons to the %s nests too deep', (side) => {
    const wrap = (inner: ExprJson) => ({ '==': { left: TRUE, right: TRUE, [side]: inner } })
    expect(refusalOf(compile(nest(100_000, TRUE, wrap)))).toBe('POLICY_TOO_DEEP')
  })

  test('a chain of 10,000 alternatives is long, not deep', () => {
    const set = compile(nest(10_000, TRUE, (left) => ({ '&&': { left, right: TRUE } })))()
    expect(evaluate(set, createEntities(), requestWith()).decision).toBe('allow')
  })

  test('60,000 alternatives are too many', () => {
    expect(refusalOf(compile(nest(60_000, TRUE, (left) => ({ '||': { left, right: TRUE } }))))).toBe('POLICY_TOO_LARGE')
    expect(refusalOf(compile({ isEmpty: { arg: { Set: Array.from({ length: 60_000 }, () => ({ Var: 'context' })) } } }))).toBe(
      'POLICY_TOO_LARGE',
    )
  })

  test('so is a literal that is too deep', () => {
    expect(refusalOf(compile({ Value: deepList(10_000) }))).toBe('VALUE_TOO_DEEP')
  })
})

describe('contexts and entities', () => {
  const entity = (attrs: unknown) => [{ uid: user('ann'), parents: [], attrs }]

  test('deep data', () => {
    for (const deep of [deepList(100_000), deepRecord(100_000)]) {
      expect(refusalOf(() => readContext({ deep }))).toBe('VALUE_TOO_DEEP')
      expect(refusalOf(() => readEntities(entity({ deep })))).toBe('VALUE_TOO_DEEP')
    }
    expect(refusalOf(() => readContext({ deep: deepList(90) }))).toBe('accepted')
  })

  test('large data', () => {
    const large = Array.from({ length: 100_001 }, (_, i) => i)
    expect(refusalOf(() => readContext({ large }))).toBe('VALUE_TOO_LARGE')
    expect(refusalOf(() => readEntities(entity({ large })))).toBe('VALUE_TOO_LARGE')
  })

  test.each<[string, unknown, string]>([
    ['an unknown value', { a: { __extn: { fn: 'unknown', arg: 'x' } } }, 'VALUE_UNKNOWN'],
    ['an unknown context', { __extn: { fn: 'unknown', arg: 'x' } }, 'VALUE_UNKNOWN'],
    ['a context that is a reference', { __entity: user('ann') }, 'VALUE_TYPE'],
    ['a context that is a list', [], 'VALUE_TYPE'],
    ['a fraction', { a: 0.5 }, 'INTEGER_INVALID'],
    ['a rounded integer', { a: 2 ** 60 }, 'INTEGER_INVALID'],
    ['null', { a: null }, 'VALUE_INVALID'],
    ['half a surrogate pair', { a: '\ud83d' }, 'STRING_MALFORMED'],
    ['half a surrogate pair in a name', { '\ude00': 1 }, 'STRING_MALFORMED'],
    ['a type with a space', { a: { __entity: { type: 'User ', id: 'x' } } }, 'VALUE_INVALID'],
    ['a type that is a word of the language', { a: { __entity: { type: 'A::in', id: 'x' } } }, 'VALUE_INVALID'],
    ['a function that there is not', { a: { __extn: { fn: 'constructor', arg: 'x' } } }, 'VALUE_INVALID'],
    ['an escape of former times', { a: { __expr: 'principal' } }, 'VALUE_INVALID'],
  ])('%s is refused', (_what, context, code) => {
    expect(refusalOf(() => readContext(context))).toBe(code)
  })

  test('an object with more than the escape is a record', () => {
    expect(outcome('context.a.__entity.id == "ann" && context.a.more == 1', { a: { __entity: user('ann'), more: 1 } })).toBe(true)
  })
})

describe('decisions', () => {
  test('looking for large values in sets is paid for', () => {
    const big = Array.from({ length: 50_000 }, (_, i) => i)
    const set = compileTexts(
      Object.fromEntries(
        Array.from({ length: 30 }, (_, i) => [
          `p${i}`,
          `permit(principal, action, resource) when { [{n: ${i}}].contains({a: context.big}) };`,
        ]),
      ),
    )
    expect(refusalOf(() => evaluate(set, createEntities(), requestWith({ big })))).toBe('STEPS_EXCEEDED')
  })

  test('text and names with quotes, colons and separators keep records and sets apart', () => {
    expect(outcome('[{"a": "b"}].contains({"a\\"": "b"})')).toBe(false)
    expect(outcome('[["a", "b"]].contains(["a;s1:b"])')).toBe(false)
    expect(outcome('[["1"]].contains([1])')).toBe(false)
    expect(outcome('[[true]].contains(["true"])')).toBe(false)
    expect(outcome('[[User::"a"]].contains(["4:User\\"a"])')).toBe(false)
    expect(outcome('[[decimal("1.0")]].contains(["d10000"]) || [[[]]].contains([{}])')).toBe(false)
  })
})
