/** Moves an installation from its embedded store to PostgreSQL: copied, compared row by row, and its ledger verified from the first entry. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '@ephor/contract'
import { copyStore } from '@ephor/engine/kernel'
import type { CopiedTable } from '@ephor/engine/kernel'
import { verifyLog } from '@ephor/proof'
import { openLedgerOffline } from './open-offline.ts'
import { fileIn, MIGRATIONS } from './open-store.ts'
import type { StoreSettings } from './open-store.ts'

export type CopiedStore = { tables: CopiedTable[]; /** Entries, all of them verified where they are now. */ entries: number; root: string }

/**
 * @param settings of the data folder; its own store is the embedded one, whatever they say
 * @throws Fault STORE_LOCKED while a server runs; LEDGER_FORKED and LEDGER_INVALID where the ledger does not hold, before or
 *   after; what `copyStore` throws
 */
export async function copyToPostgres(settings: StoreSettings, url: string, onTable?: (copied: CopiedTable) => void): Promise<CopiedStore> {
  const { home, tenant, store } = settings
  const file = fileIn(home)
  if (!existsSync(file)) throw new Fault('NOT_FOUND', `${home} has no embedded store`, { where: file })
  // Opened once: it is brought up to date, compared with its checkpoint outside, and all of it signed.
  const embedded = await openLedgerOffline({ ...settings, store: { ...store, url: undefined } })
  await embedded.close()
  const tables = await copyStore({ file, url, tenant, migrations: MIGRATIONS, ...(onTable && { onTable }) })
  const there = await openLedgerOffline({ ...settings, store: { ...store, url } })
  try {
    const { ledger } = there
    const earlier = readFileSync(join(home, 'checkpoint'), 'utf8')
    const verdict = await verifyLog({ read: (path) => ledger.file(path) }, { vkey: ledger.verifierKey, earlier })
    if (!verdict.ok) throw new Fault('LEDGER_INVALID', `what arrived does not verify: ${verdict.detail}`, { where: verdict.where })
    return { tables, entries: verdict.size, root: verdict.root }
  } finally {
    await there.close()
  }
}
