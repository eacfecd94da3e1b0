/** Data of an untrusted sender: nothing in it is a directive, and nothing is what was not declared. */
import { expect, test } from 'vitest'
import { compileTexts, refusalOf, requestWith } from './decide.fixture.ts'
import { createEntities, evaluate, readType, toJson, typedRecord } from './index.ts'
import type { RecordType, TypeJson } from './index.ts'

const SCHEMA = { '': { entityTypes: { User: {} }, actions: {} } }
const typeOf = (attributes: Record<string, TypeJson & { required?: boolean }>) =>
  readType({ type: 'Record', attributes }, SCHEMA) as RecordType
const TYPE = typeOf({
  name: { type: 'String' },
  count: { type: 'Long' },
  live: { type: 'Boolean' },
  tags: { type: 'Set', element: { type: 'String' } },
  at: { type: 'datetime' },
  price: { type: 'Extension', name: 'decimal' },
  who: { type: 'Entity', name: 'User' },
  nested: { type: 'Record', attributes: { __entity: { type: 'Record', attributes: { type: { type: 'String' } } } } },
})

function decide(condition: string, source: Record<string, unknown>, type: RecordType = TYPE) {
  const set = compileTexts({ p: `forbid(principal, action, resource) when { ${condition} };` })
  const { forbids, errors } = evaluate(set, createEntities(), { ...requestWith(), context: typedRecord(type, source) })
  return errors[0]?.code ?? forbids.length > 0
}

test('plain values become what was declared', () => {
  expect(decide('context.name == "x" && context.count == 3 && context.live', { name: 'x', count: 3, live: true })).toBe(true)
  expect(decide('context.tags.contains("a")', { tags: ['a', 'b', 'a'] })).toBe(true)
  expect(decide('context.at < datetime("2025-01-01") && context.price.lessThan(decimal("2.0"))', { at: '2024-01-01', price: '1.50' })).toBe(
    true,
  )
  expect(decide('context.who == User::"bob"', { who: 'bob' })).toBe(true)
})

test('an unknown value in the arguments turns no forbid off', () => {
  const attack = { __extn: { fn: 'unknown', arg: 'x' } }
  expect(refusalOf(() => decide('context.name == "x"', { name: attack }))).toBe('VALUE_TYPE')
  const own = typeOf({ input: { type: 'Record', attributes: { __extn: { type: 'Record', attributes: { fn: { type: 'String' } } } } } })
  expect(decide('context.input.__extn.fn == "unknown"', { input: attack }, own)).toBe(true)
})

test('a reference in the arguments is no reference', () => {
  const forged = { __entity: { type: 'Admin', id: 'root' } }
  expect(refusalOf(() => decide('context.who == User::"root"', { who: forged }))).toBe('VALUE_TYPE')
  expect(decide('context.nested.__entity.type == "Admin"', { nested: forged })).toBe(true)
  expect(decide('context.who == Admin::"root"', { who: 'root' })).toBe(false)
})

test('what was not declared is not there', () => {
  expect(decide('context has extra', { extra: 1 })).toBe(false)
  expect(decide('context.extra == 1', { extra: 1 })).toBe('ATTRIBUTE')
})

test('names that objects have anyway are there only where they were sent and declared', () => {
  expect(decide('context has constructor || context has __proto__ || context has toString', {})).toBe(false)
  const odd = readType(
    JSON.parse('{"type":"Record","attributes":{"__proto__":{"type":"String"},"constructor":{"type":"Long"}}}'),
  ) as RecordType
  expect(decide('context has __proto__ || context has constructor', {}, odd)).toBe(false)
  expect(decide('context["__proto__"] == "x" && context.constructor == 1', JSON.parse('{"__proto__":"x","constructor":1}'), odd)).toBe(true)
  expect(Object.getPrototypeOf(toJson(typedRecord(odd, JSON.parse('{"__proto__":"x"}'))))).toBe(Object.prototype)
})

test.each<[string, string, unknown]>([
  ['text for a number', 'count', '3'],
  ['a fraction', 'count', 1.5],
  ['a number that was rounded', 'count', 2 ** 53],
  ['a number beyond 64 bits', 'count', 2n ** 63n],
  ['null', 'name', null],
  ['a list for text', 'name', ['x']],
  ['a mixed list', 'tags', ['a', 1]],
  ['a number for a decimal', 'price', 1.5],
])('%s ends the decision: none is made on data that is not as declared', (_what, name, value) => {
  expect(refusalOf(() => decide(`context.${name} == context.${name}`, { [name]: value }))).toBe('VALUE_TYPE')
})

test('text that is no date, and text that is no text', () => {
  expect(refusalOf(() => decide('context.at == context.at', { at: '2024-02-30' }))).toBe('VALUE_INVALID')
  expect(refusalOf(() => decide('context.name == "x"', { name: '\ud800' }))).toBe('STRING_MALFORMED')
})

test('only what a policy looks at is converted', () => {
  expect(decide('context.count == 3', { count: 3, name: 17, tags: 'nonsense' })).toBe(true)
})

test('large and deep data meets its limit before it costs anything', () => {
  expect(refusalOf(() => decide('context.tags.isEmpty()', { tags: Array.from({ length: 200_000 }, () => 'x') }))).toBe('VALUE_TOO_LARGE')
  let deep: TypeJson = { type: 'Long' }
  let source: unknown = 1
  for (let i = 0; i < 150; i++) [deep, source] = [{ type: 'Set', element: deep }, [source]]
  expect(refusalOf(() => decide('context.x == context.x', { x: source }, typeOf({ x: deep })))).toBe('VALUE_TOO_DEEP')
})
