/** Cedar's extension functions for the solver: decimals in ten-thousandths, times in milliseconds. */
import type { ExprJson as Expr } from '@ephor/cedar'
import type { Encoded } from './encode-expression.ts'
import { keyOf } from './make-encoder.ts'
import { inLong } from './make-encoder.ts'
import type { Term } from './make-encoder.ts'
import { long, not, or } from './smt.ts'

const DAY = 86_400_000
const UNITS: Record<string, number> = { d: DAY, h: 3_600_000, m: 60_000, s: 1000, ms: 1 }

/** @returns undefined for a text that is none: what Cedar makes of it is then not known here */
function readDecimal(source: string): bigint | undefined {
  const match = /^(-?)(\d+)\.(\d{1,4})$/.exec(source)
  if (!match) return undefined
  const size = BigInt((match[2] ?? '') + (match[3] ?? '').padEnd(4, '0'))
  return match[1] === '-' ? -size : size
}

function readDatetime(source: string): bigint | undefined {
  if (!/^\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d{3})?(?:Z|[+-]\d{4}))?$/.test(source)) return undefined
  const ms = Date.parse(source.replace(/([+-]\d\d)(\d\d)$/, (all, hours, minutes) => (source.includes('T') ? `${hours}:${minutes}` : all)))
  return Number.isNaN(ms) ? undefined : BigInt(ms)
}

function readDuration(source: string): bigint | undefined {
  if (!/^-?(?=\d)(?:\d+d)?(?:\d+h)?(?:\d+m(?!s))?(?:\d+s)?(?:\d+ms)?$/.test(source)) return undefined
  let sum = 0n
  for (const [, count = '', unit = ''] of source.matchAll(/(\d+)(ms|[dhms])/g)) sum += BigInt(count) * BigInt(UNITS[unit] ?? 0)
  return source.startsWith('-') ? -sum : sum
}

const READERS = { decimal: readDecimal, datetime: readDatetime, duration: readDuration }
const COMPARISONS: Record<string, string> = { lessThan: '<', lessThanOrEqual: '<=', greaterThan: '>', greaterThanOrEqual: '>=' }
/** Methods that can't fail whatever they are called on. */
const SAFE = new Set(['isIpv4', 'isIpv6', 'isLoopback', 'isMulticast', 'isInRange'])

/** Whole units in a time span, cut off towards zero. */
const whole = (smt: string, unit: number) => `(ite (>= ${smt} 0) (div ${smt} ${unit}) (- (div (- ${smt}) ${unit})))`

function method(name: string, of: Term, argument: Term | undefined): { term: Term; overflows: boolean } | undefined {
  if (!('smt' in of)) return undefined
  const { smt } = of
  const other = argument && 'smt' in argument ? argument : undefined
  const sign = Object.hasOwn(COMPARISONS, name) ? COMPARISONS[name] : undefined
  if (sign !== undefined && of.kind === 'decimal' && other?.kind === 'decimal')
    return { term: { kind: 'bool', smt: `(${sign} ${smt} ${other.smt})` }, overflows: false }
  if (of.kind === 'datetime') {
    if (name === 'offset' && other?.kind === 'duration')
      return { term: { kind: 'datetime', smt: `(+ ${smt} ${other.smt})` }, overflows: true }
    if (name === 'durationSince' && other?.kind === 'datetime')
      return { term: { kind: 'duration', smt: `(- ${smt} ${other.smt})` }, overflows: true }
    if (name === 'toDate') return { term: { kind: 'datetime', smt: `(* (div ${smt} ${DAY}) ${DAY})` }, overflows: true }
    if (name === 'toTime') return { term: { kind: 'duration', smt: `(mod ${smt} ${DAY})` }, overflows: false }
  }
  const unit = { toMilliseconds: 1, toSeconds: 1000, toMinutes: 60_000, toHours: 3_600_000, toDays: DAY }[name]
  return of.kind === 'duration' && unit !== undefined ? { term: { kind: 'long', smt: whole(smt, unit) }, overflows: false } : undefined
}

/** @returns undefined for a function, or a text, whose value the solver can't hold */
export function encodeCall(name: string, parts: readonly Encoded[], expr: Expr): Encoded | undefined {
  const [first, second] = parts
  if (name === 'decimal' || name === 'datetime' || name === 'duration') {
    const [only] = (expr as Record<string, { Value?: unknown }[]>)[name] ?? []
    const value = typeof only?.Value === 'string' ? READERS[name](only.Value) : undefined
    const fits = value !== undefined && value >= -(2n ** 63n) && value < 2n ** 63n
    return fits ? { term: { kind: name, smt: long(value) }, err: 'false' } : undefined
  }
  const err = or(...parts.map((part) => part.err))
  const found = first && method(name, first.term, second?.term)
  if (found) return { term: found.term, err: found.overflows && 'smt' in found.term ? or(err, not(inLong(found.term.smt))) : err }
  return SAFE.has(name) ? { term: { kind: 'opaque', key: keyOf(expr) }, err } : undefined
}
