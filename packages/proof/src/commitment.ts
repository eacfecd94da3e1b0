/** Salted commitments: a ledger body says which payload it meant without saying anything about it. */
import { concatBytes, toHex } from './bytes.ts'
import { sha256 } from './sha256.ts'

/** Bytes of salt: enough that a guessed payload can't be tested against its commitment. */
export const SALT_BYTES = 32

/** `sha256`: `sha256:<hex>` of salt || payload. `bytes`: the payload's length. */
export type Commitment = { sha256: string; bytes: number }

export function makeCommitment(salt: Uint8Array, payload: Uint8Array): Commitment {
  if (salt.length !== SALT_BYTES) throw new RangeError(`a salt has ${SALT_BYTES} bytes`)
  return { sha256: `sha256:${toHex(sha256(concatBytes(salt, payload)))}`, bytes: payload.length }
}

export function verifyCommitment(commitment: Commitment, salt: Uint8Array, payload: Uint8Array): boolean {
  const made = makeCommitment(salt, payload)
  return made.sha256 === commitment.sha256 && made.bytes === commitment.bytes
}
