/** Opens the room: what is used of budgets, and the changes by which calls take from them. */
import { isoTime } from '@ephor/engine/kernel'
import type { Clock, Logger, Store } from '@ephor/engine/kernel'
import { correctionOf, endOf, KEPT_MS, startOf, subjectOf, toSpend } from './rules.ts'
import { correct, forgetBefore, listUsed, readUsed, take } from './store.ts'
import type { Budgets, Charge, Subjects, Terms, Use } from './types.ts'

export type BudgetsOptions = { store: Store; clock: Clock; log: Logger }

const HOUR_MS = 3_600_000

async function useOf(store: Store, terms: Terms, subjects: Subjects, now: number): Promise<Use> {
  const { period, limit } = terms
  const start = startOf(period, now)
  const used = await readUsed(store, { ...terms, subject: subjectOf(terms, subjects), start })
  // A limit that was lowered holds at once, and leaves nothing rather than less.
  return { used, left: Math.max(0, limit - used), limit, frees: endOf(period, start) }
}

async function explain(store: Store, charges: readonly Charge[], subjects: Subjects, now: number): Promise<string> {
  const said: string[] = []
  for (const charge of charges) {
    const { used, left, limit, frees } = await useOf(store, charge, subjects, now)
    if (charge.amount <= left) continue
    const unit = /^[A-Z]{3}$/.test(charge.unit) ? `${charge.unit} (minor units)` : charge.unit
    const what = `of the budget ${charge.budget}, ${used} of ${limit} ${unit} an ${charge.per} a ${charge.period} are used`
    said.push(`${what.replace(/ an (person|session)/, ' a $1')}, and this call takes more than is left; it frees at ${isoTime(frees)}`)
  }
  return said.length > 0 ? said.join('; ') : 'calls that came at the same time took what was left of a budget'
}

export function openBudgets({ store, clock, log }: BudgetsOptions): Budgets {
  const forget = () => {
    store
      .commit({ changes: [forgetBefore(clock.now() - KEPT_MS)] })
      .catch((error: unknown) => log.warn({ err: error }, 'old counters of budgets could not be removed; it is tried again'))
  }
  const timer = setInterval(forget, HOUR_MS)
  timer.unref()

  return {
    async uses(terms, subjects, now) {
      const uses = await Promise.all(terms.map(async (one) => [one.budget, await useOf(store, one, subjects, now)] as const))
      return Object.fromEntries(uses)
    },
    spend(charges, subjects, now) {
      const taken = charges.map((charge) => ({ spend: toSpend(charge, subjects, now), limit: charge.limit }))
      const changes = taken.map(({ spend, limit }) => take(spend, limit))
      return { spends: taken.map(({ spend }) => spend), part: { changes, entries: [] } }
    },
    explain: (charges, subjects, now) => explain(store, charges, subjects, now),
    settle(spends, actual) {
      const corrected = spends.flatMap((spend) => {
        const amount = correctionOf(spend, actual)
        return amount === undefined ? [] : [{ spend, amount }]
      })
      return {
        settled: corrected.map(({ spend: { budget }, amount }) => ({ budget, amount })),
        part: { changes: corrected.map(({ spend, amount }) => correct(spend, amount)), entries: [] },
      }
    },
    list: (terms, now, limit) => listUsed(store, { ...terms, start: startOf(terms.period, now) }, limit),
    close: () => clearInterval(timer),
  }
}
