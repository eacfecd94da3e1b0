/** Tests of the strict JSON reader against JSON.parse, and of what only it sees. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { JsonProblem, JsonReader } from './exact-json.ts'

/** JSON whose numbers are integers. */
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger().filter((n) => !Object.is(n, -0)),
    fc.string({ unit: 'binary' }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string({ unit: 'binary', maxLength: 4 }), tie('value'), { maxKeys: 4 }),
  ),
}))

const REFUSED = Symbol('refused')

function attempt(read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    if (error instanceof JsonProblem) return REFUSED
    throw error
  }
}

test('what JSON.parse reads of integers and texts, it reads the same', () => {
  fc.assert(
    fc.property(value, fc.constantFrom(undefined, 1, '\t', '\r\n'), (json, space) => {
      const text = JSON.stringify(json, undefined, space)
      expect(JsonReader.parse(text)).toEqual(JSON.parse(text))
    }),
  )
})

test('of text that is damaged in one place it reads nothing that JSON.parse would not', () => {
  fc.assert(
    fc.property(value, fc.nat(), fc.constantFrom('', '"', '{', ']', ',', ':', '\\', '0', '-', 'e', '\u0000', '\ud800'), (json, at, put) => {
      const text = JSON.stringify(json)
      const damaged = text.slice(0, at % (text.length + 1)) + put + text.slice((at % (text.length + 1)) + 1)
      const read = attempt(() => JsonReader.parse(damaged))
      fc.pre(read !== REFUSED)
      expect(JSON.parse(damaged)).toEqual(typeof read === 'bigint' ? Number(read) : read)
    }),
  )
})

test('integers keep 64 bits', () => {
  expect(JsonReader.parse('[9007199254740991, 9007199254740993, -9223372036854775808, 9223372036854775807]')).toEqual([
    9007199254740991,
    9007199254740993n,
    -9223372036854775808n,
    9223372036854775807n,
  ])
})

test.each([
  '1.0',
  '1e3',
  '-0',
  '01',
  '+1',
  '.5',
  '1.',
  '9223372036854775808',
  '-9223372036854775809',
  '1e999',
  'NaN',
  'tru',
  '',
  '[1,]',
  '{"a":1,}',
  '{a:1}',
  '"\\x"',
  '"a\nb"',
  '[1] 2',
])('%j is refused', (text) => {
  expect(() => JsonReader.parse(text)).toThrow(JsonProblem)
})

test('a key that stands twice, however written, half a surrogate pair, and bottomless nesting are refused', () => {
  expect(() => JsonReader.parse(String.raw`{"a":1,"\u0061":2}`)).toThrow(/twice/)
  expect(() => JsonReader.parse(String.raw`{"__proto__":1,"__proto__":2}`)).toThrow(/twice/)
  expect(() => JsonReader.parse(String.raw`["\udc00"]`)).toThrow(/surrogate/)
  expect(() => JsonReader.parse('['.repeat(1_000_000))).toThrow(/nested/)
})

test('__proto__ is a key like any other', () => {
  const read = JsonReader.parse('{"__proto__":{"a":1}}') as object
  expect(Object.keys(read)).toEqual(['__proto__'])
  expect(Object.getPrototypeOf(read)).toBe(Object.prototype)
})
