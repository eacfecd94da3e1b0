/** What crosses between a store and the thread that owns its writing connection: the same for both stores. */
import type { Migrations, SqlValue } from './store.ts'

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

/** The reply to request 0, which nobody sends, says that the thread is open. */
export type ThreadReply = { id: number } & ({ results: UnitResult[] } | { value: unknown } | { failed: { code: string; detail: string } })

/** Folders as the thread gets them: URLs don't cross. */
export type SentMigrations = { room: string; folder: string }[]

/** What either store is opened with. */
export type CommonOptions = {
  /** Whose rows: `default` unless set. */
  tenant?: string | undefined
  migrations: readonly Migrations[]
  /** Unset: bring the schema up to date. False: refuse a store whose schema is older (Fault SCHEMA_OLDER). */
  migrate?: boolean | undefined
}

/** A change met another state than it expects. */
export class RowsMismatch extends Error {
  readonly code: string

  constructor(code: string | undefined) {
    super('the row was not in the state that the change expects')
    this.code = code ?? 'CONFLICT'
  }
}

/** @returns the reply for an error that a request ran into */
export function failedReply(id: number, error: unknown): ThreadReply {
  const { code, message } = error as { code?: unknown; message: string }
  return { id, failed: { code: typeof code === 'string' ? code : 'INTERNAL', detail: message } }
}
