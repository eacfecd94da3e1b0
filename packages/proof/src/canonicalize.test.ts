/** Canonical JSON: RFC 8785's own examples, and what must be refused. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalize } from './canonicalize.ts'

test('the examples of RFC 8785 come out as printed there', () => {
  // oxlint-disable-next-line no-loss-of-precision -- the RFC's own example
  const numbers = [333333333.33333329, 1e30, 4.5, 2e-3, 0.000000000000000000000000001]
  const value = { numbers, string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"\u002f', literals: [null, true, false] }
  expect(canonicalize(value)).toBe(
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  )
  const sorted = canonicalize({ '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, '\u00f6': 7 })
  expect(Object.values(JSON.parse(`[${[...sorted.matchAll(/:(\d)/g)].map((m) => m[1]).join()}]`))).toEqual([2, 4, 6, 7, 1, 5, 3])
})

test('keys that look like numbers are sorted as text', () => {
  expect(canonicalize({ 10: 1, 9: 2, a: 3 })).toBe('{"10":1,"9":2,"a":3}')
  expect(canonicalize(-0)).toBe('0')
})

test.each([
  ['undefined', undefined],
  ['undefined inside', { a: undefined }],
  ['a hole in an array', [, 1]], // oxlint-disable-line no-sparse-arrays
  ['NaN', [Number.NaN]],
  ['infinity', { a: Number.POSITIVE_INFINITY }],
  ['a lone surrogate', ['\ud800']],
  ['a lone surrogate in a key', { '\udc00': 1 }],
  ['a Map', new Map()],
  ['a Date', { at: new Date(0) }],
  ['bytes', new Uint8Array(1)],
  ['a function', () => 1],
  ['a big integer', 1n],
])('%s is refused', (_, value) => {
  expect(() => canonicalize(value)).toThrow(expect.objectContaining({ code: 'CANONICAL_INVALID' }) as Error)
})

test('a value that contains itself is refused, not followed for ever', () => {
  const loop: Record<string, unknown> = {}
  loop['self'] = loop
  expect(() => canonicalize(loop)).toThrow('deep')
})

test('canonical text parses to the same value and is its own canonical form', () => {
  fc.assert(
    fc.property(fc.jsonValue({ depthSize: 'medium' }), (value) => {
      fc.pre(JSON.stringify(value).isWellFormed() && !/\\ud[89a-f]/.test(JSON.stringify(value)))
      const text = canonicalize(value)
      expect(canonicalize(JSON.parse(text))).toBe(text)
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})

test('the order of keys does not change the text', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.integer()), (object) => {
      const reversed = Object.fromEntries(Object.entries(object).toReversed())
      expect(canonicalize(reversed)).toBe(canonicalize(Object.fromEntries(Object.entries(object))))
    }),
  )
})
