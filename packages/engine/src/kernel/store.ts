/** The door to the database: reads on their own connection, writes as units of work that one committer groups. */
import type { FaultCode } from '@ephor/contract'
import type { Kysely } from 'kysely'

export type SqlValue = string | number | bigint | Uint8Array | null

/** One row change of a unit. */
export type Change = {
  sql: string
  params: readonly SqlValue[]
  /** How many rows must change; anything else rolls the whole unit back with `fault`. Unset: any number. */
  rows?: number
  fault?: FaultCode
}

/**
 * What is written together or not at all. `attachment` goes to the store's extension (the ledger), which applies it
 * inside the same transaction.
 */
export type Unit = { changes: readonly Change[]; attachment?: unknown }

/** A room's schema changes: a folder of numbered `.sql` files, applied once each in order of name. */
export type Migrations = { room: string; folder: URL }

/**
 * Code that runs in the store's own thread and transaction. Its module exports
 * `install(db, options): StoreExtension`, where `db` is the thread's better-sqlite3 connection.
 */
export interface StoreExtension {
  /** Called when a transaction of units begins, also when it is done over: whatever an earlier one left that was not committed is gone. */
  begin(): void
  /** Called within the unit's savepoint; what it returns is what `commit` resolves with. */
  apply(attachment: unknown): unknown
  /** Called after COMMIT has returned, when at least one unit was written. */
  committed(): void
  /** Anything else the owner of the extension asks of it, outside a unit. It may open its own transaction. */
  call(method: string, argument: unknown): unknown
}

export interface Store {
  /** A query builder over the tables `T`, on a read-only connection that sees every acknowledged commit. */
  reader<T>(): Kysely<T>
  /**
   * Resolves once the unit is durable (COMMIT returned), with what the extension answered.
   * @throws Fault STORE_UNAVAILABLE when the store can't write; the fault of a change whose row count was not met.
   */
  commit(unit: Unit): Promise<unknown>
  /** Asks the extension. */
  call(method: string, argument: unknown): Promise<unknown>
  close(): Promise<void>
}
