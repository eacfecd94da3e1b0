/** Self-contained proofs that an entry is in a log (c2sp.org/tlog-proof). */
import { fromBase64, parseDecimal, toBase64 } from './bytes.ts'
import { readCheckpoint, verifyCheckpoint } from './checkpoint.ts'
import type { Checkpoint } from './checkpoint.ts'
import { verifyInclusion } from './merkle.ts'
import type { Hash } from './merkle.ts'
import type { VerifierKey } from './note.ts'
import { ProofError } from './proof-error.ts'

const HEADER = 'c2sp.org/tlog-proof@v1'

export type TlogProof = {
  index: number
  /** From the leaf's sibling up to the root's child. */
  hashes: Hash[]
  /** The signed note. */
  checkpoint: string
  /** Opaque and not authenticated. */
  extra?: Uint8Array
}

export function formatTlogProof({ index, hashes, checkpoint, extra }: TlogProof): string {
  return [HEADER, ...(extra ? [`extra ${toBase64(extra)}`] : []), `index ${index}`, ...hashes.map(toBase64), '', checkpoint].join('\n')
}

/** @throws ProofError FORMAT_INVALID */
export function parseTlogProof(text: string): TlogProof {
  const split = text.indexOf('\n\n')
  const [header, ...lines] = text.slice(0, Math.max(0, split)).split('\n')
  if (header !== HEADER) throw new ProofError('FORMAT_INVALID', `the proof does not start with ${HEADER}`)
  const extra = lines[0]?.startsWith('extra ') ? fromBase64((lines.shift() as string).slice(6)) : undefined
  const index = lines.shift()
  if (!index?.startsWith('index ')) throw new ProofError('FORMAT_INVALID', 'the proof has no index')
  const hashes = lines.map(fromBase64)
  if (hashes.length > 63 || hashes.some((hash) => hash.length !== 32))
    throw new ProofError('FORMAT_INVALID', 'a hash of the proof is malformed')
  const checkpoint = text.slice(split + 2)
  readCheckpoint(checkpoint)
  return { index: parseDecimal(index.slice(6)), hashes, checkpoint, ...(extra && { extra }) }
}

/**
 * @param leaf the leaf hash of the entry
 * @returns where the entry is, and the checkpoint that covers it
 * @throws ProofError FORMAT_INVALID or PROOF_INVALID
 */
export async function verifyTlogProof(text: string, leaf: Hash, key: VerifierKey): Promise<{ index: number; checkpoint: Checkpoint }> {
  const { index, hashes, checkpoint: note } = parseTlogProof(text)
  const checkpoint = await verifyCheckpoint(note, key)
  if (!verifyInclusion(leaf, index, checkpoint.size, checkpoint.root, hashes))
    throw new ProofError('PROOF_INVALID', `the entry is not at place ${index} of the log that the checkpoint describes`)
  return { index, checkpoint }
}
