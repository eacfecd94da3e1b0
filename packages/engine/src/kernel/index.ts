/** The kernel: store, clock, ids, keys, envelopes, strict JSON, the HTTP mount and the log. Knows nothing of agents. */
export { isoTime, systemClock } from './clock.ts'
export type { Clock } from './clock.ts'
export { copyFromPostgres } from './copy-from-postgres.ts'
export { copyStore, refuseOccupied } from './copy-store.ts'
export type { CopiedTable } from './copied-tables.ts'
export { openEnvelope, sealEnvelope } from './envelope.ts'
export { freshBytes } from './fresh-bytes.ts'
export { loadKeys } from './load-keys.ts'
export type { Keys } from './load-keys.ts'
export { makeLog } from './log.ts'
export type { Logger } from './log.ts'
export { makeFolder } from './make-folder.ts'
export { mount, sendFault } from './mount.ts'
export type { Authenticate, Handlers } from './mount.ts'
export { nearest } from './nearest.ts'
export { openPostgres } from './open-postgres.ts'
export type { PostgresOptions } from './open-postgres.ts'
export { migratePostgres, pendingOnPostgres } from './postgres-schema-store.ts'
export { lockFolder, openSqlite, pendingOnSqlite } from './open-sqlite.ts'
export type { SqliteOptions } from './open-sqlite.ts'
export { parseJson } from './parse-json.ts'
export type { Json, JsonLimits, JsonObject } from './parse-json.ts'
export type {
  Change,
  Migrations,
  PostgresConnection,
  PostgresExtension,
  PostgresResult,
  PostgresSql,
  PostgresStatement,
  SqlValue,
  Store,
  StoreExtension,
  Unit,
} from './store.ts'
