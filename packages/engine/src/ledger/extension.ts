/** What the composition hands the store so that the ledger runs inside its thread and transactions. */

/** Survives structured cloning into the store's thread. */
export type LedgerExtensionOptions = {
  /** The file that keeps the last checkpoint outside the store. */
  outside: string
}

export function ledgerExtension(options: LedgerExtensionOptions): { module: URL; options: LedgerExtensionOptions } {
  return { module: new URL('./ledger-thread.ts', import.meta.url), options }
}
