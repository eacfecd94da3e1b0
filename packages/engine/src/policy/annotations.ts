/** What our annotations say. Cedar does not type annotations, so they are parsed here, strictly. */
import { isRedactionCategory, REDACTION_CATEGORIES } from '@ephor/contract'
import { nearest } from './nearest.ts'
import type { Obligation } from './types.ts'

/** The annotations that mean something; any other is a typing error that would silently drop what it was meant to do. */
export const ANNOTATIONS = ['id', 'reason', 'approval', 'obligation', 'control', 'owner', 'severity'] as const
export const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const

type WithoutPolicy<T> = T extends unknown ? Omit<T, 'policy'> : never
export type ObligationTerm = WithoutPolicy<Obligation>
export type ApprovalTerms = { deadlineMs?: number; group?: string; quorum: number; escalate?: string }
export type Severity = (typeof SEVERITIES)[number]

/** What is wrong with an annotation, and with which part of its text. */
export type Mistake = { message: string; part: string; suggestion?: string }
export const isMistake = (parsed: object): parsed is Mistake => 'message' in parsed

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const HOUR = 3_600_000
const DAY = 86_400_000
const MAX_QUORUM = 20
const MAX_WITNESSES = 20
const NAME = /^[a-z][a-z0-9-]{0,62}$/

const mistake = (part: string, message: string, suggestion?: string): Mistake => ({
  part,
  message,
  ...(suggestion === undefined ? {} : { suggestion }),
})

function unknown(word: string, of: string, known: readonly string[], rest: string): Mistake {
  const near = nearest(word, known)
  return mistake(
    word,
    `"${word}" is not ${of}: there are ${known.join(', ')}`,
    near === undefined ? undefined : `did you mean ${near}${rest}?`,
  )
}

/** @returns milliseconds; undefined unless it is a positive whole number and a unit, as in `15m` */
function parseDuration(text: string, max: number): number | undefined {
  const match = /^([1-9]\d{0,8})(ms|s|m|h|d)$/.exec(text)
  const ms = match ? Number(match[1]) * (UNITS[match[2] ?? ''] ?? Number.NaN) : Number.NaN
  return ms <= max ? ms : undefined
}

/** `key:value`, divided at the first colon. */
function divide(term: string): [key: string, value: string] {
  const [key = '', value = ''] = term.split(/:(.*)/s)
  return [key, value]
}

const APPROVAL: Record<string, (value: string) => Partial<ApprovalTerms> | string> = {
  group: (value) => (NAME.test(value) ? { group: value } : `group must be a lower-case name such as group:finance, not "${value}"`),
  quorum(value) {
    const quorum = /^[1-9]\d?$/.test(value) ? Number(value) : Number.NaN
    return quorum <= MAX_QUORUM ? { quorum } : `quorum must be a number of people from 1 to ${MAX_QUORUM} such as quorum:2, not "${value}"`
  },
  deadline(value) {
    const deadlineMs = parseDuration(value, 30 * DAY)
    return deadlineMs === undefined ? `deadline must be a time of at most 30 days such as deadline:15m, not "${value}"` : { deadlineMs }
  },
  escalate: (value) => (NAME.test(value) ? { escalate: value } : `escalate must name a group such as escalate:cfo, not "${value}"`),
}

/** `group:finance quorum:2 deadline:15m escalate:cfo`, each at most once, in any order. */
export function parseApproval(text: string): ApprovalTerms | Mistake {
  let terms: ApprovalTerms = { quorum: 1 }
  const seen = new Set<string>()
  for (const term of text.split(' ').filter((part) => part !== '')) {
    const [key, value] = divide(term)
    const parse = Object.hasOwn(APPROVAL, key) ? APPROVAL[key] : undefined
    if (!parse) return unknown(key, 'a term of @approval', Object.keys(APPROVAL), `:${value}`)
    if (seen.has(key)) return mistake(term, `${key} stands twice`)
    seen.add(key)
    const parsed = parse(value)
    if (typeof parsed === 'string') return mistake(term, parsed)
    terms = { ...terms, ...parsed }
  }
  if (terms.escalate !== undefined && terms.escalate === terms.group)
    return mistake(`escalate:${terms.escalate}`, 'escalate names the group that is asked already')
  return terms
}

const OBLIGATIONS: Record<string, (value: string) => ObligationTerm | Mistake | string> = {
  limit(value) {
    const match = /^([1-9]\d{0,6})\/(minute|hour|day)$/.exec(value)
    if (!match) return `limit must be a count and a period such as limit:60/minute, not "${value}"`
    return { kind: 'limit', count: Number(match[1]), per: match[2] as 'minute' | 'hour' | 'day' }
  },
  timeout(value) {
    const ms = parseDuration(value, HOUR)
    return ms === undefined ? `timeout must be a time of at most an hour such as timeout:30s, not "${value}"` : { kind: 'timeout', ms }
  },
  redact: (value) =>
    isRedactionCategory(value)
      ? { kind: 'redact', category: value }
      : unknown(value, 'a kind of data that can be found', REDACTION_CATEGORIES, ''),
  sandbox: (value) =>
    NAME.test(value) ? { kind: 'sandbox', profile: value } : `sandbox must name a profile such as sandbox:gvisor, not "${value}"`,
  review: (value) =>
    /^(?:[1-9]\d?|100)%$/.test(value)
      ? { kind: 'review', percent: Number(value.slice(0, -1)) }
      : `review must be a share of 1% to 100% such as review:5%, not "${value}"`,
  witnessed(value) {
    if (value === '') return { kind: 'witnessed' }
    const count = /^[1-9]\d?$/.test(value) ? Number(value) : Number.NaN
    return count <= MAX_WITNESSES
      ? { kind: 'witnessed', count }
      : `witnessed must be a number of witnesses from 1 to ${MAX_WITNESSES} such as witnessed:2, not "${value}"`
  },
  log: (value) => (value === 'full' ? { kind: 'log', level: 'full' } : `log can only be log:full, not "${value}"`),
}

/** Several by `;`. @returns the obligations in the order written, or what is wrong with them */
export function parseObligations(text: string): ObligationTerm[] | Mistake {
  const found: ObligationTerm[] = []
  for (const term of text.split(';').map((part) => part.trim())) {
    const [kind, value] = divide(term)
    if (term.endsWith(':')) return mistake(term, `after the colon of "${term}" something is missing`)
    const parse = Object.hasOwn(OBLIGATIONS, kind) ? OBLIGATIONS[kind] : undefined
    if (!parse) return unknown(kind, 'an obligation', Object.keys(OBLIGATIONS), `:${value}`)
    const parsed = parse(value)
    if (typeof parsed === 'string') return mistake(term, parsed)
    if (isMistake(parsed)) return parsed
    found.push(parsed)
  }
  return found
}

/** `SOC2-CC6.1, ISO27001-A.5.15`: the controls that a policy carries out. */
export function parseControls(text: string): string[] | Mistake {
  const controls = text.split(',').map((part) => part.trim())
  for (const [i, control] of controls.entries()) {
    if (!/^[A-Za-z0-9][\w.:/()-]{0,63}$/.test(control))
      return mistake(control, `"${control}" is not the id of a control, such as SOC2-CC6.1; several are divided by commas`)
    if (controls.indexOf(control) < i) return mistake(control, `${control} stands twice`)
  }
  return controls
}

export function parseSeverity(text: string): Severity | Mistake {
  return SEVERITIES.find((one) => one === text) ?? unknown(text, 'a severity', SEVERITIES, '')
}
