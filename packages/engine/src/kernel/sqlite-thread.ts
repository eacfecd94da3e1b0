/** The thread that owns the embedded store's only writing connection: it applies batches of units, one transaction each. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'
import type { SqlValue, StoreExtension } from './store.ts'
import { nameTenant } from './tenant.ts'

export type ThreadData = {
  file: string
  tenant: string
  migrations: { room: string; folder: string }[]
  extension: { module: string; options: unknown } | undefined
}

/** A change as it crosses: its text went over once before, and is named by its place since then. */
export type SentChange = { statement: number; params: readonly SqlValue[]; rows: number | undefined; fault: string | undefined }
export type SentUnit = { changes: SentChange[]; attachment: unknown }

export type ThreadRequest =
  /** `statements`: texts that were not sent before, in the order of their numbers. */
  | { id: number; kind: 'commit'; statements: string[]; units: SentUnit[] }
  | { id: number; kind: 'call'; method: string; argument: unknown }
  | { id: number; kind: 'close' }

/** One unit's result: what the extension answered, or why the unit (and only it) was rolled back. */
export type UnitResult = { ok: true; value: unknown } | { ok: false; code: string; detail: string }

export type ThreadReply = { id: number } & ({ results: UnitResult[] } | { value: unknown } | { failed: { code: string; detail: string } })

class RowsMismatch extends Error {
  readonly code: string

  constructor(code: string) {
    super('the row was not in the state that the change expects')
    this.code = code
  }
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

function migrate(db: Database.Database, migrations: ThreadData['migrations']): void {
  db.exec(
    'CREATE TABLE IF NOT EXISTS kernel_migration (room TEXT, name TEXT, digest TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (room, name)) STRICT',
  )
  const known = db.prepare('SELECT digest FROM kernel_migration WHERE room = ? AND name = ?')
  const record = db.prepare('INSERT INTO kernel_migration VALUES (?, ?, ?, ?)')
  for (const { room, folder } of migrations) {
    for (const name of readdirSync(folder)
      .filter((f) => f.endsWith('.sql') && !f.endsWith('.postgres.sql'))
      .toSorted()) {
      const sql = readFileSync(join(folder, name), 'utf8')
      const digest = createHash('sha256').update(sql).digest('hex')
      const row = known.get(room, name) as { digest: string } | undefined
      if (row && row.digest !== digest) throw new Error(`migration ${room}/${name} differs from the one this store was made with`)
      if (row) continue
      db.transaction(() => {
        db.exec(sql)
        record.run(room, name, digest, new Date().toISOString())
      })()
    }
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
      if (rows !== undefined && changes !== rows) throw new RowsMismatch(fault ?? 'CONFLICT')
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
  migrate(db, data.migrations)
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
      const code = (error as { code?: unknown }).code
      port.postMessage({
        id,
        failed: { code: typeof code === 'string' ? code : 'INTERNAL', detail: (error as Error).message },
      } satisfies ThreadReply)
    }
  })
  port.postMessage({ id: 0, value: 'open' } satisfies ThreadReply)
}

if (parentPort) {
  const port = parentPort
  main(port, workerData as ThreadData).catch((error: Error & { code?: string }) => {
    port.postMessage({ id: 0, failed: { code: error.code ?? 'INTERNAL', detail: error.message } } satisfies ThreadReply)
    port.close()
  })
}
