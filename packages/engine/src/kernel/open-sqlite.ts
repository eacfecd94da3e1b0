/** Opens the embedded store: a thread that writes, a group committer in front of it, a read-only connection beside it. */
import { closeSync, openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { Fault, FAULTS } from '@ephor/contract'
import type { FaultCode } from '@ephor/contract'
import Database from 'better-sqlite3'
import { Kysely, SqliteDialect } from 'kysely'
import type { SentUnit, ThreadData, ThreadReply, ThreadRequest, UnitResult } from './sqlite-thread.ts'
import type { Migrations, Store, Unit } from './store.ts'
import { checkTenant, DEFAULT_TENANT } from './tenant.ts'

/** Units in one transaction at most: beyond this, latency grows and throughput does not. */
const MAX_BATCH = 256
/** Units that are sent without waiting for the rest of the turn, so that the thread works while callers still prepare theirs. */
const EAGER_BATCH = 16
/** Batches handed to the thread and not answered: one that it works on and the next ones, so that it never waits for us. */
const MAX_IN_FLIGHT = 3

export type SqliteOptions = {
  /** The database file; its folder exists. */
  file: string
  /** Whose rows: `default` unless set. */
  tenant?: string
  migrations: readonly Migrations[]
  /** A module that exports `install` (see StoreExtension), and what to hand it; must survive structured cloning. */
  extension?: { module: URL; options: unknown }
}

type Waiting = { unit: Unit; resolve(value: unknown): void; reject(fault: Fault): void }
type Pending = { resolve(value: unknown): void; reject(fault: Fault): void }

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
function lockFolder(file: string): Database.Database {
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
    migrations: options.migrations.map(({ room, folder }) => ({ room, folder: fileURLToPath(folder) })),
    extension: options.extension && { module: options.extension.module.href, options: options.extension.options },
  }
  const thread = new Worker(new URL('./sqlite-thread.ts', import.meta.url), { workerData: data })
  const pending = new Map<number, Pending>()
  let waiting: Waiting[] = []
  const inFlight = new Set<Promise<void>>()
  let scheduled = false
  let dead: Fault | undefined
  let nextId = 1

  function die(detail: string): void {
    dead ??= new Fault('STORE_UNAVAILABLE', detail)
    for (const asked of pending.values()) asked.reject(dead)
    pending.clear()
    for (const waiter of waiting) waiter.reject(dead)
    waiting = []
  }
  thread.on('error', (error: Error) => die(`the store's thread failed: ${error.message}`))
  thread.on('exit', () => die('the store is closed'))
  thread.on('message', (reply: ThreadReply) => {
    const to = pending.get(reply.id)
    pending.delete(reply.id)
    if (!to) return
    if ('failed' in reply) to.reject(toFault(reply.failed.code, reply.failed.detail))
    else to.resolve('results' in reply ? reply.results : reply.value)
  })

  function ask(request: ThreadRequest): Promise<unknown> {
    if (dead) return Promise.reject(dead)
    return new Promise((resolve, reject) => {
      pending.set(request.id, { resolve, reject })
      thread.postMessage(request)
    })
  }

  async function send(batch: readonly Waiting[]): Promise<void> {
    try {
      const statements: string[] = []
      const units = batch.map(({ unit }) => toSent(unit, statements))
      const results = (await ask({ id: nextId++, kind: 'commit', statements, units })) as UnitResult[]
      for (const [i, result] of results.entries()) {
        if (result.ok) batch[i]?.resolve(result.value)
        else batch[i]?.reject(toFault(result.code, result.detail))
      }
    } catch (fault) {
      for (const waiter of batch) waiter.reject(fault as Fault)
    }
  }

  /** The same few texts come again and again: each crosses once. */
  const known = new Map<string, number>()
  function toSent({ changes, attachment }: Unit, statements: string[]): SentUnit {
    return {
      changes: changes.map(({ sql, params, rows, fault }) => {
        let statement = known.get(sql)
        if (statement === undefined) {
          known.set(sql, (statement = known.size))
          statements.push(sql)
        }
        return { statement, params, rows, fault }
      }),
      attachment,
    }
  }

  /** No timer: the next batch is what gathered while the earlier ones were being made durable. */
  function flush(): void {
    if (inFlight.size >= MAX_IN_FLIGHT || waiting.length === 0) return
    const sent = send(waiting.splice(0, MAX_BATCH)).then(() => {
      inFlight.delete(sent)
      return flush()
    })
    inFlight.add(sent)
  }

  /** Callers of the same turn share a batch, unless there are many. */
  function schedule(): void {
    if (waiting.length >= EAGER_BATCH) flush()
    else if (!scheduled) {
      scheduled = true
      queueMicrotask(() => {
        scheduled = false
        flush()
      })
    }
  }

  let reader: Database.Database
  try {
    await new Promise((resolve, reject) => pending.set(0, { resolve, reject }))
    reader = new Database(options.file, { readonly: true })
  } catch (error) {
    await thread.terminate()
    lock.close()
    throw error
  }
  const kysely = new Kysely<unknown>({ dialect: new SqliteDialect({ database: reader }) })

  return {
    tenant,
    kind: 'sqlite',
    reader: <T>() => kysely as unknown as Kysely<T>,
    commit(unit) {
      if (dead) return Promise.reject(dead)
      return new Promise((resolve, reject) => {
        waiting.push({ unit, resolve, reject })
        schedule()
      })
    },
    call: (method, argument) => ask({ id: nextId++, kind: 'call', method, argument }),
    onForeign: () => () => undefined,
    async close() {
      for (flush(); inFlight.size > 0;) await Promise.all(inFlight)
      // First the reader: only the last connection to close can write as it goes, and folds the WAL into the one file.
      reader.close()
      if (!dead) await ask({ id: nextId++, kind: 'close' }).catch(() => undefined)
      dead ??= new Fault('STORE_UNAVAILABLE', 'the store is closed')
      await thread.terminate()
      lock.close()
    },
  }
}
