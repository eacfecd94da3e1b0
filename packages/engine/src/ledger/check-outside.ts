/** Compares the store with the checkpoint kept outside it: whoever can replace the database file can replace it with yesterday's. */
import { readFileSync } from 'node:fs'
import { Fault } from '@ephor/contract'
import { makeConsistency, tileReader, verifyCheckpoint, verifyConsistency } from '@ephor/proof'
import type { Checkpoint, VerifierKey } from '@ephor/proof'
import type { ReadStore } from './store.ts'

function forked(detail: string, cause?: unknown): Fault {
  return new Fault('LEDGER_FORKED', detail, { cause })
}

function readOutside(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Fault('STORE_UNAVAILABLE', `the checkpoint outside the store can't be read: ${(error as Error).message}`, { cause: error })
  }
}

async function verified(note: string, key: VerifierKey, what: string): Promise<Checkpoint> {
  try {
    return await verifyCheckpoint(note, key)
  } catch (error) {
    throw forked(`${what} is not one of this ledger and key: ${(error as Error).message}`, error)
  }
}

/** Whether the stored tree begins with the tree that the outside checkpoint describes. */
async function contains(reads: ReadStore, stored: Checkpoint, kept: Checkpoint): Promise<boolean> {
  const read = tileReader(stored.size, async ({ level, index, width }) => {
    const hashes = await reads.tile(level as number, index)
    if (!hashes) throw new Error(`a tile of level ${level} is missing`)
    return hashes.subarray(0, 32 * width)
  })
  const proof = await makeConsistency(kept.size, stored.size, read)
  return verifyConsistency(kept.size, stored.size, kept.root, stored.root, proof)
}

/**
 * @param file the checkpoint outside the store
 * @throws Fault LEDGER_FORKED unless the store is new in both places or holds everything that the file's checkpoint covers.
 */
export async function checkOutside(reads: ReadStore, file: string, key: VerifierKey): Promise<void> {
  const note = readOutside(file)
  const row = await reads.checkpoint()
  if (note === undefined) {
    if (!row) return
    // A new ledger writes this file before its first checkpoint, so it was removed: perhaps to hide a roll-back.
    throw forked(`the store has a ledger, but its checkpoint outside is missing: put a checkpoint that you trust (of an export) at ${file}`)
  }
  const kept = await verified(note, key, `the checkpoint in ${file}`)
  if (!row) {
    if (kept.size === 0) return
    throw forked(`the store is empty, but ${kept.size} entries were signed`)
  }
  const stored = await verified(row.note, key, 'the checkpoint in the store')
  if (stored.size < kept.size) throw forked(`the store ends at ${stored.size} entries, but ${kept.size} were signed`)
  try {
    if (await contains(reads, stored, kept)) return
  } catch (error) {
    throw forked(`the tree in the store can't be read: ${(error as Error).message}`, error)
  }
  throw forked(`the first ${kept.size} entries in the store are not those that were signed`)
}
