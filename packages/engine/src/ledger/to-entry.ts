/** Reads a stored row as an entry, and believes it only if it is what was hashed. */
import { Fault } from '@ephor/contract'
import type { JsonObject } from '@ephor/engine/kernel'
import { leafHash, sameBytes, toHex, utf8 } from '@ephor/proof'
import type { EntryRow } from './store.ts'
import type { Entry } from './types.ts'

/** Whether a row is what was hashed: its body gives its leaf hash, and its id is the one in the body. */
export function isIntact(row: EntryRow): boolean {
  if (!sameBytes(leafHash(utf8(row.body)), row.leaf_hash)) return false
  const { id } = JSON.parse(row.body) as { id?: string }
  return (id ?? null) === row.id
}

/** @throws Fault STORE_CORRUPT when the row is not what was hashed. */
export function toEntry(row: EntryRow): Entry {
  if (!isIntact(row)) throw new Fault('STORE_CORRUPT', `entry ${row.seq} of the ledger was changed`)
  return { seq: row.seq, leafHash: toHex(row.leaf_hash), body: JSON.parse(row.body) as JsonObject }
}
