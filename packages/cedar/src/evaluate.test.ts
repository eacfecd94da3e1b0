/** Decisions: who is satisfied, what determines, what fails; and each operator where the types are not as it likes. */
import { expect, test } from 'vitest'
import { action, compileTexts, decide, doc, group, outcome, refusalOf, requestWith, user } from './decide.fixture.ts'
import { createEntities, evaluate, readEntities, recordOf } from './index.ts'

const when = (condition: string) => `permit(principal, action, resource) when { ${condition} };`
const ENTITIES = [
  {
    uid: user('ann'),
    parents: [group('staff')],
    attrs: { age: 30, boss: { __entity: user('bob') }, address: { city: 'Oslo' } },
    tags: { level: 3 },
  },
  { uid: user('bob'), parents: [], attrs: {} },
  { uid: group('staff'), parents: [group('all')], attrs: {} },
]

test('nothing permits: denied, without a reason', () => {
  expect(decide({})).toEqual({ decision: 'deny', permits: [], forbids: [], reasons: [], errors: [] })
})

test('every satisfied policy is reported, and the forbids alone determine', () => {
  const policies = {
    p2: 'permit(principal, action, resource);',
    p1: 'permit(principal, action, resource);',
    f2: 'forbid(principal, action, resource);',
    f1: 'forbid(principal, action, resource) unless { context.safe };',
    no: 'permit(principal, action, resource) when { false };',
  }
  expect(decide(policies, { safe: false })).toMatchObject({
    decision: 'deny',
    permits: ['p1', 'p2'],
    forbids: ['f1', 'f2'],
    reasons: ['f1', 'f2'],
  })
})

test('a policy that fails is skipped and reported, a forbid too: whoever decides has to look at the errors', () => {
  const policies = { p: 'permit(principal, action, resource);', f: 'forbid(principal, action, resource) when { context.missing };' }
  const { decision, reasons, errors } = decide(policies)
  expect({ decision, reasons }).toEqual({ decision: 'allow', reasons: ['p'] })
  expect(errors).toEqual([{ policy: 'f', code: 'ATTRIBUTE', message: 'record does not have the attribute `missing`' }])
})

test('what is not reached doesn’t fail', () => {
  expect(outcome('false && context.missing')).toBe(false)
  expect(outcome('true || context.missing')).toBe(true)
  expect(outcome('if true then true else context.missing')).toBe(true)
  expect(outcome('false && 1')).toBe(false)
})

test('what is reached has to be a boolean', () => {
  expect(outcome('true && 1')).toBe('TYPE')
  expect(outcome('false || "yes"')).toBe('TYPE')
  expect(outcome('if 1 then true else true')).toBe('TYPE')
  expect(outcome('!1')).toBe('TYPE')
  expect(outcome('context')).toBe('TYPE')
})

test('equality holds across types without failing', () => {
  expect(outcome('1 == "1"')).toBe(false)
  expect(outcome('1 != "1"')).toBe(true)
  expect(outcome('principal == "ann"')).toBe(false)
  expect(outcome('[1, [2], 1] == [[2], 1]')).toBe(true)
  expect(outcome('{a: 1, b: [principal]} == {b: [User::"ann"], a: 1}')).toBe(true)
  expect(outcome('{a: 1} == {a: 1, b: 2}')).toBe(false)
  expect(outcome('[User::"ann"] == ["4:User\\"ann"]')).toBe(false)
})

test('order is for longs, datetimes and durations', () => {
  expect(outcome('1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3')).toBe(true)
  expect(outcome('"a" < "b"')).toBe('TYPE')
  expect(outcome('context.n > 5', { n: '9' })).toBe('TYPE')
})

test('sets', () => {
  expect(outcome('[1, "a", principal].contains(User::"ann")')).toBe(true)
  expect(outcome('[[1], {a: 1}].containsAll([{a: 1}])')).toBe(true)
  expect(outcome('[1, 2].containsAny([2, 3]) && ![1].containsAny([])')).toBe(true)
  expect(outcome('[].isEmpty() && ![1].isEmpty()')).toBe(true)
  expect(outcome('[decimal("1.0")].contains(decimal("1.00"))')).toBe(true)
  expect(outcome('"abc".contains("a")')).toBe('TYPE')
})

test('attributes of records and entities, and of entities that are not known', () => {
  expect(outcome('principal.age == 30 && principal.address.city == "Oslo"', {}, ENTITIES)).toBe(true)
  expect(outcome('principal.shoe == 44', {}, ENTITIES)).toBe('ATTRIBUTE')
  expect(outcome('principal.age == 30')).toBe('ENTITY')
  expect(outcome('principal has age')).toBe(false)
  expect(outcome('"text" has age')).toBe('TYPE')
})

test('has asks at each level', () => {
  expect(outcome('principal has address.city', {}, ENTITIES)).toBe(true)
  expect(outcome('principal has address.street', {}, ENTITIES)).toBe(false)
  expect(outcome('principal has nothing.of.this', {}, ENTITIES)).toBe(false)
  expect(outcome('principal has age.years', {}, ENTITIES)).toBe('TYPE')
  expect(outcome('principal has boss.boss', {}, ENTITIES)).toBe(false)
})

test('tags', () => {
  expect(outcome('principal.hasTag("level") && principal.getTag("level") == 3', {}, ENTITIES)).toBe(true)
  expect(outcome('principal.hasTag("age")', {}, ENTITIES)).toBe(false)
  expect(outcome('principal.getTag("shoe") == 44', {}, ENTITIES)).toBe('TAG')
  expect(outcome('principal.hasTag("level")')).toBe(false)
  expect(outcome('principal.getTag("level") == 3')).toBe('ENTITY')
  expect(outcome('principal.hasTag(context.tag)', { tag: 1 }, ENTITIES)).toBe('TYPE')
})

test('in and is', () => {
  expect(outcome('principal in Group::"all"', {}, ENTITIES)).toBe(true)
  expect(outcome('principal in [Group::"none", Group::"staff"]', {}, ENTITIES)).toBe(true)
  expect(outcome('principal in User::"ann"')).toBe(true)
  expect(outcome('principal in []')).toBe(false)
  expect(outcome('principal in [User::"ann", 1]')).toBe('TYPE')
  expect(outcome('principal is User in Group::"all"', {}, ENTITIES)).toBe(true)
  expect(outcome('principal is Doc in Group::"all"', {}, ENTITIES)).toBe(false)
  expect(outcome('context.who is User', { who: 'ann' })).toBe('TYPE')
})

test('only the policies that are asked for are evaluated', () => {
  const set = compileTexts({ a: when('true'), b: when('true'), c: when('context.missing') })
  expect(evaluate(set, createEntities(), requestWith(), { only: new Set(['b']) })).toMatchObject({ permits: ['b'], errors: [] })
})

test('a policy that names several groups of the action is evaluated and reported once', () => {
  const set = compileTexts({ p: 'permit(principal, action in [Action::"all", Action::"read", Action::"some"], resource);' })
  const entities = createEntities(readEntities([{ uid: action('read'), parents: [action('all'), action('some')], attrs: {} }]))
  expect(evaluate(set, entities, requestWith()).permits).toEqual(['p'])
  expect(evaluate(set, entities, requestWith()).permits).toEqual(['p'])
})

test('a decision that costs too much is none', () => {
  const set = compileTexts({ p: when('context.a == context.b') })
  const list = Array.from({ length: 1000 }, (_, i) => i)
  const request = requestWith({ a: list, b: list })
  expect(evaluate(set, createEntities(), request).decision).toBe('allow')
  expect(refusalOf(() => evaluate(set, createEntities(), request, { steps: 500 }))).toBe('STEPS_EXCEEDED')
})

test('a long text is paid for each time that it is matched', () => {
  const set = compileTexts(Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`p${i}`, when(`context.t like "*x${i}*"`)])))
  expect(refusalOf(() => evaluate(set, createEntities(), requestWith({ t: 'y'.repeat(100_000) })))).toBe('STEPS_EXCEEDED')
})

test('entities and resources are told apart by type and id, however these are put together', () => {
  const set = compileTexts({ p: 'permit(principal == User::"a", action, resource == Doc::"plan");' })
  const request = { ...requestWith(), context: recordOf([]) }
  for (const principal of [
    { type: 'User', id: 'a' },
    { type: 'Use', id: 'ra' },
    { type: 'User"a', id: '' },
    { type: 'User', id: 'A' },
  ]) {
    const { decision } = evaluate(set, createEntities(), { ...request, principal, resource: doc('plan') })
    expect(decision).toBe(principal.type === 'User' && principal.id === 'a' ? 'allow' : 'deny')
  }
})
