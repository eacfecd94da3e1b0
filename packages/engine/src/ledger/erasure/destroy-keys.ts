/** What it takes to destroy keys: their rows, and the entries that name each with the digest of what it was wrapped as. */
import { digestOfKey } from '../data-keys.ts'
import { destroyKey } from './erasure-store.ts'
import type { KeyRow } from './erasure-store.ts'
import { parseKeyName } from './key-name.ts'
import { heldBy } from './retention-rules.ts'
import { entryId, toHold } from './retention-state.ts'
import type { RetentionState, StateChange } from './retention-state.ts'

/** Keys that one entry can name within its 65,535 bytes. */
const KEYS_AN_ENTRY = 300

export type Destroying = { type: 'ledger.erased' | 'ledger.expired'; body: Record<string, string | string[] | Record<string, number>> }

/** The rows and entries that destroy keys: the entries name each with the digest of what it was wrapped as. */
export function destroying(keys: readonly KeyRow[], version: number, { type, body }: Destroying): Pick<StateChange, 'changes' | 'entries'> {
  // One at least: an erasure may be of names alone.
  const parts = Array.from({ length: Math.max(1, Math.ceil(keys.length / KEYS_AN_ENTRY)) }, (_, i) =>
    keys.slice(i * KEYS_AN_ENTRY, (i + 1) * KEYS_AN_ENTRY),
  )
  const digested = parts.map((part) => part.map((key) => ({ ...key, digest: digestOfKey(key.sealed) })))
  return {
    changes: digested.flatMap((part, i) =>
      part.flatMap(({ name, sealed, digest }) => destroyKey({ name, digest, entry: entryId(version, i) }, sealed)),
    ),
    entries: digested.map((part, i) => ({
      type,
      body: { ...body, part: `${i + 1}/${parts.length}`, destroyed: Object.fromEntries(part.map(({ name, digest }) => [name, digest])) },
    })),
  }
}

/** A hold that covers the subject at any time: while there is one, it has to stay known who that is. */
export function holdOn(subject: string, { holds }: RetentionState): string | undefined {
  return holds.find((hold) => hold.subject === null || hold.subject === subject)?.id
}

/** Splits keys by what holds them. */
export function byHold(keys: readonly KeyRow[], { holds }: RetentionState): { free: KeyRow[]; held: { hold: string; keys: number }[] } {
  const inForce = holds.map(toHold)
  const held = new Map<string, number>()
  const free = keys.filter(({ name }) => {
    const hold = heldBy(inForce, parseKeyName(name))
    if (hold) held.set(hold.id, (held.get(hold.id) ?? 0) + 1)
    return !hold
  })
  return { free, held: [...held].map(([hold, count]) => ({ hold, keys: count })) }
}
