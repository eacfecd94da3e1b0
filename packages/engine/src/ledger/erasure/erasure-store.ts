/** The SQL of erasure: keys that can be destroyed, those that were, holds, and the rules in force. */
import type { Change, Store } from '@ephor/engine/kernel'
import { sql } from 'kysely'
import type { SqlBool } from 'kysely'

export type KeyRow = { name: string; sealed: Uint8Array }
export type HoldRow = {
  id: string
  subject: string | null
  since: number | null
  until: number | null
  placed_at: number
  placed_by: string
  entry: string
}
export type RetentionRow = { version: number; rules: string; swept: string | null }
export type DestroyedRow = { name: string; digest: string; entry: string; cleared: number }
export type PayloadSize = { seq: number; name: string; subject: string; bytes: number }

type Tables = {
  ledger_key: { tenant: string; subject: string; sealed: Uint8Array }
  ledger_payload: { tenant: string; seq: number; name: string; subject: string; sealed: Uint8Array }
  ledger_entry: { tenant: string; seq: number; body: string }
  ledger_destroyed_key: DestroyedRow & { tenant: string }
  ledger_hold: HoldRow & { tenant: string }
  ledger_retention: RetentionRow & { tenant: string }
}

/** `substr` and not `LIKE`: exact, and the same in both databases. A key of before has its subject's bare name. */
const belongsTo = (subject: string) => sql<SqlBool>`(subject = ${subject} OR substr(subject, 1, ${subject.length + 1}) = ${`${subject}/`})`

export function erasureStore(store: Store) {
  const db = store.reader<Tables>()
  const { tenant } = store
  const keys = () => db.selectFrom('ledger_key').select(['subject as name', 'sealed']).where('tenant', '=', tenant)
  return {
    keysOf: (subject: string): Promise<KeyRow[]> => keys().where(belongsTo(subject)).orderBy('subject').execute(),
    /** All keys, `limit` at a time. @param after the name before the first wanted; empty from the start */
    keys: (after: string, limit: number): Promise<KeyRow[]> =>
      keys().where('subject', '>', after).orderBy('subject').limit(limit).execute(),
    key: (name: string): Promise<KeyRow | undefined> => keys().where('subject', '=', name).executeTakeFirst(),
    destroyed: (after: string, limit: number): Promise<DestroyedRow[]> =>
      db
        .selectFrom('ledger_destroyed_key')
        .select(['name', 'digest', 'entry', 'cleared'])
        .where('tenant', '=', tenant)
        .where('name', '>', after)
        .orderBy('name')
        .limit(limit)
        .execute(),
    /** Destroyed keys whose sealed bytes are still there. */
    uncleared: (limit: number): Promise<{ name: string }[]> =>
      db.selectFrom('ledger_destroyed_key').select('name').where('tenant', '=', tenant).where('cleared', '=', 0).limit(limit).execute(),
    /** Keys that are marked as cleared, and of which sealed bytes are still there. */
    stillSealed: (): Promise<{ name: string }[]> =>
      db
        .selectFrom('ledger_payload as p')
        .innerJoin('ledger_destroyed_key as d', (join) => join.onRef('d.tenant', '=', 'p.tenant').onRef('d.name', '=', 'p.subject'))
        .select('d.name as name')
        .distinct()
        .where('p.tenant', '=', tenant)
        .where('d.cleared', '=', 1)
        .where(sql<SqlBool>`length(p.sealed) > 0`)
        .limit(100)
        .execute(),
    /** Payloads of a subject within these entries, the last excluded. */
    payloadsOf: (subject: string, from: number, to: number): Promise<PayloadSize[]> =>
      db
        .selectFrom('ledger_payload')
        .select(['seq', 'name', 'subject', sql<number>`length(sealed)`.as('bytes')])
        .where('tenant', '=', tenant)
        .where('seq', '>=', from)
        .where('seq', '<', to)
        .where(belongsTo(subject))
        .execute(),
    /** Which entries of these have a payload that is still sealed under one of the keys. */
    sealedUnder: (names: readonly string[], from: number, to: number): Promise<PayloadSize[]> =>
      db
        .selectFrom('ledger_payload')
        .select(['seq', 'name', 'subject', sql<number>`length(sealed)`.as('bytes')])
        .where('tenant', '=', tenant)
        .where('seq', '>=', from)
        .where('seq', '<', to)
        .where('subject', 'in', [...names])
        .where(sql<SqlBool>`length(sealed) > 0`)
        .execute(),
    bodies: (seqs: readonly number[]): Promise<{ seq: number; body: string }[]> =>
      db
        .selectFrom('ledger_entry')
        .select(['seq', 'body'])
        .where('tenant', '=', tenant)
        .where('seq', 'in', [...seqs])
        .execute(),
    async size(): Promise<number> {
      const row = await db
        .selectFrom('ledger_entry')
        .select(({ fn }) => fn.max('seq').as('last'))
        .where('tenant', '=', tenant)
        .executeTakeFirst()
      const last = row?.last ?? null
      return last === null ? 0 : last + 1
    },
    holds: (): Promise<HoldRow[]> =>
      db
        .selectFrom('ledger_hold')
        .select(['id', 'subject', 'since', 'until', 'placed_at', 'placed_by', 'entry'])
        .where('tenant', '=', tenant)
        .orderBy('id')
        .execute(),
    retention: (): Promise<RetentionRow | undefined> =>
      db.selectFrom('ledger_retention').select(['version', 'rules', 'swept']).where('tenant', '=', tenant).executeTakeFirst(),
  }
}

export type ErasureStore = ReturnType<typeof erasureStore>

/** A key that is not stored yet, or was destroyed by another unit, makes the whole unit fail. */
export function destroyKey({ name, digest, entry }: Omit<DestroyedRow, 'cleared'>, sealed: Uint8Array): Change[] {
  return [
    { sql: 'DELETE FROM ledger_key WHERE tenant = @tenant AND subject = ? AND sealed = ?', params: [name, sealed], rows: 1 },
    {
      sql: `INSERT INTO ledger_destroyed_key (tenant, name, digest, entry, cleared) VALUES (@tenant, ?, ?, ?, 0)
        ON CONFLICT (tenant, name) DO UPDATE SET digest = excluded.digest, entry = excluded.entry, cleared = 0`,
      params: [name, digest, entry],
    },
  ]
}

export function putRetention({ version, rules, swept }: RetentionRow): Change {
  return {
    sql: `INSERT INTO ledger_retention (tenant, version, rules, swept) VALUES (@tenant, ?, ?, ?)
      ON CONFLICT (tenant) DO UPDATE SET version = excluded.version, rules = excluded.rules, swept = excluded.swept`,
    params: [version, rules, swept],
  }
}

/** Only if nobody changed anything since: then nothing of what this sweep found is certain. */
export function markSwept(day: string, version: number): Change {
  return { sql: 'UPDATE ledger_retention SET swept = ? WHERE tenant = @tenant AND version = ?', params: [day, version] }
}

export function insertHold({ id, subject, since, until, placed_at, placed_by, entry }: HoldRow): Change {
  return {
    sql: `INSERT INTO ledger_hold (tenant, id, subject, since, until, placed_at, placed_by, entry)
      VALUES (@tenant, ?, ?, ?, ?, ?, ?, ?)`,
    params: [id, subject, since, until, placed_at, placed_by, entry],
  }
}

export function deleteHold(id: string): Change {
  return { sql: 'DELETE FROM ledger_hold WHERE tenant = @tenant AND id = ?', params: [id], rows: 1, fault: 'NOT_FOUND' }
}

/** The rows stay, so that what was sealed together is still known; the bytes go. */
export function clearPayload(seq: number, name: string): Change {
  return {
    sql: 'UPDATE ledger_payload SET sealed = ? WHERE tenant = @tenant AND seq = ? AND name = ?',
    params: [new Uint8Array(), seq, name],
  }
}

export function markCleared(name: string): Change {
  return { sql: 'UPDATE ledger_destroyed_key SET cleared = 1 WHERE tenant = @tenant AND name = ?', params: [name] }
}
