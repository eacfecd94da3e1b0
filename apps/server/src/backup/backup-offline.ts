/** Makes a backup of a data folder on which no server runs; on PostgreSQL, beside the replicas that may run elsewhere. */
import type { BackupView } from '@ephor/contract'
import { makeLog } from '@ephor/engine/kernel'
import { openFoundations } from '../compose.ts'
import { makeBackup } from './make-backup.ts'

type Settings = Parameters<typeof openFoundations>[0]

/** @throws Fault STORE_LOCKED when a server runs on the folder, and what `makeBackup` throws */
export async function backupOffline(settings: Settings, folder: string, options: { withKeys: boolean }): Promise<BackupView> {
  const { store, feed, keys, clock, erasure } = await openFoundations(settings, makeLog('silent'))
  const { ledger } = feed
  try {
    return await makeBackup({ home: settings.home, url: settings.store.url, store, ledger, keys, clock }, folder, options)
  } finally {
    erasure.close()
    await ledger.close()
    await store.close()
  }
}
