/** Rows that are not what the ledger says: they do not act, and stay in view until they are right again. */
import type { Logger } from '@ephor/engine/kernel'
import type { ProjectionDifference } from '@ephor/engine/ledger'

export function makeRefusals(log?: Pick<Logger, 'error'>) {
  const byTable = new Map<string, ProjectionDifference[]>()
  return {
    set(table: string, keys: readonly string[]): void {
      const before = new Set(byTable.get(table)?.map(({ key }) => key))
      const detail = 'the ledger does not confirm the row, so it does not act'
      byTable.set(
        table,
        keys.map((key) => ({ table, key, detail })),
      )
      for (const key of keys) if (!before.has(key)) log?.error({ code: 'STORE_CORRUPT', table, key }, `${table} ${key}: ${detail}`)
    },
    all: (): ProjectionDifference[] => [...byTable.values()].flat(),
  }
}
