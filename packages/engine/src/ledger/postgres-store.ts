/** The ledger's SQL in the thread of the store on PostgreSQL: few statements, many rows each. */
import { createHash } from 'node:crypto'
import type { PostgresResult, PostgresSql, PostgresStatement } from '@ephor/engine/kernel'
import type { TilePlace } from '@ephor/proof'
import type { EdgePlace } from './load-tree.ts'
import type { CheckpointRow, EntryRow, SealedPayload } from './store.ts'

/** Of entries at once. */
const PAGE = 2000

export type LogRow = { origin: string; size: number }

const statement = (text: string, ...params: PostgresStatement['params']): PostgresStatement => ({ text, params })
const column = <T, K extends keyof T>(rows: readonly T[], name: K): T[K][] => rows.map((row) => row[name])

/** What puts replicas in order: until this transaction ends, nobody else can take places in the ledger. */
export const lockLog = (): PostgresStatement => statement('SELECT origin, size FROM ledger_log WHERE tenant = @tenant FOR UPDATE')

const insertLog = (origin: string, size: number): PostgresStatement =>
  statement('INSERT INTO ledger_log (tenant, origin, size) VALUES (@tenant, ?, ?)', origin, size)

/** Only from the size that was locked: a row that somebody else wrote meanwhile fails here. */
export const advanceLog = (from: number, to: number): PostgresStatement =>
  statement('UPDATE ledger_log SET size = ? WHERE tenant = @tenant AND size = ?', to, from)

export const insertKeys = (keys: readonly { subject: string; sealed: Uint8Array }[]): PostgresStatement =>
  statement(
    `INSERT INTO ledger_key (tenant, subject, sealed)
     SELECT @tenant, r.subject, r.sealed FROM unnest(?::text[], ?::bytea[]) AS r (subject, sealed)
     ON CONFLICT (tenant, subject) DO NOTHING`,
    column(keys, 'subject'),
    column(keys, 'sealed'),
  )

export const insertEntries = (rows: readonly EntryRow[]): PostgresStatement =>
  statement(
    `INSERT INTO ledger_entry (tenant, seq, id, leaf_hash, body)
     SELECT @tenant, r.seq, r.id, r.leaf_hash, r.body
     FROM unnest(?::bigint[], ?::text[], ?::bytea[], ?::text[]) AS r (seq, id, leaf_hash, body)`,
    column(rows, 'seq'),
    column(rows, 'id'),
    column(rows, 'leaf_hash'),
    column(rows, 'body'),
  )

export const insertPayloads = (rows: readonly (SealedPayload & { seq: number })[]): PostgresStatement =>
  statement(
    `INSERT INTO ledger_payload (tenant, seq, name, subject, sealed)
     SELECT @tenant, r.seq, r.name, r.subject, r.sealed
     FROM unnest(?::bigint[], ?::text[], ?::text[], ?::bytea[]) AS r (seq, name, subject, sealed)`,
    column(rows, 'seq'),
    column(rows, 'name'),
    column(rows, 'subject'),
    column(rows, 'sealed'),
  )

const putTiles = (tiles: readonly { place: TilePlace; bytes: Uint8Array }[]): PostgresStatement =>
  statement(
    `INSERT INTO ledger_tile (tenant, level, n, hashes)
     SELECT @tenant, r.level, r.n, r.hashes FROM unnest(?::bigint[], ?::bigint[], ?::bytea[]) AS r (level, n, hashes)
     ON CONFLICT (tenant, level, n) DO UPDATE SET hashes = excluded.hashes
     WHERE length(excluded.hashes) >= length(ledger_tile.hashes)`,
    tiles.map(({ place }) => place.level as number),
    tiles.map(({ place }) => place.index),
    column(tiles, 'bytes'),
  )

/** One number a tenant, out of the way of other programs' advisory locks. */
function lockNumber(tenant: string): bigint {
  return createHash('sha256').update(`ephor ledger integration ${tenant}`).digest().readBigInt64BE()
}

const entryOf = (row: Record<string, unknown>): EntryRow => row as EntryRow

/** Queries within one transaction. */
export function postgresStore(sql: PostgresSql) {
  const one = async (asked: PostgresStatement): Promise<PostgresResult> => (await sql.run([asked]))[0] as PostgresResult
  const checkpoint = async () =>
    (await one(statement('SELECT size, note FROM ledger_checkpoint WHERE tenant = @tenant'))).rows[0] as CheckpointRow | undefined
  return {
    lock: async () => (await one(lockLog())).rows[0] as LogRow | undefined,
    log: async () => (await one(statement('SELECT origin, size FROM ledger_log WHERE tenant = @tenant'))).rows[0] as LogRow | undefined,
    insertLog: async (origin: string, size: number) => void (await one(insertLog(origin, size))),
    /** Entries by their places, which is what the counter should say. */
    count: async () =>
      ((await one(statement('SELECT coalesce(max(seq) + 1, 0) AS size FROM ledger_entry WHERE tenant = @tenant'))).rows[0] as LogRow).size,
    /** Held until the transaction ends, however it ends. False when another replica has it. */
    tryIntegrate: async (tenant: string) =>
      (await one(statement('SELECT pg_try_advisory_xact_lock(?) AS mine', lockNumber(tenant)))).rows[0]?.['mine'] === 1,
    checkpoint,
    /** By idempotency key. */
    has: async (id: string) => (await one(statement('SELECT seq FROM ledger_entry WHERE tenant = @tenant AND id = ?', id))).count > 0,
    /** Page by page, all there are from `seq` on. */
    async *entriesFrom(seq: number): AsyncGenerator<EntryRow[]> {
      for (let from = seq; ;) {
        const { rows } = await one(
          statement(
            'SELECT seq, id, leaf_hash, body FROM ledger_entry WHERE tenant = @tenant AND seq >= ? ORDER BY seq LIMIT ?',
            from,
            PAGE,
          ),
        )
        if (rows.length === 0) return
        const page = rows.map(entryOf)
        yield page
        from = (page.at(-1) as EntryRow).seq + 1
      }
    },
    entriesAt: async (seqs: readonly number[]) =>
      (
        await one(
          statement(
            'SELECT seq, id, leaf_hash, body FROM ledger_entry WHERE tenant = @tenant AND seq = ANY(?::bigint[]) ORDER BY seq',
            seqs,
          ),
        )
      ).rows.map(entryOf),
    async tiles(places: readonly EdgePlace[]): Promise<Map<number, Uint8Array>> {
      const found = await one(
        statement(
          `SELECT t.level, t.hashes FROM ledger_tile t
           JOIN unnest(?::bigint[], ?::bigint[]) AS r (level, n) ON t.level = r.level AND t.n = r.n WHERE t.tenant = @tenant`,
          column(places, 'level'),
          column(places, 'index'),
        ),
      )
      return new Map(found.rows.map(({ level, hashes }) => [level as number, hashes as Uint8Array]))
    },
    putTiles: async (tiles: readonly { place: TilePlace; bytes: Uint8Array }[]) => {
      if (tiles.length > 0) await one(putTiles(tiles))
    },
    /** Never a smaller size over a greater one. @returns what is stored now */
    async putCheckpoint({ size, note }: CheckpointRow): Promise<CheckpointRow> {
      await one(
        statement(
          `INSERT INTO ledger_checkpoint (tenant, size, note) VALUES (@tenant, ?, ?)
           ON CONFLICT (tenant) DO UPDATE SET size = excluded.size, note = excluded.note WHERE excluded.size > ledger_checkpoint.size`,
          size,
          note,
        ),
      )
      return (await checkpoint()) as CheckpointRow
    },
  }
}

export type PostgresStore = ReturnType<typeof postgresStore>
