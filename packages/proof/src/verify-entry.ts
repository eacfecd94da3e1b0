/** Verifies one entry by its proof, offline: that it is in the log, where, and that a receipt's promise was kept. */
import { fromHex, toHex } from './bytes.ts'
import { readCheckpoint } from './checkpoint.ts'
import type { Hash } from './merkle.ts'
import { verifyInclusion } from './merkle.ts'
import { ProofError } from './proof-error.ts'
import type { Receipt } from './receipt.ts'
import { parseTlogProof } from './tlog-proof.ts'
import type { TlogProof } from './tlog-proof.ts'
import { readGivenKey, requireSigned } from './trusted-key.ts'
import { verdictOf, Wrong } from './verdict.ts'
import type { Refusal } from './verdict.ts'
import { readWitnesses, requireWitnesses } from './witnesses.ts'
import type { Witnessed, WitnessOptions } from './witnesses.ts'

/** `vkey`: the C2SP verifier key that signed the proof's checkpoint. */
export type EntryOptions = WitnessOptions & { vkey: string }

export type EntryVerdict =
  | ({
      ok: true
      origin: string
      /** Where the entry is, from 0. */
      seq: number
      leafHash: string
      /** Of the checkpoint. */
      size: number
      root: string
    } & Witnessed)
  | Refusal

function readProof(text: string): TlogProof {
  try {
    return parseTlogProof(text)
  } catch (error) {
    throw new Wrong('PROOF_INVALID', 'proof', `The proof can't be read: ${(error as Error).message}.`)
  }
}

async function verify(text: string, leaf: Hash, options: EntryOptions): Promise<EntryVerdict> {
  const given = readGivenKey(options.vkey)
  const witnesses = readWitnesses(options)
  const { index, hashes, checkpoint: note } = readProof(text)
  const { origin, size, root } = readCheckpoint(note)
  const keys = [{ vkey: options.vkey.trim(), key: given }]
  await requireSigned(note, keys, given, size)
  if (!verifyInclusion(leaf, index, size, root, hashes))
    throw new Wrong('PROOF_INVALID', `entry ${index}`, `The entry is not at place ${index} of the log that the checkpoint describes.`)
  const witnessed = await requireWitnesses(note, witnesses, keys)
  return { ok: true, origin, seq: index, leafHash: toHex(leaf), size, root: toHex(root), ...witnessed }
}

/**
 * @param proof a c2sp.org/tlog-proof@v1 text
 * @param leaf the entry's leaf hash (`leafHash` of its body)
 */
export function verifyEntry(proof: string, leaf: Hash, options: EntryOptions): Promise<EntryVerdict> {
  return verdictOf(() => verify(proof, leaf, options))
}

function readLeaf(receipt: Receipt): Hash {
  try {
    const leaf = fromHex(receipt.leafHash)
    if (leaf.length === 32 && Number.isSafeInteger(receipt.seq) && receipt.seq >= 0) return leaf
    throw new ProofError('FORMAT_INVALID', 'it names no leaf hash of 32 bytes, or no place')
  } catch (error) {
    throw new Wrong('RECEIPT_INVALID', 'receipt', `The receipt can't be read: ${(error as Error).message}.`)
  }
}

/** Whether the log kept the promise of a receipt, with the reason when it did not. @param proof for the receipt's place */
export function verifyReceiptProof(receipt: Receipt, proof: string, options: EntryOptions): Promise<EntryVerdict> {
  return verdictOf(async () => {
    const leaf = readLeaf(receipt)
    const { name } = readGivenKey(options.vkey)
    if (receipt.origin !== name)
      throw new Wrong('RECEIPT_INVALID', 'receipt', `The receipt is of ${receipt.origin}, and the key that you gave is one of ${name}.`)
    const { index } = readProof(proof)
    if (index !== receipt.seq)
      throw new Wrong('PROOF_INVALID', 'proof', `The proof is for entry ${index}, the receipt for entry ${receipt.seq}.`)
    return verify(proof, leaf, options)
  })
}
