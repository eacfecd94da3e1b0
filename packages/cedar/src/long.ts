/** Cedar's Long: a 64-bit integer, held as a number where that is exact and as a bigint beyond. */
import { overflow } from './evaluation-failure.ts'

/** In normal form: a bigint only where a number would not be exact, so `===` compares. */
export type Long = number | bigint

const MAX = 2n ** 63n - 1n
const MIN = -(2n ** 63n)

/** The normal form, or undefined beyond 64 bits. */
export function toLong(value: bigint): Long | undefined {
  if (value >= -9007199254740991n && value <= 9007199254740991n) return Number(value)
  return value >= MIN && value <= MAX ? value : undefined
}

// A sum or product that comes out as a safe integer was never rounded: what is beyond 2^53 never rounds below it.
export function addLong(a: Long, b: Long): Long {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b
    if (Number.isSafeInteger(sum)) return sum
  }
  return toLong(BigInt(a) + BigInt(b)) ?? fail(`add ${a} and ${b}`)
}

export function subtractLong(a: Long, b: Long): Long {
  if (typeof a === 'number' && typeof b === 'number') {
    const difference = a - b
    if (Number.isSafeInteger(difference)) return difference
  }
  return toLong(BigInt(a) - BigInt(b)) ?? fail(`subtract ${b} from ${a}`)
}

export function multiplyLong(a: Long, b: Long): Long {
  if (typeof a === 'number' && typeof b === 'number') {
    const product = a * b
    if (Number.isSafeInteger(product)) return product + 0 // never -0
  }
  return toLong(BigInt(a) * BigInt(b)) ?? fail(`multiply ${a} by ${b}`)
}

export function negateLong(a: Long): Long {
  if (typeof a === 'number') return 0 - a
  return toLong(-a) ?? fail(`negate ${a}`)
}

/** Rounds towards zero. */
export function divideLong(a: Long, by: number): Long {
  if (typeof a === 'number') return Math.trunc(a / by) + 0
  return toLong(a / BigInt(by)) ?? fail(`divide ${a} by ${by}`)
}

/** What is left of the division, never negative. */
export function moduloLong(a: Long, by: number): number {
  const rest = typeof a === 'number' ? a % by : Number(a % BigInt(by))
  return rest < 0 ? rest + by : rest + 0
}

function fail(what: string): never {
  throw overflow(what)
}
