/** Periods and sums: pure rules of budgets. */
import type { Actual, Charge, Period, Spend, Subjects, Terms } from './types.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** Counters are kept far longer than any period, so that a clock that jumps by weeks forgets none that still counts. */
export const KEPT_MS = 60 * DAY
const LENGTH: Record<Period, number> = { hour: HOUR, day: DAY, week: 7 * DAY }
/** 1970 began on a Thursday: the first Monday was four days later. */
const FIRST: Record<Period, number> = { hour: 0, day: 0, week: 4 * DAY }

/** Periods begin on the hour, at midnight, and on Monday at midnight, in UTC. */
export function startOf(period: Period, now: number): number {
  return Math.floor((now - FIRST[period]) / LENGTH[period]) * LENGTH[period] + FIRST[period]
}

export const endOf = (period: Period, start: number): number => start + LENGTH[period]

/** A call for nobody in particular counts as the agent's own: an agent that leaves the person out has no budget without limit. */
export function subjectOf({ per }: Pick<Terms, 'per'>, { agent, session, person }: Subjects): string {
  if (per === 'session') return session
  return per === 'person' ? (person ?? agent) : agent
}

export function toSpend(charge: Charge, subjects: Subjects, now: number): Spend {
  const { budget, unit, period, amount, certain } = charge
  const spend = { budget, unit, period, amount, subject: subjectOf(charge, subjects), start: startOf(period, now) }
  return certain === undefined ? spend : { ...spend, certain }
}

/** How the sum changes when the use is known; undefined where nothing was reserved, or nothing is known. */
export function correctionOf({ unit, amount, certain }: Spend, actual: Actual): number | undefined {
  const known = unit === 'bytes' ? actual.bytes : unit === 'tokens' ? actual.tokens : undefined
  return certain === undefined || known === undefined ? undefined : certain + known - amount
}
