/** What a verification ends in: what was verified, or the first thing that is wrong and where. */
import type { BodyProblem } from './check-body.ts'

export type VerifyFault =
  | 'KEY_INVALID' // the verifier key, or a witness's, can't be read
  | 'CHECKPOINT_MISSING'
  | 'CHECKPOINT_INVALID' // not a checkpoint
  | 'SIGNATURE_INVALID' // neither this key signed it nor one that this key led to
  | 'KEY_CHAIN_INVALID' // an entry that changes or revokes a key is malformed or was not signed by the key before
  | 'KEY_REPLACED' // signed with a key that the log had replaced by then
  | 'KEY_REVOKED' // signed with a key that the log says is not to be trusted there
  | 'COSIGNATURE_INVALID' // a line in the name of a known witness that this witness did not sign
  | 'COSIGNATURES_MISSING' // fewer known witnesses than required
  | 'EARLIER_INVALID' // the kept checkpoint can't be read
  | 'REPLACED' // the kept checkpoint is of another log or key
  | 'ROLLED_BACK' // the kept checkpoint covers more than there is now
  | 'FORKED' // the first entries are not those of the kept checkpoint
  | 'ENTRIES_MISSING' // fewer entries than the checkpoint, or the bundle, says
  | 'BUNDLE_INVALID'
  | 'TILE_MISSING'
  | 'TILE_CHANGED'
  | 'ENTRY_CHANGED'
  | 'ROOT_MISMATCH' // entries and tiles agree, but not with what was signed
  | 'EVIDENCE_INVALID' // not an evidence bundle, or one that contradicts itself
  | 'PROOF_INVALID' // an inclusion proof that does not lead to the signed root
  | 'RECEIPT_INVALID' // not a receipt, or one of another log
  | BodyProblem['fault']

/** `where`: the file, or `entry <seq>`. */
export type Refusal = { ok: false; fault: VerifyFault; where: string; detail: string }

/** Ends a verification from inside; what the package exports turns it into its verdict. */
export class Wrong extends Error {
  readonly refusal: Refusal

  constructor(fault: VerifyFault, where: string, detail: string) {
    super(detail)
    this.refusal = { ok: false, fault, where, detail }
  }
}

/** @returns what `work` returns, or its refusal; it throws only what is no verdict on the log */
export async function verdictOf<T>(work: () => Promise<T>): Promise<T | Refusal> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Wrong) return error.refusal
    throw error
  }
}
