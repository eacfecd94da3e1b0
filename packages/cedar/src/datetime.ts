/** Cedar's datetime and duration, both milliseconds in 64 bits, read by the strict rules of the official engine. */
import { addLong, divideLong, moduloLong, subtractLong, toLong } from './long.ts'
import type { Long } from './long.ts'
import type { ValueJson } from './json.ts'
import { ExtensionValue } from './values.ts'

const DAY = 86_400_000
const FIRST = Date.parse('0000-01-01')
const LAST = Date.parse('9999-12-31T23:59:59.999Z')

export class Datetime extends ExtensionValue {
  readonly typeName = 'datetime'
  /** Milliseconds since 1970-01-01 UTC. */
  readonly ms: Long

  constructor(ms: Long) {
    super()
    this.ms = ms
  }

  get key(): string {
    return `t${this.ms}`
  }

  offset(duration: Duration): Datetime {
    return new Datetime(addLong(this.ms, duration.ms))
  }

  durationSince(other: Datetime): Duration {
    return new Duration(subtractLong(this.ms, other.ms))
  }

  toDate(): Datetime {
    return new Datetime(subtractLong(this.ms, moduloLong(this.ms, DAY)))
  }

  toTime(): Duration {
    return new Duration(moduloLong(this.ms, DAY))
  }

  toJson(): ValueJson {
    // Only the years 0 to 9999 can be written as a date.
    if (typeof this.ms === 'number' && this.ms >= FIRST && this.ms <= LAST) {
      return { __extn: { fn: 'datetime', arg: new Date(this.ms).toISOString() } }
    }
    const epoch = { __extn: { fn: 'datetime', arg: '1970-01-01' } }
    return { __extn: { fn: 'offset', args: [epoch, new Duration(this.ms).toJson()] } }
  }
}

export class Duration extends ExtensionValue {
  readonly typeName = 'duration'
  readonly ms: Long

  constructor(ms: Long) {
    super()
    this.ms = ms
  }

  get key(): string {
    return `u${this.ms}`
  }

  /** Whole units, rounded towards zero. */
  in(unitMs: number): Long {
    return divideLong(this.ms, unitMs)
  }

  toJson(): ValueJson {
    return { __extn: { fn: 'duration', arg: `${this.ms}ms` } }
  }
}

/** @returns what is wrong with the text, where it is no date */
export function parseDatetime(text: string): Datetime | string {
  const match =
    /^([0-9]{4})-([0-9]{2})-([0-9]{2})(?:T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{3}))?(?:Z|([+-])([0-9]{2})([0-9]{2})))?$/.exec(text)
  if (!match) return `\`${text}\` is no valid datetime`
  const field = (i: number) => Number(match[i] ?? 0)
  const [year, month, day, hour, minute, second] = [field(1), field(2), field(3), field(4), field(5), field(6)]
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day) // unlike Date.UTC, it takes the years 0 to 99 as they are
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return `\`${text}\` has no valid date`
  if (hour > 23 || minute > 59 || second > 59) return `\`${text}\` has no valid time`
  if (field(9) > 23 || field(10) > 59) return `\`${text}\` has no valid offset`
  const offset = (field(9) * 60 + field(10)) * 60_000 * (match[8] === '-' ? -1 : 1)
  return new Datetime(date.getTime() + ((hour * 60 + minute) * 60 + second) * 1000 + field(7) - offset)
}

const UNITS = [86_400_000n, 3_600_000n, 60_000n, 1000n, 1n]

/** @returns what is wrong with the text, where it is no duration */
export function parseDuration(text: string): Duration | string {
  const match = /^(-?)(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?$/.exec(text)
  if (!match || text === '' || text === '-') return `\`${text}\` is no valid duration`
  let sum = 0n
  for (const [i, unit] of UNITS.entries()) {
    const digits = (match[i + 2] ?? '0').replace(/^0+(?=.)/, '')
    if (digits.length > 20) return 'duration overflows 64 bits' // before a long text becomes a long multiplication
    sum += BigInt(digits) * unit
  }
  const ms = toLong(match[1] === '-' ? -sum : sum)
  return ms === undefined ? 'duration overflows 64 bits' : new Duration(ms)
}
