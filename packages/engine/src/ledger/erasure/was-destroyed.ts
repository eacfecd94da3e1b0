/** Whether a missing key is one that was destroyed: not because a row says so, but because an entry does. */
import type { ReadStore } from '../store.ts'
import { toEntry } from '../to-entry.ts'

const SAY_SO = ['ledger.erased', 'ledger.expired']

/** @throws Fault STORE_CORRUPT when the entry is not what was hashed */
export async function wasDestroyed(reads: Pick<ReadStore, 'destroyedBy' | 'entryById'>, name: string): Promise<boolean> {
  const id = await reads.destroyedBy(name)
  const row = id === undefined ? undefined : await reads.entryById(id)
  if (!row) return false
  const { body } = toEntry(row)
  const destroyed = body['destroyed']
  return SAY_SO.includes(body['type'] as string) && typeof destroyed === 'object' && destroyed !== null && Object.hasOwn(destroyed, name)
}
