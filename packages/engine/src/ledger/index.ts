/** The ledger: what happened, in order, durable before it counts, provable to somebody who trusts neither us nor our database. */
export type { Receipt } from '@ephor/proof'
export { ledgerExtension } from './extension.ts'
export type { LedgerExtensionOptions } from './extension.ts'
export { openLedger } from './open-ledger.ts'
export type { LedgerRooms } from './open-ledger.ts'
export { mountLedger } from './routes.ts'
export { ledgerMigrations } from './store.ts'
export type { Entry, EntryDraft, Head, Ledger, Part, PayloadDraft } from './types.ts'
