/** Opens the embedded store: a thread that writes, a group committer in front of it, a read-only connection beside it. */
import { closeSync, existsSync, openSync } from 'node:fs'
import { Fault, FAULTS } from '@ephor/contract'
import type { FaultCode } from '@ephor/contract'
import Database from 'better-sqlite3'
import { Kysely, SqliteDialect } from 'kysely'
import { startCommitter } from './group-committer.ts'
import type { GroupCommitter } from './group-committer.ts'
import { compareMigrations, readMigrations, sendMigrations } from './read-migrations.ts'
import type { AppliedMigration, Migration } from './read-migrations.ts'
import type { ThreadData } from './sqlite-thread.ts'
import type { Store } from './store.ts'
import { checkTenant, DEFAULT_TENANT } from './tenant.ts'
import type { CommonOptions } from './thread-messages.ts'

export type SqliteOptions = CommonOptions & {
  /** The database file; its folder exists. */
  file: string
  /** A module that exports `install` (see StoreExtension), and what to hand it; must survive structured cloning. */
  extension?: { module: URL; options: unknown } | undefined
}

/** The fault that a code from the thread stands for: ours by name, SQLite's by kind. */
function toFault(code: string, detail: string): Fault {
  if (code in FAULTS) return new Fault(code as FaultCode, detail)
  if (code === 'SQLITE_NOTADB' || code === 'SQLITE_CORRUPT') return new Fault('STORE_CORRUPT', detail)
  if (code.startsWith('SQLITE_')) return new Fault('STORE_UNAVAILABLE', `${code}: ${detail}`)
  return new Fault('INTERNAL', detail)
}

/**
 * Holds an exclusive lock for the life of the process: SQLite's own lock on a file of its own, which the kernel
 * releases however the process ends.
 */
export function lockFolder(file: string): Database.Database {
  const lock = new Database(`${file}.lock`, { timeout: 0 })
  try {
    lock.pragma('journal_mode = DELETE')
    lock.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    lock.close()
    if ((error as { code?: string }).code === 'SQLITE_BUSY')
      throw new Fault('STORE_LOCKED', `another process has ${file} open`, { cause: error })
    throw error
  }
  return lock
}

/**
 * @throws Fault STORE_LOCKED when another process holds the store, STORE_CORRUPT when the file is damaged,
 *   STORE_UNAVAILABLE when it can't be written.
 */
export async function openSqlite(options: SqliteOptions): Promise<Store> {
  const tenant = checkTenant(options.tenant ?? DEFAULT_TENANT)
  let lock: Database.Database
  try {
    closeSync(openSync(options.file, 'a', 0o600))
    lock = lockFolder(options.file)
  } catch (error) {
    if (error instanceof Fault) throw error
    throw new Fault('STORE_UNAVAILABLE', `${options.file}: ${(error as Error).message}`, { cause: error })
  }

  const data: ThreadData = {
    file: options.file,
    tenant,
    migrations: sendMigrations(options.migrations),
    migrate: options.migrate ?? true,
    extension: options.extension && { module: options.extension.module.href, options: options.extension.options },
  }
  let committer: GroupCommitter | undefined
  let reader: Database.Database
  try {
    committer = await startCommitter({ thread: new URL('./sqlite-thread.ts', import.meta.url), data, toFault })
    reader = new Database(options.file, { readonly: true })
  } catch (error) {
    await committer?.close()
    lock.close()
    throw error
  }
  const writer = committer
  const kysely = new Kysely<unknown>({ dialect: new SqliteDialect({ database: reader }) })

  return {
    tenant,
    kind: 'sqlite',
    reader: <T>() => kysely as unknown as Kysely<T>,
    commit: (unit) => writer.commit(unit),
    call: (method, argument) => writer.call(method, argument),
    onForeign: () => () => undefined,
    async close() {
      await writer.drain()
      // First the reader: only the last connection to close can write as it goes, and folds the WAL into the one file.
      reader.close()
      await writer.close()
      lock.close()
    },
  }
}

/** Migrations that the file lacks; it is only read. @throws Fault SCHEMA_NEWER, SCHEMA_DIFFERS, STORE_CORRUPT */
export function pendingOnSqlite({ file, migrations }: Pick<SqliteOptions, 'file' | 'migrations'>): Migration[] {
  const known = readMigrations(sendMigrations(migrations), 'sqlite')
  if (!existsSync(file)) return known
  try {
    const db = new Database(file, { readonly: true })
    try {
      const made = db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'kernel_migration'").get() !== undefined
      const applied = made ? (db.prepare('SELECT room, name, digest FROM kernel_migration').all() as AppliedMigration[]) : []
      return compareMigrations(known, applied)
    } finally {
      db.close()
    }
  } catch (error) {
    throw error instanceof Fault ? error : toFault((error as { code?: string }).code ?? '', (error as Error).message)
  }
}
