/** The thread that owns the embedded store's only writing connection: it applies batches of units, one transaction each. */
import { parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'
import { compareMigrations, readMigrations, refusePending } from './read-migrations.ts'
import type { AppliedMigration } from './read-migrations.ts'
import type { StoreExtension } from './store.ts'
import { nameTenant } from './tenant.ts'
import { failedReply, RowsMismatch } from './thread-messages.ts'
import type { SentMigrations, SentUnit, ThreadReply, ThreadRequest, UnitResult } from './thread-messages.ts'

export type ThreadData = {
  file: string
  tenant: string
  migrations: SentMigrations
  /** False: refuse what is not up to date. */
  migrate: boolean
  extension: { module: string; options: unknown } | undefined
}

function open(data: ThreadData): Database.Database {
  const db = new Database(data.file)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.pragma('foreign_keys = ON')
  // 16 MiB of WAL instead of 4: folding it back cost as much as the commits themselves.
  db.pragma('wal_autocheckpoint = 4000')
  // better-sqlite3 sets NORMAL for WAL by itself, which loses acknowledged rows at a power cut: read it back.
  if (db.pragma('synchronous', { simple: true }) !== 2) throw new Error('SQLite did not accept synchronous=FULL')
  return db
}

function migrate(db: Database.Database, data: ThreadData): void {
  db.exec(
    'CREATE TABLE IF NOT EXISTS kernel_migration (room TEXT, name TEXT, digest TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (room, name)) STRICT',
  )
  const applied = db.prepare('SELECT room, name, digest FROM kernel_migration').all() as AppliedMigration[]
  const pending = compareMigrations(readMigrations(data.migrations, 'sqlite'), applied)
  if (!data.migrate) refusePending(pending)
  const record = db.prepare('INSERT INTO kernel_migration VALUES (?, ?, ?, ?)')
  for (const { room, name, sql, digest } of pending) {
    db.transaction(() => {
      db.exec(sql)
      record.run(room, name, digest, new Date().toISOString())
    })()
  }
}

function makeCommit(db: Database.Database, tenant: string, extension: StoreExtension | undefined) {
  const texts: string[] = []
  const prepared: Database.Statement[] = []
  const [begin, commit, rollback, save, release, undo] = [
    'BEGIN IMMEDIATE',
    'COMMIT',
    'ROLLBACK',
    'SAVEPOINT unit',
    'RELEASE unit',
    'ROLLBACK TO unit',
  ].map((sql) => db.prepare(sql)) as [
    Database.Statement,
    Database.Statement,
    Database.Statement,
    Database.Statement,
    Database.Statement,
    Database.Statement,
  ]

  /** @throws RowsMismatch, a fault of the extension, or what SQLite says */
  function apply(unit: SentUnit): UnitResult {
    for (const { statement, params, rows, fault } of unit.changes) {
      const { changes } = (prepared[statement] ??= db.prepare(texts[statement] ?? '')).run(...params)
      if (rows !== undefined && changes !== rows) throw new RowsMismatch(fault)
    }
    return { ok: true, value: unit.attachment === undefined ? undefined : extension?.apply(unit.attachment) }
  }

  /** Each unit by itself: one that fails is undone, and the others stay. */
  function applyAlone(unit: SentUnit): UnitResult {
    save.run()
    try {
      const result = apply(unit)
      release.run()
      return result
    } catch (error) {
      // SQLite ends the whole transaction by itself on a full disk or an I/O error: then nothing of the batch may be acknowledged.
      if (!db.inTransaction) throw error
      undo.run()
      release.run()
      const sqlite = (error as { code?: unknown }).code
      if (error instanceof RowsMismatch) return { ok: false, code: error.code, detail: error.message }
      if (typeof sqlite === 'string' && sqlite.startsWith('SQLITE_CONSTRAINT'))
        return { ok: false, code: 'CONFLICT', detail: (error as Error).message }
      if (typeof sqlite === 'string' && !sqlite.startsWith('SQLITE_')) return { ok: false, code: sqlite, detail: (error as Error).message }
      throw error
    }
  }

  function attempt(units: SentUnit[], one: (unit: SentUnit) => UnitResult): UnitResult[] {
    begin.run()
    extension?.begin()
    try {
      const results = units.map(one)
      commit.run()
      return results
    } catch (error) {
      if (db.inTransaction) rollback.run()
      throw error
    }
  }

  return (statements: string[], units: SentUnit[]): UnitResult[] => {
    texts.push(...statements.map((sql) => nameTenant(sql, tenant)))
    let results: UnitResult[]
    try {
      // A savepoint costs as much as the rows of a unit, and nearly every batch succeeds as a whole.
      results = attempt(units, apply)
    } catch {
      results = attempt(units, applyAlone)
    }
    if (results.some((result) => result.ok)) extension?.committed()
    return results
  }
}

async function main(port: NonNullable<typeof parentPort>, data: ThreadData): Promise<void> {
  const db = open(data)
  migrate(db, data)
  let extension: StoreExtension | undefined
  if (data.extension) {
    const module = (await import(data.extension.module)) as {
      install(db: Database.Database, options: unknown, tenant: string): StoreExtension
    }
    extension = module.install(db, data.extension.options, data.tenant)
  }
  const commit = makeCommit(db, data.tenant, extension)
  port.on('message', (request: ThreadRequest) => {
    const { id } = request
    try {
      if (request.kind === 'commit') port.postMessage({ id, results: commit(request.statements, request.units) } satisfies ThreadReply)
      else if (request.kind === 'call')
        port.postMessage({ id, value: extension?.call(request.method, request.argument) } satisfies ThreadReply)
      else {
        db.close()
        port.postMessage({ id, value: undefined } satisfies ThreadReply)
        port.close()
      }
    } catch (error) {
      port.postMessage(failedReply(id, error))
    }
  })
  port.postMessage({ id: 0, value: 'open' } satisfies ThreadReply)
}

if (parentPort) {
  const port = parentPort
  main(port, workerData as ThreadData).catch((error: unknown) => {
    port.postMessage(failedReply(0, error))
    port.close()
  })
}
