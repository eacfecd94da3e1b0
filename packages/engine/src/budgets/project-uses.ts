/** What is used of budgets, added up from the entries of decisions and outcomes. */
import type { Clock, Json, JsonObject, Store } from '@ephor/engine/kernel'
import { asText, checkHeld, entryType, joinChecks, Uncovered } from '@ephor/engine/ledger'
import type { ProjectedRow, Projector } from '@ephor/engine/ledger'
import { KEPT_MS } from './rules.ts'

type Spent = { budget: string; unit: string; period: string; subject: string; start: number; amount: number; certain?: number }
type Use = Omit<Spent, 'amount' | 'certain'> & { used: number }

const listOf = (value: Json | undefined) => (Array.isArray(value) ? (value as JsonObject[]) : [])
const keyOf = ({ budget, unit, period, start, subject }: Spent) => JSON.stringify([budget, unit, period, start, subject])

export function budgetsProjector({ store, clock }: { store: Store; clock: Pick<Clock, 'now'> }): Projector {
  const uses = new Map<string, Use>()
  /** What outcomes may still correct, by decision. */
  const open = new Map<string, Spent[]>()

  function add(spent: Spent, amount: number): void {
    const key = keyOf(spent)
    const { budget, unit, period, start, subject } = spent
    const use = uses.get(key) ?? { budget, unit, period, start, subject, used: 0 }
    use.used = Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, use.used + amount))
    uses.set(key, use)
  }

  function takeDecision({ id, budgets }: JsonObject): void {
    const spends = listOf(budgets).map((spend) => ({ ...spend, start: Date.parse(asText(spend['start'])) }) as unknown as Spent)
    for (const spend of spends) add(spend, spend.amount)
    const correctable = spends.filter(({ certain }) => certain !== undefined)
    if (correctable.length > 0) open.set(asText(id), correctable)
  }

  function takeOutcome({ decision, settled }: JsonObject): void {
    const spends = open.get(asText(decision)) ?? []
    open.delete(asText(decision))
    for (const { budget, amount } of listOf(settled)) {
      const at = spends.findIndex((spend) => spend.budget === budget)
      const [spend] = at === -1 ? [] : spends.splice(at, 1)
      if (spend) add(spend, Number(amount))
    }
  }

  return {
    take(entry) {
      const type = entryType(entry)
      if (type === 'decision') takeDecision(entry.body)
      else if (type === 'outcome') takeOutcome(entry.body)
    },
    async finish() {
      // What ended long ago is forgotten some time within the hour after: such rows count for nothing, here or there.
      const since = clock.now() - KEPT_MS
      for (const [key, { start }] of uses) if (start < since) uses.delete(key)
      const options = { store, table: 'budgets_use', key: ['budget', 'unit', 'period', 'start', 'subject'] }
      const { rows, differences } = await checkHeld(options, [...uses.values()] as ProjectedRow[])
      const counted = differences.filter(({ key }) => Number(key.split('/').at(-2)) >= since || uses.has(key))
      return joinChecks([{ rows, differences: counted }], new Uncovered())
    },
  }
}
