/** Reads what a call would pay from its arguments, exactly: minor units as a whole number, or what is wrong. */
import type { JsonObject } from '@ephor/engine/kernel'
import type { Charter } from './charter.ts'

/** `value` in minor units, a safe integer. */
export type Amount = { value: number; currency: string }

type AmountTerms = NonNullable<Charter['tools'][string]['amount']>

/** RFC 6901; own members only, so that no pointer leads into a prototype. */
function valueAt(input: JsonObject, pointer: string): unknown {
  let value: unknown = input
  for (const part of pointer.slice(1).split('/')) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

/** Digit by digit: 0.29 * 100 is not 29 in floating point. */
function toMinor(value: unknown, decimals: number): number | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined
  const match = /^(\d{1,16})(?:\.(\d{1,20}))?$/.exec(String(value))
  if (!match) return undefined
  const [, whole = '', fraction = ''] = match
  const minor = fraction.slice(0, decimals).padEnd(decimals, '0')
  if (/[1-9]/.test(fraction.slice(decimals))) return undefined
  const amount = BigInt(whole + minor)
  return amount <= Number.MAX_SAFE_INTEGER ? Number(amount) : undefined
}

/** @returns the amount, or one sentence without any value that the agent sent */
export function readAmount({ at, currency, decimals }: AmountTerms, input: JsonObject): Amount | string {
  const value = toMinor(valueAt(input, at), decimals)
  if (value === undefined)
    return `${at} must be an amount: not negative, with at most ${decimals} decimals, and not beyond 2^53 minor units`
  if (!currency.startsWith('/')) return { value, currency }
  const named = valueAt(input, currency)
  if (typeof named !== 'string' || !/^[A-Za-z]{3}$/.test(named)) return `${currency} must be a currency of three letters (ISO 4217)`
  return { value, currency: named.toUpperCase() }
}
