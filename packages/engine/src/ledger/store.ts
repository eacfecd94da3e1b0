/** The ledger's SQL: statements for the store's own thread, queries for readers. */
import type { Migrations, Store } from '@ephor/engine/kernel'
import type { Database, Statement } from 'better-sqlite3'
import { sql } from 'kysely'
import type { SqlBool } from 'kysely'

export const ledgerMigrations: Migrations = { room: 'ledger', folder: new URL('./migrations/', import.meta.url) }

export type EntryRow = { seq: number; id: string | null; leaf_hash: Uint8Array; body: string }
/**
 * `name`: of all payloads in it, in their order, with spaces between. `subject`: the name of the key
 * (`erasure/key-name.ts`), which begins with whose it is.
 */
export type SealedPayload = { name: string; subject: string; sealed: Uint8Array }
export type CheckpointRow = { size: number; note: string }

type Tables = {
  ledger_entry: EntryRow & { tenant: string }
  ledger_payload: SealedPayload & { tenant: string; seq: number }
  ledger_key: { tenant: string; subject: string; sealed: Uint8Array }
  ledger_tile: { tenant: string; level: number; n: number; hashes: Uint8Array }
  ledger_checkpoint: CheckpointRow & { tenant: string }
  ledger_destroyed_key: { tenant: string; name: string; entry: string }
}

/** The statements of the writing connection, in the store's thread. @param tenant checked: it stands in the texts */
export function writeStore(db: Database, tenant: string) {
  const size: Statement<[], { size: number }> = db.prepare(
    `SELECT coalesce(max(seq) + 1, 0) AS size FROM ledger_entry WHERE tenant = '${tenant}'`,
  )
  const entry = db.prepare(`INSERT INTO ledger_entry (tenant, seq, id, leaf_hash, body) VALUES ('${tenant}', ?, ?, ?, ?)`)
  const payload = db.prepare(`INSERT INTO ledger_payload (tenant, seq, name, subject, sealed) VALUES ('${tenant}', ?, ?, ?, ?)`)
  const key = db.prepare(
    `INSERT INTO ledger_key (tenant, subject, sealed) VALUES ('${tenant}', ?, ?) ON CONFLICT (tenant, subject) DO NOTHING`,
  )
  const tile = db.prepare(
    `INSERT INTO ledger_tile (tenant, level, n, hashes) VALUES ('${tenant}', ?, ?, ?)
     ON CONFLICT (tenant, level, n) DO UPDATE SET hashes = excluded.hashes`,
  )
  const checkpoint = db.prepare(
    `INSERT INTO ledger_checkpoint (tenant, size, note) VALUES ('${tenant}', ?, ?)
     ON CONFLICT (tenant) DO UPDATE SET size = excluded.size, note = excluded.note WHERE excluded.size >= ledger_checkpoint.size`,
  )
  const readCheckpoint: Statement<[], CheckpointRow> = db.prepare(`SELECT size, note FROM ledger_checkpoint WHERE tenant = '${tenant}'`)
  const readTile: Statement<[number, number], { hashes: Uint8Array }> = db.prepare(
    `SELECT hashes FROM ledger_tile WHERE tenant = '${tenant}' AND level = ? AND n = ?`,
  )
  const byId: Statement<[string]> = db.prepare(`SELECT seq FROM ledger_entry WHERE tenant = '${tenant}' AND id = ?`)
  const readEntries: Statement<[number], EntryRow> = db.prepare(
    `SELECT seq, id, leaf_hash, body FROM ledger_entry WHERE tenant = '${tenant}' AND seq >= ? ORDER BY seq`,
  )
  return {
    size: () => size.get()?.size ?? 0,
    insertEntry: (row: EntryRow) => void entry.run(row.seq, row.id, row.leaf_hash, row.body),
    insertPayload: (seq: number, row: SealedPayload) => void payload.run(seq, row.name, row.subject, row.sealed),
    insertKey: (subject: string, sealed: Uint8Array) => void key.run(subject, sealed),
    putTile: (level: number, n: number, hashes: Uint8Array) => void tile.run(level, n, hashes),
    /** False when a greater size was signed before. */
    putCheckpoint: (row: CheckpointRow) => checkpoint.run(row.size, row.note).changes === 1,
    checkpoint: () => readCheckpoint.get(),
    tile: (level: number, n: number) => readTile.get(level, n)?.hashes,
    /** By idempotency key. */
    has: (id: string) => byId.get(id) !== undefined,
    entriesFrom: (seq: number) => readEntries.iterate(seq),
    transaction: (work: () => void) => db.transaction(work).immediate(),
  }
}

export type WriteStore = ReturnType<typeof writeStore>

/** SQLite and PostgreSQL have no function in common that finds a text: what is left when it is taken out says it. */
const holds = (name: string) => sql<SqlBool>`replace(' ' || name || ' ', ${` ${name} `}, '') <> ' ' || name || ' '`

const IDS_AT_ONCE = 1000

/** Queries on the reading connection. */
export function readStore(store: Store) {
  const db = store.reader<Tables>()
  const { tenant } = store
  const entries = () => db.selectFrom('ledger_entry').select(['seq', 'id', 'leaf_hash', 'body']).where('tenant', '=', tenant)
  return {
    entry: (seq: number) => entries().where('seq', '=', seq).executeTakeFirst(),
    entryById: (id: string) => entries().where('id', '=', id).executeTakeFirst(),
    /** PostgreSQL knows no empty list, and neither takes one of any length. */
    async entriesByIds(ids: readonly string[]): Promise<EntryRow[]> {
      const found: EntryRow[] = []
      for (let from = 0; from < ids.length; from += IDS_AT_ONCE)
        found.push(
          ...(await entries()
            .where('id', 'in', ids.slice(from, from + IDS_AT_ONCE))
            .execute()),
        )
      return found
    },
    /** `from` inclusive. */
    entries: (from: number, limit: number) => entries().where('seq', '>=', from).orderBy('seq').limit(limit).execute(),
    payload: (seq: number, name: string) =>
      db
        .selectFrom('ledger_payload')
        .select(['name', 'subject', 'sealed'])
        .where('tenant', '=', tenant)
        .where('seq', '=', seq)
        .where(holds(name))
        .executeTakeFirst(),
    /** Of all entries from one to another, both included. */
    payloads: (from: number, to: number, names: readonly string[]) =>
      db
        .selectFrom('ledger_payload')
        .select(['seq', 'name', 'subject', 'sealed'])
        .where('tenant', '=', tenant)
        .where('seq', '>=', from)
        .where('seq', '<=', to)
        .where((where) => where.or(names.map(holds)))
        .execute(),
    /** Their sealed bytes, entry by entry. */
    payloadSizes: (from: number, to: number, names: readonly string[]) =>
      db
        .selectFrom('ledger_payload')
        .select(['seq', sql<number>`sum(length(sealed))`.as('bytes')])
        .where('tenant', '=', tenant)
        .where('seq', '>=', from)
        .where('seq', '<=', to)
        .where((where) => where.or(names.map(holds)))
        .groupBy('seq')
        .orderBy('seq')
        .execute(),
    /** The wrapped key of this name. */
    key: async (name: string) =>
      (await db.selectFrom('ledger_key').select('sealed').where('tenant', '=', tenant).where('subject', '=', name).executeTakeFirst())
        ?.sealed,
    /** The id of the entry by which a key of this name was destroyed. */
    destroyedBy: async (name: string) =>
      (await db.selectFrom('ledger_destroyed_key').select('entry').where('tenant', '=', tenant).where('name', '=', name).executeTakeFirst())
        ?.entry,
    tile: async (level: number, n: number) =>
      (
        await db
          .selectFrom('ledger_tile')
          .select('hashes')
          .where('tenant', '=', tenant)
          .where('level', '=', level)
          .where('n', '=', n)
          .executeTakeFirst()
      )?.hashes,
    checkpoint: () => db.selectFrom('ledger_checkpoint').select(['size', 'note']).where('tenant', '=', tenant).executeTakeFirst(),
  }
}

export type ReadStore = ReturnType<typeof readStore>
