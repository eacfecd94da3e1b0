/** What is deleted must be gone from the embedded database's files too: overwritten in its pages, and out of its write-ahead log. */
import type { StoreExtension } from '@ephor/engine/kernel'
import type { Database } from 'better-sqlite3'

/** Folds the write-ahead log into the database and cuts it to nothing: it still had what was overwritten. @returns whether it could */
function scrub(db: Database): boolean {
  const [result] = db.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[]
  return result?.busy === 0
}

/** An extension under which SQLite overwrites with zeros what it deletes, and which answers `scrub`. */
export function scrubbing(db: Database, extension: StoreExtension): StoreExtension {
  db.pragma('secure_delete = ON')
  return {
    begin: () => extension.begin(),
    apply: (attachment) => extension.apply(attachment),
    committed: () => extension.committed(),
    call: (method, argument) => (method === 'scrub' ? scrub(db) : extension.call(method, argument)),
  }
}
