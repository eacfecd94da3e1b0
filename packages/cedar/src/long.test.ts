/** 64-bit integers: exact on both sides of 2^53, and an overflow is an error. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { outcome } from './decide.fixture.ts'
import { addLong, divideLong, moduloLong, multiplyLong, negateLong, subtractLong, toLong } from './long.ts'
import type { Long } from './long.ts'

const anyLong = fc
  .oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.bigInt({ min: -(2n ** 33n), max: 2n ** 33n }),
    fc.constantFrom(0n, 2n ** 53n, -(2n ** 63n)),
  )
  .map((value) => toLong(value) as Long)

const orFailure = (work: () => Long): Long | undefined => {
  try {
    return work()
  } catch {
    return undefined
  }
}

test('arithmetic is that of 64-bit integers', () => {
  const law = fc.property(anyLong, anyLong, (a, b) => {
    expect(orFailure(() => addLong(a, b))).toBe(toLong(BigInt(a) + BigInt(b)))
    expect(orFailure(() => subtractLong(a, b))).toBe(toLong(BigInt(a) - BigInt(b)))
    expect(orFailure(() => multiplyLong(a, b))).toBe(toLong(BigInt(a) * BigInt(b)))
    expect(orFailure(() => negateLong(a))).toBe(toLong(-BigInt(a)))
    expect(divideLong(a, 1000)).toBe(toLong(BigInt(a) / 1000n))
    expect(moduloLong(a, 1000)).toBe(Number(((BigInt(a) % 1000n) + 1000n) % 1000n))
  })
  fc.assert(law, { numRuns: 2000 })
})

test('literals keep all their digits', () => {
  expect(outcome('9007199254740993 == 9007199254740992')).toBe(false)
  expect(outcome('9223372036854775807 - 1 == 9223372036854775806')).toBe(true)
  expect(outcome('context.n == 9223372036854775807', { n: 9223372036854775807n })).toBe(true)
  expect(outcome('context.n == -9223372036854775808', { n: -9223372036854775808n })).toBe(true)
})

test('the first integer beyond either end is an error', () => {
  expect(outcome('9223372036854775807 + 1 > 0')).toBe('OVERFLOW')
  expect(outcome('-9223372036854775808 - 1 < 0')).toBe('OVERFLOW')
  expect(outcome('-context.n > 0', { n: -9223372036854775808n })).toBe('OVERFLOW')
  expect(outcome('context.n * context.n > 0', { n: 3037000500 })).toBe('OVERFLOW')
  expect(outcome('context.n * context.n == 9223372030926249001', { n: 3037000499 })).toBe(true)
})

test('both sides are looked at before either is found to be no integer', () => {
  expect(outcome('"a" + context.missing > 0')).toBe('ATTRIBUTE')
  expect(outcome('"a" + 1 > 0')).toBe('TYPE')
})
