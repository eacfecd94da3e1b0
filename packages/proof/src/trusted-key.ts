/** From the key that an auditor holds to the one that signed what is looked at. */
import { sameBytes } from './bytes.ts'
import { verifyCheckpoint } from './checkpoint.ts'
import { requireSpeaking } from './key-chain.ts'
import type { LogKey } from './key-chain.ts'
import { parseNote, parseVerifierKey } from './note.ts'
import type { NoteSignature, VerifierKey } from './note.ts'
import { ProofError } from './proof-error.ts'
import { Wrong } from './verdict.ts'

/** @throws Wrong KEY_INVALID */
export function readGivenKey(vkey: string): VerifierKey {
  try {
    return parseVerifierKey(vkey)
  } catch (error) {
    throw new Wrong('KEY_INVALID', 'verifier key', `The verifier key can't be read: ${(error as Error).message}.`)
  }
}

const isOf = (line: NoteSignature, { key }: LogKey) => line.name === key.name && sameBytes(line.keyId, key.keyId)

/** @returns the key of these that signed it, the newest first @throws ProofError as `verifyCheckpoint` */
export async function signerOf(note: string | Uint8Array, keys: readonly LogKey[]): Promise<LogKey> {
  const { signatures } = parseNote(note)
  const signer = keys.findLast((key) => signatures.some((line) => isOf(line, key))) ?? keys.at(-1)
  if (!signer) throw new ProofError('PROOF_INVALID', 'the log has no key')
  await verifyCheckpoint(note, signer.key)
  return signer
}

/** @throws Wrong for a checkpoint that could not be verified */
export function untrusted(error: unknown): never {
  if (error instanceof Wrong) throw error
  const fault = error instanceof ProofError && error.code === 'PROOF_INVALID' ? 'SIGNATURE_INVALID' : 'CHECKPOINT_INVALID'
  throw new Wrong(fault, 'checkpoint', `The checkpoint is not to be trusted: ${(error as Error).message}.`)
}

/**
 * Whether the newest of the log's keys, to which the given one has to lead, signed the checkpoint.
 * @returns that key
 * @throws Wrong SIGNATURE_INVALID, CHECKPOINT_INVALID, KEY_REPLACED, KEY_REVOKED
 */
export async function requireSigned(note: string | Uint8Array, keys: readonly LogKey[], given: VerifierKey, size: number): Promise<LogKey> {
  try {
    const led = keys.findIndex(({ key }) => sameBytes(key.publicKey, given.publicKey))
    if (led < 0) throw new ProofError('PROOF_INVALID', 'no entry of the log leads from the key that you gave to the one that speaks for it')
    const signer = await signerOf(note, keys.slice(led))
    requireSpeaking(signer, size, 'checkpoint')
    return signer
  } catch (error) {
    return untrusted(error)
  }
}
