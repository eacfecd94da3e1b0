/** The counters, and their guarded changes: a sum that would pass its limit changes nothing and fails the unit. */
import type { Change, Migrations, Store } from '@ephor/engine/kernel'
import type { Spend, Terms } from './types.ts'

export const budgetsMigrations: Migrations = { room: 'budgets', folder: new URL('./migrations/', import.meta.url) }

type Row = { tenant: string; budget: string; unit: string; period: string; start: number; subject: string; used: number }
type Tables = { budgets_use: Row }

type Key = Pick<Spend, 'budget' | 'unit' | 'period' | 'start' | 'subject'>

const keyOf = ({ budget, unit, period, start, subject }: Key) => [budget, unit, period, start, subject]

/** The comparison runs in the store's one writing transaction, so that of several at once each sees the others' sums. */
export function take(spend: Spend, limit: number): Change {
  return {
    sql: `INSERT INTO budgets_use (tenant, budget, unit, period, start, subject, used) SELECT @tenant, ?, ?, ?, ?, ?, ? WHERE CAST(? AS BIGINT) <= CAST(? AS BIGINT)
      ON CONFLICT (tenant, budget, unit, period, start, subject) DO UPDATE SET used = budgets_use.used + excluded.used
      WHERE budgets_use.used + excluded.used <= ?`,
    params: [...keyOf(spend), spend.amount, spend.amount, limit, limit],
    rows: 1,
    fault: 'BUDGET_EXHAUSTED',
  }
}

/** What every reader can hold. */
const MOST = Number.MAX_SAFE_INTEGER

/** What was used may pass the limit, and is counted all the same; the sum stays one that every reader can hold. */
export function correct(spend: Spend, difference: number): Change {
  return {
    sql: `UPDATE budgets_use SET used = CASE WHEN used + CAST(? AS BIGINT) < 0 THEN 0
        WHEN used + CAST(? AS BIGINT) > ${MOST} THEN ${MOST} ELSE used + CAST(? AS BIGINT) END
      WHERE tenant = @tenant AND budget = ? AND unit = ? AND period = ? AND start = ? AND subject = ?`,
    params: [difference, difference, difference, ...keyOf(spend)],
  }
}

export function forgetBefore(start: number): Change {
  return { sql: 'DELETE FROM budgets_use WHERE tenant = @tenant AND start < ?', params: [start] }
}

const rows = (store: Store) => store.reader<Tables>().selectFrom('budgets_use').where('tenant', '=', store.tenant)

export async function readUsed(store: Store, { budget, unit, period, start, subject }: Key): Promise<number> {
  const row = await rows(store)
    .select('used')
    .where('budget', '=', budget)
    .where('unit', '=', unit)
    .where('period', '=', period)
    .where('start', '=', start)
    .where('subject', '=', subject)
    .executeTakeFirst()
  return row?.used ?? 0
}

export function listUsed(
  store: Store,
  { budget, unit, period, start }: Pick<Terms, 'budget' | 'unit' | 'period'> & { start: number },
  limit: number,
): Promise<{ subject: string; used: number }[]> {
  return rows(store)
    .select(['subject', 'used'])
    .where('budget', '=', budget)
    .where('unit', '=', unit)
    .where('period', '=', period)
    .where('start', '=', start)
    .orderBy('used', 'desc')
    .orderBy('subject')
    .limit(limit)
    .execute()
}
