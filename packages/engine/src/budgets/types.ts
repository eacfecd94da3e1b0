/** The words of this room: a budget as it applies, whose it is, and what a call takes of it. */
import type { Part } from '@ephor/engine/ledger'

export type Period = 'hour' | 'day' | 'week'

/** One budget of the charter. */
export type Terms = {
  budget: string
  per: 'agent' | 'session' | 'person'
  period: Period
  /** `calls`, `bytes`, `tokens`, or a currency, whose minor units are counted. */
  unit: string
  limit: number
}

/** `certain`: what of `amount` is no reserve; absent when nothing is. */
export type Charge = Terms & { amount: number; certain?: number }

/** Whose budgets a call takes from: proven by its credential, and digests of what the agent chose. */
export type Subjects = { agent: string; session: string; person: string | undefined }

/** A charge in its period: what was taken, and what the outcome settles. */
export type Spend = Omit<Charge, 'per' | 'limit'> & { subject: string; /** ms since 1970 */ start: number }

/** `frees`: ms since 1970. */
export type Use = { used: number; left: number; limit: number; frees: number }

/** What is known of a call's use when it has ended; what is not keeps its reserve. */
export type Actual = { bytes?: number | undefined; tokens?: number | undefined }

export interface Budgets {
  /** What is used of each, by the budget's name. */
  uses(terms: readonly Terms[], subjects: Subjects, now: number): Promise<Record<string, Use>>
  /**
   * Takes the charges, in one unit with the decision that they are for: all of them, or the unit fails as a whole with
   * BUDGET_EXHAUSTED. However many units race, no sum passes its limit.
   */
  spend(charges: readonly Charge[], subjects: Subjects, now: number): { spends: Spend[]; part: Part }
  /** Which of the charges do not fit now, in words: after a unit has failed with BUDGET_EXHAUSTED. */
  explain(charges: readonly Charge[], subjects: Subjects, now: number): Promise<string>
  /** Replaces reserves by what was used, in one unit with the outcome. */
  settle(spends: readonly Spend[], actual: Actual): { settled: { budget: string; amount: number }[]; part: Part }
  /** Who used how much of it in this period, most first. */
  list(terms: Pick<Terms, 'budget' | 'unit' | 'period'>, now: number, limit: number): Promise<{ subject: string; used: number }[]>
  close(): void
}
