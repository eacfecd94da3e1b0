/** The thread in which the embedded store's ledger is indexed and searched, on its own connection: decisions wait for none of it. */
import { parentPort, workerData } from 'node:worker_threads'
import { Fault } from '@ephor/contract'
import Database from 'better-sqlite3'
import { Kysely, SqliteDialect } from 'kysely'
import { openFileIndex } from './file-store.ts'
import { openSource, rememberReasons } from './search-source.ts'
import type { SearchSource } from './search-source.ts'
import { readRows } from './search-store.ts'
import type { EntryTables } from './search-store.ts'
import type { Reasons } from './terms.ts'

/** `file`: of the store; `index`: of the index. */
export type SearchThreadData = { file: string; index: string; tenant: string }
export type SearchMethod = keyof SearchSource
export type ToThread = { id: number; method: SearchMethod; args: unknown[] } | { reasons: string; texts: Reasons }
export type FromThread =
  | { id: number; value: unknown }
  | { id: number; failed: { code: string; detail: string } }
  | { warning: string; because: string | undefined }
  /** Wants the `@reason` texts of this policy version. */
  | { reasons: string }

const SQLITE: Record<string, string> = { SQLITE_NOTADB: 'STORE_CORRUPT', SQLITE_CORRUPT: 'STORE_CORRUPT' }

function failureOf(error: unknown): { code: string; detail: string } {
  const { code, message } = error as { code?: unknown; message: string }
  if (error instanceof Fault) return { code: error.code, detail: message }
  if (typeof code === 'string' && code.startsWith('SQLITE_'))
    return { code: SQLITE[code] ?? 'STORE_UNAVAILABLE', detail: `${code}: ${message}` }
  return { code: 'INTERNAL', detail: message }
}

function main(port: NonNullable<typeof parentPort>, { file, index, tenant }: SearchThreadData): void {
  const send = (message: FromThread) => port.postMessage(message)
  const asked = new Map<string, ((texts: Reasons) => void)[]>()
  const ask = (version: string) =>
    new Promise<Reasons>((resolve) => {
      const waiting = asked.get(version)
      asked.set(version, [...(waiting ?? []), resolve])
      if (!waiting) send({ reasons: version })
    })
  const reader = new Database(file, { readonly: true, fileMustExist: true })
  const rows = readRows(new Kysely<EntryTables>({ dialect: new SqliteDialect({ database: reader }) }), tenant)
  const terms = openFileIndex(index)
  const source = openSource({ rows, index: terms, reasonsOf: rememberReasons(ask) }, (error, warning) =>
    send({ warning, because: (error as Error | undefined)?.message }),
  )

  async function perform(method: SearchMethod, args: unknown[]): Promise<unknown> {
    const value = await (source[method] as (...all: unknown[]) => Promise<unknown>)(...args)
    if (method !== 'close') return value
    terms.close()
    reader.close()
    return undefined
  }

  port.on('message', (message: ToThread) => {
    if ('reasons' in message) {
      for (const resolve of asked.get(message.reasons) ?? []) resolve(message.texts)
      asked.delete(message.reasons)
      return
    }
    const { id, method, args } = message
    perform(method, args)
      .then((value) => send({ id, value }))
      .catch((error: unknown) => send({ id, failed: failureOf(error) }))
      .finally(() => method === 'close' && port.close())
  })
}

if (parentPort) main(parentPort, workerData as SearchThreadData)
