/** The RFC 3161 time stamps in an evidence bundle: that what was stamped is this log. The stamps themselves are for openssl. */
import { fromBase64 } from './bytes.ts'
import { parseCheckpoint } from './checkpoint.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { EvidencePredicate, EvidenceTimestamp } from './evidence.ts'
import { verifyConsistency } from './merkle.ts'
import { parseNote } from './note.ts'
import { Wrong } from './verdict.ts'

/** The stamped checkpoint need not be signed by a key that counts today: the tree that was signed since continues it. */
function sizeOf({ checkpoint, token, proof }: EvidenceTimestamp, origin: string, { size, root }: Checkpoint): number {
  const stamped = parseCheckpoint(parseNote(checkpoint).text)
  fromBase64(token)
  const isOurs = stamped.origin === origin && stamped.size > 0 && stamped.size <= size
  if (!isOurs || !verifyConsistency(stamped.size, size, stamped.root, root, proof.map(fromBase64)))
    throw new Error('what was stamped is not the beginning of this log')
  return stamped.size
}

/** @returns how many of the log's entries each of them is over @throws Wrong PROOF_INVALID */
export function requireStamped({ origin, timestamps = [] }: EvidencePredicate, checkpoint: Checkpoint): number[] {
  return timestamps.map((stamp, i) => {
    try {
      return sizeOf(stamp, origin, checkpoint)
    } catch (error) {
      throw new Wrong('PROOF_INVALID', `time stamp ${i}`, `The time stamp is of something else: ${(error as Error).message}.`)
    }
  })
}
