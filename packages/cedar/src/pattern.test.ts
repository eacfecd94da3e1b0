/** `like`: stars, literal stars, and characters beyond the basic plane. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { outcome } from './decide.fixture.ts'
import { compilePattern } from './pattern.ts'
import type { PatternJson } from './pattern.ts'

test.each([
  ['"" like ""', true],
  ['"" like "*"', true],
  ['"a" like ""', false],
  ['"a" like "a*a"', false],
  ['"aa" like "a*a"', true],
  ['"aXbXc" like "a*b*c"', true],
  ['"abab" like "*ab"', true],
  ['"aba" like "*a*b*a*"', true],
  ['"a*b" like "a\\*b"', true],
  ['"axb" like "a\\*b"', false],
  ['"a😀b" like "a*b"', true],
  ['"😀" like "😀*"', true],
  ['"e\\u{301}" like "\\u{e9}"', false],
  ['"/srv/../etc/passwd" like "/srv/*"', true],
])('%s is %s', (condition, expected) => {
  expect(outcome(condition)).toBe(expected)
})

test('it matches as trying every split does', () => {
  const element = fc.oneof(
    fc.constant('Wildcard' as const),
    fc.constantFrom('a', 'b', '😀').map((Literal) => ({ Literal })),
  )
  const slow = (pattern: PatternJson, text: string[]): boolean => {
    const [first, ...rest] = pattern
    if (first === undefined) return text.length === 0
    if (first === 'Wildcard') return text.some((_, i) => slow(rest, text.slice(i))) || slow(rest, [])
    return text[0] === first.Literal && slow(rest, text.slice(1))
  }
  const law = fc.property(
    fc.array(element, { maxLength: 6 }),
    fc.array(fc.constantFrom('a', 'b', '😀'), { maxLength: 8 }),
    (pattern, text) => {
      expect(compilePattern(pattern)(text.join(''))).toBe(slow(pattern, text))
    },
  )
  fc.assert(law, { numRuns: 2000 })
})

test('a text made to be slow is not', () => {
  const pattern: PatternJson = Array.from({ length: 100 }, () => ['Wildcard' as const, { Literal: 'a' }])
    .flat()
    .concat([{ Literal: 'b' }])
  expect(compilePattern(pattern)('a'.repeat(100_000))).toBe(false)
})
