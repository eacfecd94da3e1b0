/** The functions of the extension types, by name: what they take, what they give. */
import { Datetime, Duration, parseDatetime, parseDuration } from './datetime.ts'
import { Decimal, parseDecimal } from './decimal.ts'
import { EvaluationFailure, typeFailure } from './evaluation-failure.ts'
import { Ip, parseIp } from './ip.ts'
import type { Value } from './values.ts'

export type ExtensionType = 'decimal' | 'ipaddr' | 'datetime' | 'duration'
type Kind = ExtensionType | 'string'

export type ExtensionFunction = {
  takes: readonly Kind[]
  gives: ExtensionType | 'bool' | 'long'
  call(args: readonly Value[]): Value
}

const CLASSES = { decimal: Decimal, ipaddr: Ip, datetime: Datetime, duration: Duration }
type Argument<K extends Kind> = K extends ExtensionType ? InstanceType<(typeof CLASSES)[K]> : string

const isA = (kind: Kind, value: unknown) => (kind === 'string' ? typeof value === 'string' : value instanceof CLASSES[kind])

function checked<K extends Kind>(kind: K, value: Value | undefined): Argument<K> {
  if (!isA(kind, value)) throw typeFailure(kind, value as Value)
  return value as Argument<K>
}

function unary<K extends Kind>(kind: K, gives: ExtensionFunction['gives'], run: (value: Argument<K>) => Value): ExtensionFunction {
  return { takes: [kind], gives, call: (args) => run(checked(kind, args[0])) }
}

function binary<K extends Kind, L extends Kind>(
  kinds: readonly [K, L],
  gives: ExtensionFunction['gives'],
  run: (left: Argument<K>, right: Argument<L>) => Value,
): ExtensionFunction {
  return {
    takes: kinds,
    gives,
    call: (args) => {
      const left = checked(kinds[0], args[0])
      return run(left, checked(kinds[1], args[1]))
    },
  }
}

/** A constructor: its text is read by the type's own rules. */
function constructor(gives: ExtensionType, parse: (text: string) => Value): ExtensionFunction {
  return unary('string', gives, (text) => {
    const read = parse(text)
    if (typeof read === 'string')
      throw new EvaluationFailure('EXTENSION', `error while evaluating \`${gives}\` extension function: ${read}`)
    return read
  })
}

const decimals = ['decimal', 'decimal'] as const

export const EXTENSION_FUNCTIONS: ReadonlyMap<string, ExtensionFunction> = new Map([
  ['decimal', constructor('decimal', parseDecimal)],
  ['lessThan', binary(decimals, 'bool', (a, b) => a.units < b.units)],
  ['lessThanOrEqual', binary(decimals, 'bool', (a, b) => a.units <= b.units)],
  ['greaterThan', binary(decimals, 'bool', (a, b) => a.units > b.units)],
  ['greaterThanOrEqual', binary(decimals, 'bool', (a, b) => a.units >= b.units)],
  ['ip', constructor('ipaddr', parseIp)],
  ['isIpv4', unary('ipaddr', 'bool', (ip) => ip.version === 4)],
  ['isIpv6', unary('ipaddr', 'bool', (ip) => ip.version === 6)],
  ['isLoopback', unary('ipaddr', 'bool', (ip) => ip.isLoopback())],
  ['isMulticast', unary('ipaddr', 'bool', (ip) => ip.isMulticast())],
  ['isInRange', binary(['ipaddr', 'ipaddr'], 'bool', (ip, range) => ip.isInRange(range))],
  ['datetime', constructor('datetime', parseDatetime)],
  ['duration', constructor('duration', parseDuration)],
  ['offset', binary(['datetime', 'duration'], 'datetime', (at, by) => at.offset(by))],
  ['durationSince', binary(['datetime', 'datetime'], 'duration', (at, other) => at.durationSince(other))],
  ['toDate', unary('datetime', 'datetime', (at) => at.toDate())],
  ['toTime', unary('datetime', 'duration', (at) => at.toTime())],
  ['toMilliseconds', unary('duration', 'long', (span) => span.ms)],
  ['toSeconds', unary('duration', 'long', (span) => span.in(1000))],
  ['toMinutes', unary('duration', 'long', (span) => span.in(60_000))],
  ['toHours', unary('duration', 'long', (span) => span.in(3_600_000))],
  ['toDays', unary('duration', 'long', (span) => span.in(86_400_000))],
])

/** The constructor that text stands for where a value of that type is expected. */
export const CONSTRUCTORS: Readonly<Record<ExtensionType, string>> = {
  decimal: 'decimal',
  ipaddr: 'ip',
  datetime: 'datetime',
  duration: 'duration',
}

export function callExtension(name: string, fn: ExtensionFunction, args: readonly Value[]): Value {
  if (args.length !== fn.takes.length) {
    throw new EvaluationFailure('ARGUMENTS', `\`${name}\` takes ${fn.takes.length} argument(s), got ${args.length}`)
  }
  return fn.call(args)
}
