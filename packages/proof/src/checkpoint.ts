/** Checkpoints (c2sp.org/tlog-checkpoint): the log's signed statement of its size and root. */
import { fromBase64, parseDecimal, toBase64 } from './bytes.ts'
import type { Hash } from './merkle.ts'
import { parseNote, signNote, verifyNote } from './note.ts'
import type { VerifierKey } from './note.ts'
import { ProofError } from './proof-error.ts'

export type Checkpoint = {
  origin: string
  size: number
  root: Hash
  /** Opaque further lines, without their newlines. */
  extensions: string[]
}

export function formatCheckpoint({ origin, size, root, extensions }: Checkpoint): string {
  return [origin, String(size), toBase64(root), ...extensions, ''].join('\n')
}

/** Reads a note's text; says nothing about signatures. @throws ProofError FORMAT_INVALID */
export function parseCheckpoint(text: string): Checkpoint {
  const lines = text.split('\n')
  const [origin = '', size = '', root = '', ...extensions] = lines.slice(0, -1)
  if (lines.at(-1) !== '' || lines.slice(0, -1).includes('') || lines.length < 4)
    throw new ProofError('FORMAT_INVALID', 'a checkpoint is three or more lines that are not empty')
  const hash = fromBase64(root)
  if (hash.length !== 32) throw new ProofError('FORMAT_INVALID', 'the root of a checkpoint has 32 bytes')
  return { origin, size: parseDecimal(size), root: hash, extensions }
}

/** The checkpoint inside a signed note, unverified: for reading what one's own side wrote. @throws ProofError FORMAT_INVALID */
export function readCheckpoint(note: string | Uint8Array): Checkpoint {
  return parseCheckpoint(parseNote(note).text)
}

/** @throws ProofError FORMAT_INVALID or PROOF_INVALID, also when the origin is not the key's name. */
export async function verifyCheckpoint(note: string | Uint8Array, key: VerifierKey): Promise<Checkpoint> {
  const checkpoint = parseCheckpoint(await verifyNote(note, [key]))
  // Otherwise one key could be made to speak for another log.
  if (checkpoint.origin !== key.name) throw new ProofError('PROOF_INVALID', `the checkpoint is of ${checkpoint.origin}, not of ${key.name}`)
  return checkpoint
}

/** @param sign see signNote */
export function signCheckpoint(tree: { size: number; root: Hash }, key: VerifierKey, sign: (bytes: Uint8Array) => Uint8Array): string {
  return signNote(formatCheckpoint({ origin: key.name, ...tree, extensions: [] }), key, sign)
}
