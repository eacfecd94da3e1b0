/** What both ways of copying a store share: which tables it has, in which order they go, and how rows are compared. */
import { createHash } from 'node:crypto'
import { Fault } from '@ephor/contract'
import type Database from 'better-sqlite3'
import { Client } from 'pg'
import { openingFault } from './postgres-faults.ts'
import { connectOptions } from './postgres-session.ts'
import { parserOf } from './postgres-values.ts'

/** Rows on their way at once; their payloads are bounded by what a ledger takes. */
export const PAGE = 500

export type Table = { name: string; columns: string[]; key: string[] }

/** `digest`: hexadecimal SHA-256 over all rows in order of their key, the same in both stores. */
export type CopiedTable = { table: string; rows: number; digest: string }

export const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`
export const listed = (names: readonly string[]) => names.map(quoted).join(', ')

/** Tables with tenants, those that others refer to before those others. */
export function tablesOf(db: Database.Database): Table[] {
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

export class Digest {
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

/** The types of the columns by name; undefined when there is no such table. */
export async function typesOf(client: Client, table: string): Promise<Map<string, string> | undefined> {
  const { rows } = await client.query<{ name: string; type: string }>(
    `SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
     WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`,
    [quoted(table)],
  )
  return rows.length > 0 ? new Map(rows.map(({ name, type }) => [name, type])) : undefined
}

/** @returns the types of the columns @throws Fault SCHEMA_DIFFERS: rows would be lost on the way */
export async function checkColumns(client: Client, { name, columns }: Table): Promise<Map<string, string>> {
  const types = (await typesOf(client, name)) ?? new Map<string, string>()
  const unknown = columns.find((column) => !types.has(column)) ?? [...types.keys()].find((column) => !columns.includes(column))
  if (unknown !== undefined) throw new Fault('SCHEMA_DIFFERS', `${name}.${unknown} is in one of the stores and not in the other`)
  return types
}

/** The tenant's rows of a table in order of their key, a page at a time. The tenant is named too: policies don't hold for superusers. */
export async function* pagesOf(client: Client, { name, columns, key }: Table, tenant: string): AsyncGenerator<unknown[][]> {
  const select = `SELECT ${listed(columns)} FROM ${quoted(name)} WHERE tenant = $1 ORDER BY ${listed(key)}`
  await client.query(`DECLARE copied NO SCROLL CURSOR FOR ${select}`, [tenant])
  for (;;) {
    const { rows } = await client.query({ text: `FETCH ${PAGE} FROM copied`, rowMode: 'array' })
    if (rows.length > 0) yield rows as unknown[][]
    else break
  }
  await client.query('CLOSE copied')
}

/**
 * Runs `work` in one transaction as the tenant.
 * @param mode such as `ISOLATION LEVEL SERIALIZABLE`
 * @throws Fault of opening PostgreSQL
 */
export async function inTransaction<T>(
  { url, tenant, mode }: { url: string; tenant: string; mode: string },
  work: (client: Client) => Promise<T>,
): Promise<T> {
  // Values as the store gives them: a number that a double can't hold is an error.
  const client = new Client({ ...connectOptions(url, 'copy'), types: { getTypeParser: (type: number) => parserOf(type) } })
  client.on('error', () => undefined)
  try {
    try {
      await client.connect()
      await client.query(`BEGIN ${mode}`)
      // However long it takes, also between two pages: what the server sets is meant for others.
      const patient = ['statement_timeout', 'idle_in_transaction_session_timeout'].map((name) => `set_config('${name}', '0', true)`)
      await client.query(`SELECT set_config('ephor.tenant', $1, true), ${patient.join(', ')}`, [tenant])
    } catch (error) {
      throw openingFault(error, url)
    }
    const done = await work(client)
    await client.query('COMMIT')
    return done
  } finally {
    await client.end().catch(() => undefined)
  }
}
