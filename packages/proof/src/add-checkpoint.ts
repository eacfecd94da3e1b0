/** What a log sends to a witness (c2sp.org/tlog-witness, "add-checkpoint"): the size it last cosigned, a consistency proof, the checkpoint. */
import { fromBase64, fromUtf8, parseDecimal, toBase64 } from './bytes.ts'
import { readCheckpoint } from './checkpoint.ts'
import type { Hash } from './merkle.ts'
import { ProofError } from './proof-error.ts'

const MAX_PROOF_LINES = 63

export type AddCheckpoint = {
  /** The size of the checkpoint that the witness cosigned last; 0 when there is none. */
  old: number
  /** The consistency proof from `old` (RFC 6962 section 2.1.2); empty for 0 and for the same size. */
  proof: Hash[]
  /** The signed note, verbatim. */
  checkpoint: string
}

export function formatAddCheckpoint({ old, proof, checkpoint }: AddCheckpoint): string {
  return [`old ${old}`, ...proof.map(toBase64), '', checkpoint].join('\n')
}

/**
 * Reads a request's body. It checks the form alone: sizes, signatures and the proof have statuses of their own, which the witness gives.
 * @throws ProofError FORMAT_INVALID
 */
export function parseAddCheckpoint(body: string | Uint8Array): AddCheckpoint {
  const text = typeof body === 'string' ? body : fromUtf8(body)
  const split = text.indexOf('\n\n')
  if (split < 0) throw new ProofError('FORMAT_INVALID', 'no empty line stands before the checkpoint')
  const [old = '', ...lines] = text.slice(0, split).split('\n', MAX_PROOF_LINES + 2)
  if (!old.startsWith('old ')) throw new ProofError('FORMAT_INVALID', 'the first line is not the old size')
  if (lines.length > MAX_PROOF_LINES) throw new ProofError('FORMAT_INVALID', `more than ${MAX_PROOF_LINES} lines of proof`)
  const proof = lines.map(fromBase64)
  if (proof.some((hash) => hash.length !== 32)) throw new ProofError('FORMAT_INVALID', 'a hash of the proof does not have 32 bytes')
  const checkpoint = text.slice(split + 2)
  readCheckpoint(checkpoint)
  return { old: parseDecimal(old.slice(4)), proof, checkpoint }
}
