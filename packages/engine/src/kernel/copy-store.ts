/** Copies an embedded store into PostgreSQL, row by row in one transaction, and compares what arrived before it stands. */
import { Fault } from '@ephor/contract'
import Database from 'better-sqlite3'
import type { Client } from 'pg'
import { checkColumns, Digest, inTransaction, listed, PAGE, pagesOf, quoted, tablesOf, typesOf } from './copied-tables.ts'
import type { CopiedTable, Table } from './copied-tables.ts'
import { lockFolder } from './open-sqlite.ts'
import { nameDatabase } from './postgres-faults.ts'
import { migratePostgres } from './postgres-schema-store.ts'
import { toParameter } from './postgres-values.ts'
import type { Migrations, SqlValue } from './store.ts'

export type CopyOptions = {
  /** Of the embedded store, which nobody else has open. */
  file: string
  url: string
  tenant: string
  migrations: readonly Migrations[]
  /** After each table; the next one waits for it. */
  onTable?: (copied: CopiedTable) => Promise<void> | void
}

/**
 * A table in which the tenant has rows. Which replicas write is nobody's history, and does not count.
 * @returns undefined where there is none, or no table yet
 */
async function occupiedTable(client: Client, tenant: string): Promise<string | undefined> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped
     WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace AND c.relname NOT LIKE 'kernel\\_%' ORDER BY 1`,
  )
  for (const { name } of rows)
    if ((await client.query(`SELECT 1 FROM ${quoted(name)} WHERE tenant = $1 LIMIT 1`, [tenant])).rowCount !== 0) return name
  return undefined
}

/** @throws Fault CONFLICT when the database has rows of the tenant; those of opening PostgreSQL */
export async function refuseOccupied({ url, tenant }: Pick<CopyOptions, 'url' | 'tenant'>): Promise<void> {
  await inTransaction({ url, tenant, mode: 'READ ONLY' }, (client) => refuseRows(client, url, tenant))
}

async function refuseRows(client: Client, url: string, tenant: string): Promise<void> {
  const table = await occupiedTable(client, tenant)
  if (table !== undefined)
    throw new Fault(
      'CONFLICT',
      `${nameDatabase(url)} has rows of the tenant ${tenant} (${table}), which are not overwritten: rename that database or make an empty one, and name it with store.url`,
    )
}

async function send(client: Client, db: Database.Database, table: Table, tenant: string): Promise<CopiedTable> {
  const { name, columns, key } = table
  const types = await checkColumns(client, table)
  const insert = `INSERT INTO ${quoted(name)} (${listed(columns)})
    SELECT * FROM unnest(${columns.map((column, i) => `$${i + 1}::${types.get(column)}[]`).join(', ')})`
  const digest = new Digest()
  let page: SqlValue[][] = []
  const flush = async () => {
    if (page.length === 0) return
    await client.query(
      insert,
      columns.map((_, i) => toParameter(page.map((row) => row[i] ?? null))),
    )
    page = []
  }
  const rows = db.prepare(`SELECT ${listed(columns)} FROM ${quoted(name)} WHERE tenant = ? ORDER BY ${listed(key)}`).raw()
  for (const row of rows.iterate(tenant) as IterableIterator<SqlValue[]>) {
    digest.add(row)
    if (page.push(row) >= PAGE) await flush()
  }
  await flush()
  return digest.of(name)
}

/** What PostgreSQL has by now, read back. */
async function readBack(client: Client, table: Table, tenant: string): Promise<CopiedTable> {
  const digest = new Digest()
  for await (const page of pagesOf(client, table, tenant)) for (const row of page) digest.add(row)
  return digest.of(table.name)
}

async function copyTables(client: Client, db: Database.Database, { url, tenant, onTable }: CopyOptions): Promise<CopiedTable[]> {
  const tables: Table[] = []
  for (const table of tablesOf(db)) {
    if (await typesOf(client, table.name)) tables.push(table)
    else if (db.prepare(`SELECT 1 FROM ${quoted(table.name)} WHERE tenant = ?`).get(tenant) !== undefined)
      throw new Fault('SCHEMA_DIFFERS', `the table ${table.name} is not there on PostgreSQL, and has rows`)
  }
  await refuseRows(client, url, tenant)
  const copied: CopiedTable[] = []
  for (const table of tables) {
    const sent = await send(client, db, table, tenant)
    const arrived = await readBack(client, table, tenant)
    if (arrived.digest !== sent.digest)
      throw new Fault('STORE_CORRUPT', `${table.name}: ${sent.rows} rows were sent, and the ${arrived.rows} that arrived differ`)
    copied.push(sent)
    await onTable?.(sent)
  }
  return copied
}

/**
 * Nothing is left behind where it fails; the embedded store stays as it was.
 * @returns every table that holds the tenant's rows
 * @throws Fault STORE_LOCKED when a server runs on the store; CONFLICT when the database has rows of the tenant;
 *   SCHEMA_DIFFERS; those of opening PostgreSQL
 */
export async function copyStore(options: CopyOptions): Promise<CopiedTable[]> {
  const { file, url, tenant, migrations } = options
  const lock = lockFolder(file)
  const db = new Database(file, { readonly: true, fileMustExist: true })
  try {
    await migratePostgres({ url, migrations })
    return await inTransaction({ url, tenant, mode: 'ISOLATION LEVEL SERIALIZABLE' }, (client) => copyTables(client, db, options))
  } finally {
    db.close()
    lock.close()
  }
}
