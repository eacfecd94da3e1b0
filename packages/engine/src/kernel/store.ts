/** The door to the database: reads on their own connection, writes as units of work that one committer groups. */
import type { FaultCode } from '@ephor/contract'
import type { Kysely } from 'kysely'

export type SqlValue = string | number | bigint | Uint8Array | null

/** One row change of a unit. */
export type Change = {
  /** In the subset that SQLite and PostgreSQL share: `?` are the parameters, `@tenant` is the store's tenant. */
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

/**
 * A room's schema changes: a folder of numbered `.sql` files in SQLite's words, applied once each in order of
 * name. PostgreSQL takes `NNNN-name.postgres.sql` where there is one.
 */
export type Migrations = { room: string; folder: URL }

/**
 * Code that runs in the embedded store's own thread and transaction. Its module exports
 * `install(db, options, tenant): StoreExtension`, where `db` is the thread's better-sqlite3 connection.
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

/** A text for PostgreSQL: `?` are its parameters, `@tenant` is the tenant. It is prepared once for a connection. */
export type PostgresStatement = { text: string; params: readonly PostgresValue[] }
/** An array goes over as one parameter: `unnest(?::bytea[])` inserts many rows with one statement. */
export type PostgresValue = SqlValue | readonly SqlValue[]
/** `count`: rows that were changed or read; `tag`: what the server called it. int8 comes as a number, bytea as bytes. */
export type PostgresResult = { rows: Record<string, unknown>[]; count: number; tag: string }

export interface PostgresSql {
  /** All of them in one round trip, in order; the first that fails rejects, and the transaction is lost. */
  run(statements: readonly PostgresStatement[]): Promise<PostgresResult[]>
}

/** The connection that writes, between two transactions of units. */
export interface PostgresConnection {
  /**
   * BEGIN, `work`, COMMIT; ROLLBACK when `work` throws. It is done over when PostgreSQL asks for it (deadlock,
   * serialization), and after a lost connection only when it is certain that it was not stored.
   */
  transaction<T>(work: (sql: PostgresSql) => Promise<T>): Promise<T>
}

/**
 * The same in the thread of the store on PostgreSQL. Its module exports
 * `installPostgres(options, tenant): PostgresExtension`. `begin` to `undone` belong to one transaction of units.
 */
export interface PostgresExtension {
  /**
   * First in each transaction of units, also when it is done over: whatever an earlier one left that was not committed
   * is gone. Its first statement takes the row lock that puts replicas in order; the units' changes go over the wire
   * right behind it, so that it can't look at them.
   */
  begin(sql: PostgresSql): Promise<void>
  /**
   * What is to be stored for all attachments of the transaction, in their order, and one answer each. The statements
   * go over together with COMMIT: one that fails undoes the transaction, what they return is not looked at.
   * @throws Fault for what no statement can store
   */
  apply(attachments: readonly unknown[]): { statements: PostgresStatement[]; answers: unknown[] }
  /** What the last `apply` gave was rolled back to a savepoint; the transaction goes on without it. */
  undone(): void
  /** Called after COMMIT is certain, when at least one unit was written. */
  committed(): void
  /** Anything else the owner of the extension asks of it, between two transactions of units. */
  call(method: string, argument: unknown, connection: PostgresConnection): Promise<unknown>
}

export interface Store {
  /** Whose rows this store reads and writes: `default` unless set. */
  readonly tenant: string
  readonly kind: 'sqlite' | 'postgres'
  /** A query builder over the tables `T`, on a read-only connection that sees every acknowledged commit. */
  reader<T>(): Kysely<T>
  /**
   * Resolves once the unit is durable (COMMIT returned), with what the extension answered.
   * @throws Fault STORE_UNAVAILABLE when the store can't write; the fault of a change whose row count was not met.
   */
  commit(unit: Unit): Promise<unknown>
  /** Asks the extension. */
  call(method: string, argument: unknown): Promise<unknown>
  /**
   * Calls after another replica's unit became durable, within about half a second. The embedded store has one owner
   * and never calls. @returns what ends it
   */
  onForeign(listener: () => void): () => void
  close(): Promise<void>
}
