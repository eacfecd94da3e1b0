/** Evidence bundles: entries of a ledger with their proofs, signed as an in-toto Statement v1 in a DSSE envelope. */
import { canonicalize } from './canonicalize.ts'
import { toHex, utf8 } from './bytes.ts'
import { signDsse } from './dsse.ts'
import type { DsseEnvelope } from './dsse.ts'
import type { Sign } from './ed25519.ts'
import { parseVerifierKey } from './note.ts'
import { ProofError } from './proof-error.ts'
import { sha256 } from './sha256.ts'

/** in-toto attestation v1, "Envelope layer". */
export const EVIDENCE_PAYLOAD_TYPE = 'application/vnd.in-toto+json'
export const EVIDENCE_PREDICATE_TYPE = 'https://ephor.dev/evidence/v1'
export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1'

/** `body`: the entry's text, exactly. `proof`: its inclusion proof in the checkpoint's tree (RFC 6962 section 2.1.1), each hash in base64. */
export type EvidenceEntry = { seq: number; body: string; proof: string[] }

/**
 * An RFC 3161 time stamp over an earlier checkpoint of the log: what it covers existed by then, also for who does not trust
 * the server's clock.
 */
export type EvidenceTimestamp = {
  /** The note that was stamped, to the byte. */
  checkpoint: string
  /** DER of the TimeStampResp, in base64. */
  token: string
  /** That the bundle's checkpoint continues it: a consistency proof (RFC 6962 section 2.1.2), each hash in base64. */
  proof: string[]
}

export type EvidencePredicate = {
  /** The log's name. */
  origin: string
  /** The log's verifier keys in the order of their rotation; the last one signed `checkpoint` and the envelope. */
  keys: string[]
  /** Every `ledger.key.rotated` and `ledger.key.revoked` of the log, in order: how the keys follow one another. */
  keyEntries: EvidenceEntry[]
  /** The signed note with the cosignatures that were known. All proofs lead to its root. */
  checkpoint: string
  /**
   * Places `first` to `end` (exclusive), and what was asked for: `since` (inclusive) and `until` (exclusive) in RFC 3339.
   * The times are the server's; the places are what is proved.
   */
  range: { first: number; end: number; since?: string; until?: string }
  /** What the entries were chosen by, as name and value. Absent: all entries of the range are here, and a verifier holds the bundle to that. */
  filter?: Record<string, string>
  /** In order of place, each once. */
  entries: EvidenceEntry[]
  /** In order of size. Absent where there are none. */
  timestamps?: EvidenceTimestamp[]
}

/** The statement's canonical text, as it is signed. Its one subject is the checkpoint's note, by the SHA-256 of its bytes. */
export function evidencePayload(predicate: EvidencePredicate): Uint8Array {
  const subject = [{ name: predicate.origin, digest: { sha256: toHex(sha256(utf8(predicate.checkpoint))) } }]
  return utf8(canonicalize({ _type: STATEMENT_TYPE, subject, predicateType: EVIDENCE_PREDICATE_TYPE, predicate }))
}

/** @param sign by the last of `keys`; the envelope's `keyid` is that verifier key @throws ProofError FORMAT_INVALID without keys. */
export function signEvidence(predicate: EvidencePredicate, sign: Sign): Promise<DsseEnvelope> {
  const keyid = predicate.keys.at(-1)
  if (keyid === undefined) throw new ProofError('FORMAT_INVALID', 'evidence names the keys of its log')
  parseVerifierKey(keyid)
  return signDsse({ payloadType: EVIDENCE_PAYLOAD_TYPE, payload: evidencePayload(predicate) }, { keyid, sign })
}
