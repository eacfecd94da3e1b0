/** Removes the search index of a data folder that no server runs on: the next start builds it again. */
import { makeLog } from '@ephor/engine/kernel'
import { openSearch } from '@ephor/engine/ledger'
import { openReasons } from '@ephor/engine/policy'
import { openFoundations } from './compose.ts'
import type { StoreSettings } from './open-store.ts'

/** @throws Fault STORE_LOCKED when a server runs on the folder */
export async function removeSearchOffline(settings: StoreSettings): Promise<void> {
  const log = makeLog('silent')
  const { store, feed } = await openFoundations(settings, log)
  try {
    const search = await openSearch({ store, log, reasons: openReasons(store) })
    await search.rebuild()
    await search.close()
  } finally {
    await feed.ledger.close()
    await store.close()
  }
}
