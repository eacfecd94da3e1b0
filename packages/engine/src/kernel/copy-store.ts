/** Copies an embedded store into PostgreSQL, row by row in one transaction, and compares what arrived before it stands. */
import { createHash } from 'node:crypto'
import { Fault } from '@ephor/contract'
import Database from 'better-sqlite3'
import { Client, types } from 'pg'
import { lockFolder } from './open-sqlite.ts'
import { openingFault } from './postgres-faults.ts'
import { migratePostgres } from './postgres-schema-store.ts'
import { connectOptions } from './postgres-session.ts'
import { toParameter } from './postgres-values.ts'
import type { Migrations, SqlValue } from './store.ts'

/** Rows on their way at once; their payloads are bounded by what a ledger takes. */
const PAGE = 500

type Table = { name: string; columns: string[]; key: string[] }

/** `digest`: hexadecimal SHA-256 over all rows in order of their key, the same in both stores. */
export type CopiedTable = { table: string; rows: number; digest: string }

export type CopyOptions = {
  /** Of the embedded store, which nobody else has open. */
  file: string
  url: string
  tenant: string
  migrations: readonly Migrations[]
  /** After each table. */
  onTable?: (copied: CopiedTable) => void
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`
const listed = (names: readonly string[]) => names.map(quoted).join(', ')

/** Tables with tenants, those that others refer to before those others. */
function tablesOf(db: Database.Database): Table[] {
  const names = db.prepare<[], { name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all()
  const tables = new Map<string, Table>()
  for (const { name } of names) {
    const columns = db.pragma(`table_info(${quoted(name)})`) as { name: string; pk: number }[]
    const key = columns.filter(({ pk }) => pk > 0).toSorted((a, b) => a.pk - b.pk)
    if (columns.some((column) => column.name === 'tenant'))
      tables.set(name, { name, columns: columns.map((column) => column.name), key: key.map((column) => column.name) })
  }
  const ordered = new Map<string, Table>()
  const add = (table: Table): void => {
    for (const { table: other } of db.pragma(`foreign_key_list(${quoted(table.name)})`) as { table: string }[]) {
      const before = tables.get(other)
      if (before && before !== table && !ordered.has(other)) add(before)
    }
    ordered.set(table.name, table)
  }
  for (const table of tables.values()) add(table)
  return [...ordered.values()]
}

class Digest {
  readonly #hash = createHash('sha256')
  rows = 0

  add(values: readonly unknown[]): void {
    this.rows++
    this.#hash.update(
      `${JSON.stringify(values.map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value)))}\n`,
    )
  }

  of(table: string): CopiedTable {
    return { table, rows: this.rows, digest: this.#hash.digest('hex') }
  }
}

/** The types of the target's columns by name; undefined when there is no such table. */
async function typesOf(client: Client, table: string): Promise<Map<string, string> | undefined> {
  const { rows } = await client.query<{ name: string; type: string }>(
    `SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
     WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`,
    [quoted(table)],
  )
  return rows.length > 0 ? new Map(rows.map(({ name, type }) => [name, type])) : undefined
}

async function refuseOccupied(client: Client, tables: readonly Table[]): Promise<void> {
  for (const { name } of tables) {
    if ((await client.query(`SELECT 1 FROM ${quoted(name)} LIMIT 1`)).rowCount !== 0)
      throw new Fault('CONFLICT', `the database already has rows of this tenant (${name}); copy into an empty one`)
  }
}

/** @throws Fault SCHEMA_DIFFERS: rows would be lost on the way */
async function send(client: Client, db: Database.Database, table: Table, tenant: string): Promise<CopiedTable> {
  const { name, columns, key } = table
  const types = (await typesOf(client, name)) ?? new Map<string, string>()
  const unknown = columns.find((column) => !types.has(column)) ?? [...types.keys()].find((column) => !columns.includes(column))
  if (unknown !== undefined) throw new Fault('SCHEMA_DIFFERS', `${name}.${unknown} is in one of the stores and not in the other`)
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
async function readBack(client: Client, { name, columns, key }: Table): Promise<CopiedTable> {
  const digest = new Digest()
  await client.query(`DECLARE copied NO SCROLL CURSOR FOR SELECT ${listed(columns)} FROM ${quoted(name)} ORDER BY ${listed(key)}`)
  for (;;) {
    const { rows } = await client.query({ text: `FETCH ${PAGE} FROM copied`, rowMode: 'array' })
    for (const row of rows as unknown[][]) digest.add(row)
    if (rows.length === 0) break
  }
  await client.query('CLOSE copied')
  return digest.of(name)
}

async function copyTables(client: Client, db: Database.Database, { tenant, onTable }: CopyOptions): Promise<CopiedTable[]> {
  const tables: Table[] = []
  for (const table of tablesOf(db)) {
    if (await typesOf(client, table.name)) tables.push(table)
    else if (db.prepare(`SELECT 1 FROM ${quoted(table.name)} WHERE tenant = ?`).get(tenant) !== undefined)
      throw new Fault('SCHEMA_DIFFERS', `the table ${table.name} is not there on PostgreSQL, and has rows`)
  }
  await refuseOccupied(client, tables)
  const copied: CopiedTable[] = []
  for (const table of tables) {
    const sent = await send(client, db, table, tenant)
    const arrived = await readBack(client, table)
    if (arrived.digest !== sent.digest)
      throw new Fault('STORE_CORRUPT', `${table.name}: ${sent.rows} rows were sent, and the ${arrived.rows} that arrived differ`)
    copied.push(sent)
    onTable?.(sent)
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
  const client = new Client(connectOptions(url, 'copy'))
  // int8 as numbers: what a double can't hold would not have come from the embedded store either.
  client.setTypeParser(types.builtins.INT8, (text: string) => Number(text))
  client.on('error', () => undefined)
  try {
    await migratePostgres({ url, migrations })
    try {
      await client.connect()
      await client.query('BEGIN ISOLATION LEVEL SERIALIZABLE')
      await client.query("SELECT set_config('ephor.tenant', $1, true)", [tenant])
    } catch (error) {
      throw openingFault(error, url)
    }
    const copied = await copyTables(client, db, options)
    await client.query('COMMIT')
    return copied
  } finally {
    await client.end().catch(() => undefined)
    db.close()
    lock.close()
  }
}
