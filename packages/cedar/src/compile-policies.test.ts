/** Policies and templates: the scope through the index, links, and what is no policy. */
import { describe, expect, test } from 'vitest'
import { action, compileTexts, doc, group, refusalOf, requestWith, user } from './decide.fixture.ts'
import { compilePolicies, covering, createEntities, evaluate, readEntities } from './index.ts'
import type { ExprJson, PolicyJson } from './index.ts'

const entities = createEntities(
  readEntities([
    { uid: user('ann'), parents: [group('staff')], attrs: {} },
    { uid: group('staff'), parents: [group('all')], attrs: {} },
    { uid: action('read'), parents: [action('reading')], attrs: {} },
    { uid: doc('plan'), parents: [{ type: 'Folder', id: 'f' }], attrs: {} },
  ]),
)

describe('each form of scope', () => {
  test.each([
    ['principal, action, resource', true],
    ['principal == User::"ann", action, resource', true],
    ['principal == User::"bob", action, resource', false],
    ['principal == Group::"staff", action, resource', false],
    ['principal in Group::"all", action, resource', true],
    ['principal in User::"ann", action, resource', true],
    ['principal in Group::"none", action, resource', false],
    ['principal is User, action, resource', true],
    ['principal is Group, action, resource', false],
    ['principal is User in Group::"all", action, resource', true],
    ['principal is Group in Group::"all", action, resource', false],
    ['principal, action == Action::"read", resource', true],
    ['principal, action == Action::"reading", resource', false],
    ['principal, action in Action::"reading", resource', true],
    ['principal, action in [Action::"write", Action::"reading"], resource', true],
    ['principal, action in [Action::"write"], resource', false],
    ['principal, action in [], resource', false],
    ['principal, action, resource is Doc in Folder::"f"', true],
    ['principal, action, resource == Doc::"plan"', true],
    ['principal, action, resource in Folder::"g"', false],
  ])('%s', (scope, covers) => {
    const set = compileTexts({ p: `permit(${scope});` })
    const request = requestWith()
    expect(covering(set, entities, request)).toEqual(covers ? ['p'] : [])
    expect(evaluate(set, entities, request).decision).toBe(covers ? 'allow' : 'deny')
  })
})

const TEMPLATE = 'permit(principal == ?principal, action, resource in ?resource) when { context.ok };'

test('each link of a template decides for itself', () => {
  const slots = { principal: user('ann'), resource: { type: 'Folder', id: 'f' } }
  const set = compileTexts({}, { t: TEMPLATE }, [
    { id: 'for-ann', template: 't', slots },
    { id: 'for-bob', template: 't', slots: { ...slots, principal: user('bob') } },
  ])
  expect(evaluate(set, entities, requestWith({ ok: true }))).toMatchObject({ decision: 'allow', reasons: ['for-ann'] })
  expect(evaluate(set, entities, requestWith({})).errors).toMatchObject([{ policy: 'for-ann', code: 'ATTRIBUTE' }])
})

test('a template without a link decides nothing', () => {
  const set = compileTexts({}, { t: 'permit(principal in ?principal, action, resource);' })
  expect(evaluate(set, entities, requestWith())).toMatchObject({ decision: 'deny', permits: [] })
  expect(set.size).toBe(0)
})

test('links have to fill the slots, all and no others, of a template that there is', () => {
  const link = (template: string, slots: object) => () =>
    compileTexts({ s: 'permit(principal, action, resource);' }, { t: TEMPLATE }, [{ id: 'l', template, slots }])
  expect(refusalOf(link('t', { principal: user('ann') }))).toBe('SLOT_UNFILLED')
  expect(refusalOf(link('none', {}))).toBe('TEMPLATE_UNKNOWN')
  expect(refusalOf(link('s', {}))).toBe('TEMPLATE_UNKNOWN')
  const open = 'permit(principal == ?principal, action, resource);'
  const both = { principal: user('ann'), resource: doc('plan') }
  expect(refusalOf(() => compileTexts({}, { t: open }, [{ id: 'l', template: 't', slots: both }]))).toBe('SLOT_UNFILLED')
})

test('an id stands for one policy', () => {
  const text = 'permit(principal, action, resource);'
  const slots = { principal: user('ann'), resource: doc('plan') }
  expect(refusalOf(() => compileTexts({ a: text }, { a: TEMPLATE }))).toBe('POLICY_DUPLICATE')
  expect(refusalOf(() => compileTexts({ a: text }, { t: TEMPLATE }, [{ id: 'a', template: 't', slots }]))).toBe('POLICY_DUPLICATE')
})

const any = { op: 'All' } as const
const policy = (body: ExprJson, more: object = {}): PolicyJson => ({
  effect: 'permit',
  principal: any,
  action: any,
  resource: any,
  conditions: [{ kind: 'when', body }],
  ...more,
})

test.each<[string, PolicyJson, string]>([
  ['an operator that there is not', policy({ eval: { arg: {} } }), 'POLICY_MALFORMED'],
  ['a name that every object has', policy({ constructor: [] }), 'POLICY_MALFORMED'],
  ['two operators', policy({ Var: 'context', Value: 1 }), 'POLICY_MALFORMED'],
  ['no operator', policy({}), 'POLICY_MALFORMED'],
  ['an operand that is only inherited', policy({ '!': Object.create({ arg: { Value: true } }) }), 'POLICY_MALFORMED'],
  ['a variable that there is not', policy({ Var: 'me' }), 'POLICY_MALFORMED'],
  ['a slot in a condition', policy({ Slot: '?principal' }), 'POLICY_MALFORMED'],
  ['an effect that there is not', policy({ Value: true }, { effect: 'allow' }), 'POLICY_MALFORMED'],
  ['a scope that there is not', policy({ Value: true }, { principal: { op: 'like' } }), 'POLICY_MALFORMED'],
  ['a condition that there is not', policy({}, { conditions: [{ kind: 'if', body: { Value: true } }] }), 'POLICY_MALFORMED'],
  ['an integer that was rounded', policy({ Value: 2 ** 53 }), 'INTEGER_INVALID'],
  ['an integer beyond 64 bits', policy({ Value: 2n ** 63n }), 'INTEGER_INVALID'],
  ['a fraction', policy({ Value: 1.5 }), 'INTEGER_INVALID'],
  ['null', policy({ Value: null }), 'VALUE_INVALID'],
  ['a value that is unknown', policy({ Value: { __extn: { fn: 'unknown', arg: 'x' } } }), 'VALUE_UNKNOWN'],
])('%s is refused, and the policy is named', (_what, json, code) => {
  expect(refusalOf(() => compilePolicies([['mine', json]]))).toBe(code)
  expect(() => compilePolicies([['mine', json]])).toThrow(
    expect.objectContaining({ policy: 'mine', message: expect.stringContaining('`mine`') }),
  )
})
