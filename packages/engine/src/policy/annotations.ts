/** What our annotations say: `@approval`, `@obligation`. Cedar does not type annotations, so they are parsed here, strictly. */
import type { Obligation } from './types.ts'

/** The annotations that mean something; any other is a typing error that would silently drop what it was meant to do. */
export const ANNOTATIONS = ['id', 'reason', 'approval', 'obligation'] as const

type WithoutPolicy<T> = T extends unknown ? Omit<T, 'policy'> : never
export type ObligationTerm = WithoutPolicy<Obligation>
export type ApprovalTerms = { deadlineMs?: number; group?: string }

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const HOUR = 3_600_000
const DAY = 86_400_000

/** @returns milliseconds; undefined unless it is a positive whole number and a unit, as in `15m` */
function parseDuration(text: string, max: number): number | undefined {
  const match = /^([1-9]\d{0,8})(ms|s|m|h|d)$/.exec(text)
  const ms = match ? Number(match[1]) * (UNITS[match[2] ?? ''] ?? Number.NaN) : Number.NaN
  return ms <= max ? ms : undefined
}

/** @returns the terms, or what is wrong with them */
export function parseApproval(text: string): ApprovalTerms | string {
  const terms: ApprovalTerms = {}
  for (const term of text.split(' ').filter((part) => part !== '')) {
    const [key = '', value = ''] = term.split(/:(.*)/s)
    if (key === 'deadline' && terms.deadlineMs === undefined) {
      const ms = parseDuration(value, 30 * DAY)
      if (ms === undefined) return `deadline must be a time of at most 30 days such as deadline:15m, not "${value}"`
      terms.deadlineMs = ms
    } else if (key === 'group' && terms.group === undefined) {
      if (!/^[a-z][a-z0-9-]{0,62}$/.test(value)) return `group must be a lower-case name such as group:finance, not "${value}"`
      terms.group = value
    } else if (key === 'deadline' || key === 'group') return `${key} stands twice`
    else return `"${key}" is not a term of @approval: there are deadline and group`
  }
  return terms
}

/** @returns the obligations in the order written, or what is wrong with them */
export function parseObligations(text: string): ObligationTerm[] | string {
  const found: ObligationTerm[] = []
  for (const term of text.split(';').map((part) => part.trim())) {
    const [kind = '', value = ''] = term.split(/:(.*)/s)
    if (kind === 'limit') {
      const match = /^([1-9]\d{0,6})\/(minute|hour|day)$/.exec(value)
      if (!match) return `limit must be a count and a period such as limit:60/minute, not "${value}"`
      found.push({ kind, count: Number(match[1]), per: match[2] as 'minute' | 'hour' | 'day' })
    } else if (kind === 'timeout') {
      const ms = parseDuration(value, HOUR)
      if (ms === undefined) return `timeout must be a time of at most an hour such as timeout:30s, not "${value}"`
      found.push({ kind, ms })
    } else return `"${kind}" is not an obligation: there are limit and timeout`
  }
  return found
}

const PERIODS = ['minute', 'hour', 'day'] as const

/** The strictest of each kind (and, for limits, of each period): time-out first, then limits by period. */
export function mergeObligations(all: readonly Obligation[]): Obligation[] {
  const merged: Obligation[] = []
  const timeouts = all.filter((one) => one.kind === 'timeout').toSorted((a, b) => a.ms - b.ms)
  if (timeouts[0]) merged.push(timeouts[0])
  for (const per of PERIODS) {
    const limits = all.filter((one) => one.kind === 'limit' && one.per === per) as Extract<Obligation, { kind: 'limit' }>[]
    const strictest = limits.toSorted((a, b) => a.count - b.count)[0]
    if (strictest) merged.push(strictest)
  }
  return merged
}
