/** Resolves a fork without a server: one that is recorded in the store, or one that keeps Ephor from starting. */
import { Fault } from '@ephor/contract'
import { makeLog } from '@ephor/engine/kernel'
import type { AcceptedHistory, Fork } from '@ephor/engine/ledger'
import { openFoundations } from '../compose.ts'

/** @throws Fault STORE_LOCKED when a server runs on the folder; CONFLICT when there is no fork, or the store has another history. */
export async function resolveForkOffline(settings: Parameters<typeof openFoundations>[0], accept: AcceptedHistory): Promise<Fork[]> {
  const began = Date.now()
  const { store, feed } = await openFoundations(settings, makeLog('silent'), accept)
  const { ledger } = feed
  try {
    if (ledger.forked()) await ledger.forks.resolve('operator', accept, accept.reason)
    const resolved = (await ledger.forks.list()).filter(({ resolvedAt = 0 }) => resolvedAt >= began)
    if (resolved.length === 0) throw new Fault('CONFLICT', 'no fork of this ledger waits for anybody')
    return resolved
  } finally {
    await ledger.close()
    await store.close()
  }
}
