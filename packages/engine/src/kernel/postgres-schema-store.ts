/** The schema on PostgreSQL: which migrations it has, the next ones under one lock, and rows of a tenant behind its policy. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { openingFault } from './postgres-faults.ts'
import { connectOptions } from './postgres-session.ts'
import { compareMigrations, readMigrations, refusePending, sendMigrations } from './read-migrations.ts'
import type { AppliedMigration, Migration } from './read-migrations.ts'
import type { Migrations } from './store.ts'

/** Replicas that start at once wait here for one another: any number that is only ours. */
const ADVISORY_LOCK = 7_373_001
/** A migration does not queue behind a long transaction, since everything else would queue behind it: it comes back later. */
const LOCK_MS = 3_000
const LOCK_ATTEMPTS = 10

const KERNEL_MIGRATIONS: Migrations = { room: 'kernel', folder: new URL('./migrations/', import.meta.url) }

export type SchemaOptions = { url: string; migrations: readonly Migrations[] }

/** What the role is that this process signed in as. */
export type Role = { name: string; bypassesPolicies: boolean }

function known({ migrations }: SchemaOptions): Migration[] {
  return readMigrations(sendMigrations([KERNEL_MIGRATIONS, ...migrations]), 'postgres')
}

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client(connectOptions(url, 'schema'))
  client.on('error', () => undefined)
  try {
    await client.connect()
    return await work(client)
  } catch (error) {
    throw openingFault(error, url)
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function readApplied(client: Client): Promise<AppliedMigration[]> {
  const { rows: exists } = await client.query<{ there: boolean }>("SELECT to_regclass('kernel_migration') IS NOT NULL AS there")
  if (!exists[0]?.there) return []
  return (await client.query<AppliedMigration>('SELECT room, name, digest FROM kernel_migration')).rows
}

/**
 * Every table that names a tenant shows and takes rows of the connection's tenant only, to its owner as well. The
 * migration before this may have had to lift that: it changes the rows of all tenants.
 */
async function protectTables(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string; fresh: boolean }>(
    `SELECT c.relname AS name, NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid) AS fresh
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped
     WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
       AND NOT (c.relrowsecurity AND c.relforcerowsecurity) ORDER BY 1`,
  )
  for (const { name, fresh } of rows) {
    const table = client.escapeIdentifier(name)
    await client.query(`ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY`)
    const own = "tenant = current_setting('ephor.tenant')"
    if (fresh) await client.query(`CREATE POLICY own_tenant ON ${table} USING (${own}) WITH CHECK (${own})`)
  }
}

async function unprotectNamed(client: Client, sql: string): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    'SELECT relname AS name FROM pg_class WHERE relforcerowsecurity AND relnamespace = current_schema()::regnamespace',
  )
  for (const { name } of rows)
    if (new RegExp(`\\b${name}\\b`).test(sql))
      await client.query(`ALTER TABLE ${client.escapeIdentifier(name)} NO FORCE ROW LEVEL SECURITY`)
}

/** @returns false when another replica applied it meanwhile */
async function applyOne(client: Client, { room, name, sql, digest }: Migration): Promise<boolean> {
  try {
    await client.query('BEGIN')
    await client.query('SELECT pg_advisory_xact_lock($1)', [ADVISORY_LOCK])
    await client.query(
      'CREATE TABLE IF NOT EXISTS kernel_migration (room TEXT, name TEXT, digest TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (room, name))',
    )
    const before = await client.query('SELECT 1 FROM kernel_migration WHERE room = $1 AND name = $2', [room, name])
    if (before.rowCount === 0) {
      await client.query(`SET LOCAL lock_timeout = ${LOCK_MS}`)
      await unprotectNamed(client, sql)
      await client.query(sql)
      await protectTables(client)
      await client.query('INSERT INTO kernel_migration (room, name, digest, at) VALUES ($1, $2, $3, $4)', [
        room,
        name,
        digest,
        new Date().toISOString(),
      ])
    }
    await client.query('COMMIT')
    return before.rowCount === 0
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined)
    ;(error as Error).message = `migration ${room}/${name}: ${(error as Error).message}`
    throw error
  }
}

async function applyPatiently(client: Client, migration: Migration): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await applyOne(client, migration)
    } catch (error) {
      if ((error as { code?: string }).code !== '55P03' || attempt >= LOCK_ATTEMPTS) throw error
      await sleep(attempt * 200)
    }
  }
}

/** @throws Fault SCHEMA_NEWER, SCHEMA_DIFFERS, and those of opening */
export function pendingOnPostgres(options: SchemaOptions): Promise<Migration[]> {
  return withClient(options.url, async (client) => compareMigrations(known(options), await readApplied(client)))
}

/** Forward only, each in a transaction of its own with short locks, one replica at a time. @returns what this call applied */
export function migratePostgres(options: SchemaOptions): Promise<Migration[]> {
  return withClient(options.url, async (client) => {
    const applied: Migration[] = []
    for (const migration of compareMigrations(known(options), await readApplied(client)))
      if (await applyPatiently(client, migration)) applied.push(migration)
    // Another replica may be of another version and have gone further meanwhile.
    compareMigrations(known(options), await readApplied(client))
    return applied
  })
}

/** Brings the schema up to date, or refuses one that is not. @returns the role that the store will act as */
export async function openSchema(options: SchemaOptions & { migrate: boolean }): Promise<Role> {
  return withClient(options.url, async (client) => {
    const pending = compareMigrations(known(options), await readApplied(client))
    if (!options.migrate) refusePending(pending)
    if (pending.length > 0) await migratePostgres(options)
    const { rows } = await client.query<{ name: string; free: boolean }>(
      'SELECT rolname AS name, rolsuper OR rolbypassrls AS free FROM pg_roles WHERE rolname = current_user',
    )
    return { name: rows[0]?.name ?? '', bypassesPolicies: rows[0]?.free === true }
  })
}
