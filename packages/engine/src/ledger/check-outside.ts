/** Compares the store with the checkpoint kept outside it: whoever can replace the database file can replace it with yesterday's. */
import { readFileSync } from 'node:fs'
import { Fault } from '@ephor/contract'
import { makeConsistency, tileReader, toHex, verifyConsistency } from '@ephor/proof'
import type { KeyChain } from './keys/key-chain.ts'
import { forked } from './load-tree.ts'
import type { ReadStore } from './store.ts'
import type { Published } from './types.ts'
import { refuseOutside } from './witness/accept-at-start.ts'
import type { AcceptedHistory } from './witness/accept-at-start.ts'

export type Tree = { size: number; root: Uint8Array }

function readOutside(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Fault('STORE_UNAVAILABLE', `the checkpoint outside the store can't be read: ${(error as Error).message}`, { cause: error })
  }
}

/** Whether the stored tree of one size begins with the tree of another. @throws Fault LEDGER_FORKED when its tiles don't say */
export async function contains(reads: ReadStore, stored: Tree, kept: Tree): Promise<boolean> {
  try {
    const read = tileReader(stored.size, async ({ level, index, width }) => {
      const hashes = await reads.tile(level as number, index)
      if (!hashes) throw new Error(`a tile of level ${level} is missing`)
      return hashes.subarray(0, 32 * width)
    })
    const proof = await makeConsistency(kept.size, stored.size, read)
    return verifyConsistency(kept.size, stored.size, kept.root, stored.root, proof)
  } catch (error) {
    throw forked(`the tree in the store can't be read: ${(error as Error).message}`, error)
  }
}

/** How the checkpoint outside contradicts the store's, in words; undefined when it does not. */
async function contradict(reads: ReadStore, stored: Tree, kept: Tree): Promise<string | undefined> {
  if (stored.size < kept.size) return `the store ends at ${stored.size} entries (root ${toHex(stored.root)}), but ${kept.size} were signed`
  if (await contains(reads, stored, kept)) return undefined
  return `the first ${kept.size} of the ${stored.size} entries in the store (root ${toHex(stored.root)}) are not those that were signed`
}

/**
 * @param file the checkpoint outside the store
 * @param accept a person's word for the store's history, where the file's checkpoint contradicts it
 * @param isShared other replicas write the store: one that is new has no file yet
 * @returns the stored checkpoint; undefined for a new ledger. `first`: there was no file to compare it with
 * @throws Fault LEDGER_FORKED unless the store is new in both places or holds everything that the file's checkpoint covers.
 */
export async function checkOutside(
  reads: ReadStore,
  { file, chain, isShared, accept }: { file: string; chain: KeyChain; isShared: boolean; accept?: AcceptedHistory | undefined },
): Promise<(Published & { first: boolean }) | undefined> {
  const note = readOutside(file)
  const row = await reads.checkpoint()
  if (note === undefined && !row) return undefined
  if (note === undefined && !isShared)
    // A new ledger writes this file before its first checkpoint, so it was removed: perhaps to hide a roll-back.
    throw forked(`the store has a ledger, but its checkpoint outside is missing: put a checkpoint that you trust (of an export) at ${file}`)
  const kept = note === undefined ? undefined : await chain.verify(note, `the checkpoint in ${file}`)
  if (!row) {
    if (kept?.size === 0) return undefined
    throw forked(`the store is empty, but ${kept?.size} entries were signed`)
  }
  const stored = await chain.verify(row.note, 'the checkpoint in the store')
  const contradiction = kept && (await contradict(reads, stored, kept))
  if (contradiction !== undefined && accept && note !== undefined) refuseOutside(file, note, stored, accept)
  else if (contradiction !== undefined) throw forked(contradiction)
  return { size: stored.size, root: stored.root, note: row.note, first: !kept }
}
