/** What runs should be, by the entries of their beginnings and ends. How far one has come that goes on is in no entry. */
import type { Json, Store } from '@ephor/engine/kernel'
import { asText, checkHeld, entryType, joinChecks, readJson, Uncovered } from '@ephor/engine/ledger'
import type { ProjectedRow, Projector, StoredRow } from '@ephor/engine/ledger'
import { digestOfTally } from './run.ts'

const TABLE = 'backtests_run'

function shape(row: StoredRow): ProjectedRow {
  return { ...(row as Record<string, Json>), tally: digestOfTally(readJson(row['tally']) as never) }
}

export function backtestsProjector({ store }: { store: Store }): Projector {
  const runs = new Map<string, Record<string, Json>>()
  const uncovered = new Uncovered()
  return {
    take(entry) {
      const { body } = entry
      const id = asText(body['run'])
      const { kind = null, version = null, by = null, agent = null, most = null, after = null, upTo = null, startedAt } = body
      if (entryType(entry) === 'backtest.started') {
        const row = { id, kind, version, started_by: by, agent, most, after, up_to: upTo, state: 'running', fault: null, ended_at: null }
        runs.set(id, startedAt === undefined ? row : { ...row, started_at: startedAt })
        if (startedAt === undefined) uncovered.add(TABLE, id, 'started_at')
      }
      if (entryType(entry) === 'backtest.ended') {
        const { state = null, fault = null, position = null, tally, endedAt } = body
        const row: Record<string, Json> = { ...runs.get(id), id, state, fault, position }
        delete row['ended_at']
        runs.set(id, endedAt === undefined || tally === undefined ? row : { ...row, tally, ended_at: endedAt })
        if (endedAt === undefined) uncovered.add(TABLE, id, 'tally, ended_at')
      }
    },
    async finish() {
      return joinChecks([await checkHeld({ store, table: TABLE, key: ['id'], shape }, [...runs.values()])], uncovered)
    },
  }
}
