/** The SQL of searching: entries as they are stored, and the index on PostgreSQL. */
import type { Store } from '@ephor/engine/kernel'
import { Fault } from '@ephor/contract'
import { sql } from 'kysely'
import type { Kysely, SqlBool } from 'kysely'
import type { EntryRow } from '../store.ts'
import { START } from './term-index.ts'
import type { TermIndex, Wanted } from './term-index.ts'
import { TERMS_VERSION } from './terms.ts'

export type EntryTables = { ledger_entry: EntryRow & { tenant: string } }
type Tables = EntryTables & {
  ledger_search: { tenant: string; seq: number; at: number; terms: unknown }
  ledger_search_position: { tenant: string; version: number; next: number; last: string }
}

/** Entries as rows, none of them checked. */
export function readRows(db: Kysely<EntryTables>, tenant: string) {
  const entries = () => db.selectFrom('ledger_entry').select(['seq', 'id', 'leaf_hash', 'body']).where('tenant', '=', tenant)
  return {
    async size(): Promise<number> {
      const last = db.selectFrom('ledger_entry').select('seq').where('tenant', '=', tenant).orderBy('seq', 'desc').limit(1)
      return ((await last.executeTakeFirst())?.seq ?? -1) + 1
    },
    /** Both ends included. */
    range: (from: number, to: number) => entries().where('seq', '>=', from).where('seq', '<=', to).orderBy('seq').execute(),
    /** Those that there are. */
    many: async (seqs: readonly number[]) => (seqs.length === 0 ? [] : entries().where('seq', 'in', seqs).execute()),
  }
}

export type Rows = ReturnType<typeof readRows>

/** Where the embedded store's file is. */
export async function storeFile(store: Store): Promise<string> {
  const { rows } = await sql<{ name: string; file: string }>`PRAGMA database_list`.execute(store.reader())
  const file = rows.find(({ name }) => name === 'main')?.file
  if (file === undefined || file === '') throw new Fault('INTERNAL', 'the store has no file')
  return file
}

/** PostgreSQL's integers are signed. */
const toBigint = (hashed: string) => BigInt.asIntN(64, BigInt(`0x${hashed}`)).toString()
const arrayOf = (terms: readonly string[]) => `{${terms.map(toBigint).join(',')}}`

const ADD = `INSERT INTO ledger_search (tenant, seq, at, terms)
  SELECT @tenant, seq, at, terms FROM json_to_recordset(?::json) AS batch (seq bigint, at bigint, terms bigint[])`
const BEGIN = `INSERT INTO ledger_search_position (tenant, version, next, last) VALUES (@tenant, ${TERMS_VERSION}, 0, '')
  ON CONFLICT (tenant) DO NOTHING`
// Of several replicas that read the same entries, one moves the position, and the others' batches are undone.
// An index of an earlier version begins again; one of a later version is left to the replicas that know it.
const FORGET = `DELETE FROM ledger_search_position WHERE tenant = @tenant AND version < ${TERMS_VERSION}`
const MOVE = `UPDATE ledger_search_position SET next = ?, last = ? WHERE tenant = @tenant AND next = ? AND version = ${TERMS_VERSION}`
const CLEAR = ['DELETE FROM ledger_search WHERE tenant = @tenant', 'DELETE FROM ledger_search_position WHERE tenant = @tenant'] as const

/**
 * Entries at the near end that are looked through one by one before the index of terms is asked. GIN gives all entries
 * with the terms at once: fast where they are few, slow where they are most; and where they are most, here is enough.
 */
const NEAR = 16_384

export function postgresIndex(store: Store): TermIndex {
  const db = store.reader<Tables>()
  const { tenant } = store
  const rows = () => db.selectFrom('ledger_search').where('tenant', '=', tenant)
  const has = (group: readonly string[]) => sql<SqlBool>`terms && ${arrayOf(group)}::bigint[]`

  async function near({ groups, newest, limit }: Wanted, low: number, high: number): Promise<number[]> {
    let query = rows().select('seq').where('seq', '>=', low).where('seq', '<=', high)
    // A sum, so that only the primary key can be used.
    for (const group of groups) query = query.where(sql<SqlBool>`(CASE WHEN ${has(group)} THEN 1 ELSE 0 END) = 1`)
    const found = await query
      .orderBy('seq', newest ? 'desc' : 'asc')
      .limit(limit)
      .execute()
    return found.map(({ seq }) => seq)
  }

  async function far({ groups, newest, limit }: Wanted, low: number, high: number): Promise<number[]> {
    const terms = sql.join(groups.map(has), sql` AND `)
    const order = newest ? sql`DESC` : sql`ASC`
    const found = await sql<{ seq: number }>`
      WITH found AS MATERIALIZED (SELECT seq FROM ledger_search WHERE tenant = ${tenant} AND ${terms} AND seq + 0 BETWEEN ${low} AND ${high})
      SELECT seq FROM found ORDER BY seq ${order} LIMIT ${limit}`.execute(db)
    return found.rows.map(({ seq }) => seq)
  }

  return {
    async position() {
      const query = db.selectFrom('ledger_search_position').select(['next', 'last']).where('tenant', '=', tenant)
      return (await query.where('version', '>=', TERMS_VERSION).executeTakeFirst()) ?? START
    },
    async add(batch, from, to) {
      const rowsOf = batch.map(({ seq, at, terms }) => ({ seq, at, terms: terms.map(toBigint) }))
      try {
        await store.commit({
          changes: [
            ...(from.next === 0 ? [FORGET, BEGIN].map((text) => ({ sql: text, params: [] })) : []),
            { sql: MOVE, params: [to.next, to.last, from.next], rows: 1, fault: 'CONFLICT' },
            ...(from.next === 0 ? [{ sql: CLEAR[0], params: [] }] : []),
            { sql: ADD, params: [JSON.stringify(rowsOf)] },
          ],
        })
        return true
      } catch (error) {
        if (error instanceof Fault && error.code === 'CONFLICT') return false
        throw error
      }
    },
    async find(wanted) {
      const { low, high, newest, limit } = wanted
      const border = newest ? Math.max(low, high - NEAR + 1) : Math.min(high, low + NEAR - 1)
      const first = await (newest ? near(wanted, border, high) : near(wanted, low, border))
      if (first.length >= limit || border === (newest ? low : high)) return first
      const rest = { ...wanted, limit: limit - first.length }
      return [...first, ...(await (newest ? far(rest, low, border - 1) : far(rest, border + 1, high)))]
    },
    async within(since, until) {
      const between = rows()
        .where('at', '>=', since)
        .where('at', '<', until)
        .select([sql<number | null>`min(seq)`.as('low'), sql<number | null>`max(seq)`.as('high')])
      const { low, high } = await between.executeTakeFirstOrThrow()
      return low === null || high === null ? undefined : [low, high]
    },
    async count() {
      const { n } = await rows()
        .select(sql<number>`count(*)`.as('n'))
        .executeTakeFirstOrThrow()
      return n
    },
    clear: async () => void (await store.commit({ changes: CLEAR.map((text) => ({ sql: text, params: [] })) })),
  }
}
