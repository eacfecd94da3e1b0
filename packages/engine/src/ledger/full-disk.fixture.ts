/** The ledger's extension with a disk that a test can fill: SQLite's own limit on pages, per connection. */
import type { StoreExtension } from '@ephor/engine/kernel'
import type { Database } from 'better-sqlite3'
import { install as installLedger } from './ledger-thread.ts'

export function install(db: Database, options: unknown, tenant: string): StoreExtension {
  const ledger = installLedger(db, options, tenant)
  return {
    begin: () => ledger.begin(),
    apply: (attachment) => ledger.apply(attachment),
    committed: () => ledger.committed(),
    call(method, argument) {
      if (method !== 'leave free') return ledger.call(method, argument)
      const used = db.pragma('page_count', { simple: true }) as number
      return db.pragma(`max_page_count = ${used + (argument as number)}`, { simple: true })
    },
  }
}
