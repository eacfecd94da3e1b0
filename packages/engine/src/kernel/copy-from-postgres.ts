/** Copies a tenant's rows out of PostgreSQL into a new embedded store, all as they are at one moment, while replicas write on. */
import { rmSync } from 'node:fs'
import { Fault } from '@ephor/contract'
import Database from 'better-sqlite3'
import type { Client } from 'pg'
import { checkColumns, Digest, inTransaction, listed, pagesOf, quoted, tablesOf } from './copied-tables.ts'
import type { CopiedTable, Table } from './copied-tables.ts'
import type { CopyOptions } from './copy-store.ts'
import { openSqlite } from './open-sqlite.ts'
import { pendingOnPostgres } from './postgres-schema-store.ts'
import { refusePending } from './read-migrations.ts'

async function receive(client: Client, db: Database.Database, table: Table, tenant: string): Promise<CopiedTable> {
  const { name, columns, key } = table
  await checkColumns(client, table)
  const insert = db.prepare(`INSERT INTO ${quoted(name)} (${listed(columns)}) VALUES (${columns.map(() => '?').join(', ')})`)
  const sent = new Digest()
  for await (const page of pagesOf(client, table, tenant))
    for (const row of page) {
      sent.add(row)
      insert.run(...row)
    }
  const arrived = new Digest()
  const rows = db.prepare(`SELECT ${listed(columns)} FROM ${quoted(name)} ORDER BY ${listed(key)}`).raw()
  for (const row of rows.iterate() as IterableIterator<unknown[]>) arrived.add(row)
  const copied = sent.of(name)
  if (arrived.of(name).digest !== copied.digest)
    throw new Fault('STORE_CORRUPT', `${name}: ${sent.rows} rows were read, and the ${arrived.rows} that are in the copy differ`)
  return copied
}

/**
 * What only PostgreSQL has (its writers, the search index, the counter of the log) is made anew where it is needed.
 * @param options `file` is made, and is one file when this returns, which is not yet durable
 * @returns every table that holds the tenant's rows
 * @throws Fault SCHEMA_OLDER, SCHEMA_NEWER and SCHEMA_DIFFERS when the database is not of this version; those of opening PostgreSQL
 */
export async function copyFromPostgres({ file, url, tenant, migrations, onTable }: CopyOptions): Promise<CopiedTable[]> {
  refusePending(await pendingOnPostgres({ url, migrations }))
  await (await openSqlite({ file, tenant, migrations })).close()
  rmSync(`${file}.lock`, { force: true })
  const db = new Database(file)
  try {
    // A copy that is cut short is thrown away.
    db.pragma('journal_mode = DELETE')
    db.pragma('synchronous = OFF')
    // Nothing is locked: whoever writes meanwhile is not in this snapshot, and is not held up by it.
    const mode = 'ISOLATION LEVEL REPEATABLE READ READ ONLY'
    return await inTransaction({ url, tenant, mode }, async (client) => {
      const copied: CopiedTable[] = []
      db.exec('BEGIN')
      for (const table of tablesOf(db)) {
        const one = await receive(client, db, table, tenant)
        copied.push(one)
        await onTable?.(one)
      }
      db.exec('COMMIT')
      return copied
    })
  } finally {
    db.close()
  }
}
