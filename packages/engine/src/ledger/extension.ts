/** What the composition hands the store so that the ledger runs inside its thread and transactions. */

/** Survives structured cloning into the store's thread. */
export type LedgerExtensionOptions = {
  /** The file that keeps the last checkpoint outside the store. */
  outside: string
}

/** `module` for the embedded store, `postgres` for the other. */
export type LedgerExtension = { module: URL; postgres: URL; options: LedgerExtensionOptions }

export function ledgerExtension(options: LedgerExtensionOptions): LedgerExtension {
  const url = (name: string) => new URL(name, import.meta.url)
  return { module: url('./ledger-thread.ts'), postgres: url('./ledger-postgres-thread.ts'), options }
}
