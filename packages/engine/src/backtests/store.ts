/** Runs as rows. */
import type { Change, Migrations, Store } from '@ephor/engine/kernel'
import type { Selectable } from 'kysely'
import type { Run, RunState, Tally } from './types.ts'

type RunTable = {
  tenant: string
  id: string
  kind: Run['kind']
  version: string | null
  started_by: string
  agent: string | null
  most: number | null
  state: RunState
  after: number
  up_to: number
  position: number
  tally: string
  fault: string | null
  started_at: number
  ended_at: number | null
}
type Tables = { backtests_run: RunTable }

export const backtestsMigrations: Migrations = { room: 'backtests', folder: new URL('./migrations/', import.meta.url) }

export function insertRun(run: Run): Change {
  const { id, kind, version, by, agent, most, state, after, upTo, position, tally, startedAt } = run
  return {
    sql: `INSERT INTO backtests_run (tenant, id, kind, version, started_by, agent, most, state, after, up_to, position, tally, started_at)
      VALUES (@tenant, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    params: [id, kind, version ?? null, by, agent ?? null, most ?? null, state, after, upTo, position, JSON.stringify(tally), startedAt],
    rows: 1,
  }
}

/** Position and tally together: whatever is cut off goes on from where its tally ends. */
export function moveRun({ id, position, tally, state, fault, endedAt }: Run): Change {
  return {
    sql: `UPDATE backtests_run SET position = ?, tally = ?, state = ?, fault = ?, ended_at = ?
      WHERE tenant = @tenant AND id = ? AND state = 'running'`,
    params: [position, JSON.stringify(tally), state, fault ?? null, endedAt ?? null, id],
    rows: 1,
    fault: 'CONFLICT',
  }
}

function fromRow(row: Selectable<RunTable>): Run {
  return {
    id: row.id,
    kind: row.kind,
    version: row.version ?? undefined,
    by: row.started_by,
    agent: row.agent ?? undefined,
    most: row.most ?? undefined,
    state: row.state,
    after: row.after,
    upTo: row.up_to,
    position: row.position,
    tally: JSON.parse(row.tally) as Tally,
    fault: row.fault ?? undefined,
    startedAt: row.started_at,
    endedAt: row.ended_at ?? undefined,
  }
}

export function readRuns(store: Store) {
  const rows = () => store.reader<Tables>().selectFrom('backtests_run').selectAll().where('tenant', '=', store.tenant)
  return {
    async find(id: string): Promise<Run | undefined> {
      const row = await rows().where('id', '=', id).executeTakeFirst()
      return row && fromRow(row)
    },
    /** Oldest first: what was cut off, or waits for its turn. */
    running: async (): Promise<Run[]> => (await rows().where('state', '=', 'running').orderBy('id').execute()).map(fromRow),
    /** Newest first. */
    async list({ cursor, limit, kind, state }: { cursor?: string; limit: number; kind?: Run['kind']; state?: RunState }): Promise<Run[]> {
      let query = rows().orderBy('id', 'desc').limit(limit)
      if (cursor !== undefined) query = query.where('id', '<', cursor)
      if (kind !== undefined) query = query.where('kind', '=', kind)
      if (state !== undefined) query = query.where('state', '=', state)
      return (await query.execute()).map(fromRow)
    },
    /** The last whole one of these texts. */
    async ofVersion(version: string): Promise<Run | undefined> {
      const row = await rows().where('version', '=', version).where('state', '=', 'done').orderBy('id', 'desc').limit(1).executeTakeFirst()
      return row && fromRow(row)
    },
  }
}

export type Runs = ReturnType<typeof readRuns>
