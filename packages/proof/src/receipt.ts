/** Receipts: the ledger's promise that an entry has a place, and the check that the promise was kept. */
import { fromHex } from './bytes.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { VerifierKey } from './note.ts'
import { ProofError } from './proof-error.ts'
import { verifyTlogProof } from './tlog-proof.ts'

/** Given once the entry is durable, before a checkpoint covers it. `leafHash` is hexadecimal. */
export type Receipt = { origin: string; seq: number; leafHash: string }

/**
 * Checks that the log kept a receipt's promise.
 * @param proof a c2sp.org/tlog-proof@v1 text for the receipt's place
 * @throws ProofError PROOF_INVALID when another entry stands in its place or the proof is for another place or log.
 */
export async function verifyReceipt(receipt: Receipt, proof: string, key: VerifierKey): Promise<Checkpoint> {
  if (receipt.origin !== key.name) throw new ProofError('PROOF_INVALID', `the receipt is of ${receipt.origin}, not of ${key.name}`)
  const { index, checkpoint } = await verifyTlogProof(proof, fromHex(receipt.leafHash), key)
  if (index !== receipt.seq) throw new ProofError('PROOF_INVALID', `the proof is for entry ${index}, the receipt for ${receipt.seq}`)
  return checkpoint
}
