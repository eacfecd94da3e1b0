/** Opens the ledger of a data folder without a server, to export it. */
import { makeLog } from '@ephor/engine/kernel'
import { openExports, openScan } from '@ephor/engine/ledger'
import type { Exports, Ledger } from '@ephor/engine/ledger'
import { openReasons } from '@ephor/engine/policy'
import { openFoundations } from './compose.ts'
import type { StoreSettings } from './open-store.ts'

/** @throws Fault STORE_LOCKED when a server runs on the folder, LEDGER_FORKED, STORE_CORRUPT. */
export async function openLedgerOffline(settings: StoreSettings): Promise<{ ledger: Ledger; exports: Exports; close(): Promise<void> }> {
  const { store, feed } = await openFoundations(settings, makeLog('silent'))
  const { ledger } = feed
  return {
    ledger,
    exports: openExports({ ledger, search: openScan({ store, reasons: openReasons(store) }) }),
    async close() {
      await ledger.close()
      await store.close()
    },
  }
}
