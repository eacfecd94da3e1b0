/** The one error that this package throws: input that is not what its format says. Verification results are values. */

export type ProofErrorCode =
  /** A value that RFC 8785 can't express. */
  | 'CANONICAL_INVALID'
  /** A note, checkpoint, key, proof, path, bundle or number that is not in its format. */
  | 'FORMAT_INVALID'
  /** A well-formed signature or proof that does not hold. */
  | 'PROOF_INVALID'

export class ProofError extends Error {
  readonly code: ProofErrorCode

  constructor(code: ProofErrorCode, detail: string) {
    super(detail)
    this.name = 'ProofError'
    this.code = code
  }
}
