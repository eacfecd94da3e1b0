/** Strict JSON: what an agent can send to make two readers disagree, and that it is refused. */
import { Fault } from '@ephor/contract'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseJson } from './parse-json.ts'

function faultOf(text: string | Uint8Array, limits = {}): string {
  try {
    parseJson(text, limits)
    return 'accepted'
  } catch (error) {
    return error instanceof Fault ? error.code : `not a fault: ${String(error)}`
  }
}

test('plain JSON means what it says', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      const text = JSON.stringify(value)
      fc.pre(text.isWellFormed() && !text.includes('__proto__') && !/\\ud[89a-f]/i.test(text))
      expect(parseJson(text)).toEqual(JSON.parse(text))
    }),
  )
})

test.each([
  ['{"a":1,"a":2}'],
  ['{"a":1,"\\u0061":2}'],
  ['{"x":{"a":[1,{"b":1,"b":2}]}}'],
  ['{"a":"{\\"a\\":1}","b":1,"a":2}'],
  ['[{"a\\\\":1,"a\\\\":2}]'],
])('a key that stands twice is refused: %s', (text) => {
  expect(faultOf(text)).toBe('JSON_INVALID')
})

test.each([['{"a":{"b":1},"b":1}'], ['[{"a":1},{"a":1}]'], ['{"a":"a","b":["a","a"]}'], ['{"a\\"":1,"a":2}']])(
  'keys that only look alike are not duplicates: %s',
  (text) => expect(faultOf(text)).toBe('accepted'),
)

test('depth is counted before anything recurses', () => {
  expect(faultOf('['.repeat(64) + ']'.repeat(64))).toBe('accepted')
  expect(faultOf('['.repeat(65) + ']'.repeat(65))).toBe('BODY_TOO_DEEP')
  expect(faultOf('{"a":'.repeat(500_000), { maxBytes: 1e7 })).toBe('BODY_TOO_DEEP')
  expect(faultOf(`["${'['.repeat(1000)}"]`)).toBe('accepted')
})

test('a very long array is only long', () => {
  expect(faultOf(`[${'0,'.repeat(500_000)}0]`, { maxBytes: 2e6 })).toBe('accepted')
})

test('a body over the limit is refused whole, one of the limit is not', () => {
  expect(faultOf(`"${'x'.repeat(98)}"`, { maxBytes: 100 })).toBe('accepted')
  expect(faultOf(`"${'x'.repeat(99)}"`, { maxBytes: 100 })).toBe('BODY_TOO_LARGE')
  expect(faultOf(`"${'é'.repeat(50)}"`, { maxBytes: 100 })).toBe('BODY_TOO_LARGE')
})

test.each([
  ['bytes that are not UTF-8', new Uint8Array([0x22, 0xff, 0x22])],
  ['an overlong encoding', new Uint8Array([0x22, 0xc0, 0xaf, 0x22])],
  ['a byte order mark', new Uint8Array([0xef, 0xbb, 0xbf, 0x31])],
  ['half a surrogate pair', '"\\ud800"'],
  ['half a surrogate pair in a key', '{"\\udc00":1}'],
  ['__proto__', '{"__proto__":{"admin":true}}'],
  ['two values', '1 2'],
  ['a trailing comma', '[1,]'],
  ['NaN', '{"a":NaN}'],
  ['nothing', ''],
])('%s is refused', (_, text) => {
  expect(faultOf(text)).toBe('JSON_INVALID')
})
