/** Decimals: what text is one, and how they compare. */
import { describe, expect, test } from 'vitest'
import { outcome } from './decide.fixture.ts'
import { parseDecimal } from './decimal.ts'

describe('text that is a decimal', () => {
  test.each([
    ['1.0', '1.0000'],
    ['-0.5', '-0.5000'],
    ['-0.0', '0.0000'],
    ['0012.3400', '12.3400'],
    ['922337203685477.5807', '922337203685477.5807'],
    ['-922337203685477.5808', '-922337203685477.5808'],
  ])('%s reads as %s', (text, canonical) => {
    expect(parseDecimal(text)).toMatchObject({ typeName: 'decimal' })
    expect(Object(parseDecimal(text)).toJson()).toEqual({ __extn: { fn: 'decimal', arg: canonical } })
  })
})

test.each(['1', '1.', '.5', '+1.0', '--1.0', '1.0 ', '1,0', '1.0e1', '١.٠', '1.0\n', ''])('%j is no decimal', (text) => {
  expect(parseDecimal(text)).toContain('not a well-formed decimal')
})

test('five fractional digits are too many, whatever they are', () => {
  expect(parseDecimal('1.00000')).toContain('too many digits')
})

test.each(['922337203685477.5808', '-922337203685477.5809', `${'9'.repeat(100_000)}.0`])('beyond 64 bits it overflows', (text) => {
  expect(parseDecimal(text)).toContain('overflow')
})

test('decimals compare by their methods alone', () => {
  expect(outcome('decimal("1.5").lessThan(decimal("1.50"))')).toBe(false)
  expect(outcome('decimal("1.5").lessThanOrEqual(decimal("1.50"))')).toBe(true)
  expect(outcome('decimal("1.5") == decimal("1.50")')).toBe(true)
  expect(outcome('decimal("-922337203685477.5808").lessThan(decimal("922337203685477.5807"))')).toBe(true)
  expect(outcome('decimal("1.0").greaterThan(decimal("0.9999")) && decimal("1.0").greaterThanOrEqual(decimal("1.0"))')).toBe(true)
  expect(outcome('decimal("1.0") < decimal("2.0")')).toBe('TYPE')
  expect(outcome('decimal("1.0").lessThan("2.0")')).toBe('TYPE')
  expect(outcome('decimal(context.text) == decimal("1.0")', { text: 'x' })).toBe('EXTENSION')
})
