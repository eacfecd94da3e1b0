/** Reads a stored row as an entry, and believes it only if it is what was hashed. */
import { Fault } from '@ephor/contract'
import type { JsonObject } from '@ephor/engine/kernel'
import { leafHash, sameBytes, toHex, utf8 } from '@ephor/proof'
import type { EntryRow } from './store.ts'
import type { Entry } from './types.ts'

/** The body, where a row is what was hashed: its body gives its leaf hash, and its id is the one in the body. */
function intactBody({ body: text, leaf_hash: hash, id }: EntryRow): JsonObject | undefined {
  if (!sameBytes(leafHash(utf8(text)), hash)) return undefined
  const body = JSON.parse(text) as JsonObject
  return (body['id'] ?? null) === id ? body : undefined
}

export const isIntact = (row: EntryRow): boolean => intactBody(row) !== undefined

/** @throws Fault STORE_CORRUPT when the row is not what was hashed. */
export function toEntry(row: EntryRow): Entry {
  const body = intactBody(row)
  if (!body) throw new Fault('STORE_CORRUPT', `entry ${row.seq} of the ledger was changed`)
  return { seq: row.seq, leafHash: toHex(row.leaf_hash), body }
}
