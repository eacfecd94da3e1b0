/** The SQL of witnessing: cosignatures, and the outage that goes on. */
import type { Change, Store } from '@ephor/engine/kernel'

export type CosignatureRow = { size: number; witness: string; line: string; note: string; at: number }
export type OutageRow = { size: number; since: number }

type Tables = {
  ledger_cosignature: CosignatureRow & { tenant: string }
  ledger_outage: OutageRow & { tenant: string }
}

export function readWitnessing(store: Store) {
  const db = store.reader<Tables>()
  const { tenant } = store
  const cosignatures = () =>
    db.selectFrom('ledger_cosignature').select(['size', 'witness', 'line', 'note', 'at']).where('tenant', '=', tenant)
  return {
    /** Of one size, in the order of names. */
    cosignatures: (size: number) => cosignatures().where('size', '=', size).orderBy('witness').execute(),
    /** The newest first. */
    cosignaturesFrom: (size: number, limit: number) =>
      cosignatures().where('size', '>=', size).orderBy('size', 'desc').limit(limit).execute(),
    /** The largest size that each witness cosigned. */
    async known(): Promise<Map<string, number>> {
      const rows = await db
        .selectFrom('ledger_cosignature')
        .select(({ fn }) => ['witness', fn.max<number>('size').as('size')])
        .where('tenant', '=', tenant)
        .groupBy('witness')
        .execute()
      return new Map(rows.map(({ witness, size }) => [witness, size]))
    },
    outage: () => db.selectFrom('ledger_outage').select(['size', 'since']).where('tenant', '=', tenant).executeTakeFirst(),
  }
}

export function putCosignature({ size, witness, line, note, at }: CosignatureRow): Change {
  return {
    sql: `INSERT INTO ledger_cosignature (tenant, size, witness, line, note, at) VALUES (@tenant, ?, ?, ?, ?, ?)
          ON CONFLICT (tenant, size, witness) DO UPDATE SET line = excluded.line, note = excluded.note, at = excluded.at`,
    params: [size, witness, line, note, at],
  }
}

/** Of what a witness cosigned between two times, only the largest size of each span of `spanMs` stays. */
export function thinCosignatures(witness: string, from: number, to: number, spanMs: number): Change {
  return {
    sql: `DELETE FROM ledger_cosignature WHERE tenant = @tenant AND witness = ? AND at >= ? AND at < ? AND size NOT IN (
            SELECT max(size) FROM ledger_cosignature WHERE tenant = @tenant AND witness = ? AND at >= ? AND at < ? GROUP BY at / ${spanMs})`,
    params: [witness, from, to, witness, from, to],
  }
}

export function insertOutage({ size, since }: OutageRow): Change {
  return { sql: 'INSERT INTO ledger_outage (tenant, size, since) VALUES (@tenant, ?, ?)', params: [size, since], rows: 1 }
}

export function deleteOutage(): Change {
  return { sql: 'DELETE FROM ledger_outage WHERE tenant = @tenant', params: [], rows: 1, fault: 'CONFLICT' }
}
