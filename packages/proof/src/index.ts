/** Proofs without trust in the prover: canonical JSON, Merkle trees, tiled logs, signed checkpoints, receipts, and offline verification. No dependencies, no I/O; runs in a browser. */
export { formatAddCheckpoint, parseAddCheckpoint } from './add-checkpoint.ts'
export type { AddCheckpoint } from './add-checkpoint.ts'
export { concatBytes, fromBase64, fromHex, fromUtf8, sameBytes, toBase64, toHex, utf8 } from './bytes.ts'
export { canonicalize } from './canonicalize.ts'
export { formatCheckpoint, parseCheckpoint, readCheckpoint, signCheckpoint, verifyCheckpoint } from './checkpoint.ts'
export type { Checkpoint } from './checkpoint.ts'
export { makeCommitment, SALT_BYTES, verifyCommitment } from './commitment.ts'
export type { Commitment } from './commitment.ts'
export {
  countCosignatures,
  formatCosignerKey,
  makeCosignerKey,
  parseCosignerKey,
  signCosignature,
  verifyCosignature,
} from './cosignature.ts'
export type { CosignerKey, Cosignatures, UncheckedSignature } from './cosignature.ts'
export { dssePreAuth, parseDsse, readDssePayload, signDsse, verifyDsse } from './dsse.ts'
export type { DsseEnvelope } from './dsse.ts'
export type { Sign } from './ed25519.ts'
export { EVIDENCE_PAYLOAD_TYPE, EVIDENCE_PREDICATE_TYPE, evidencePayload, signEvidence } from './evidence.ts'
export type { EvidenceEntry, EvidencePredicate, EvidenceTimestamp } from './evidence.ts'
export {
  EMPTY_ROOT,
  foldSubtrees,
  Frontier,
  leafHash,
  makeConsistency,
  makeInclusion,
  nodeHash,
  rootOfInclusion,
  subtreesOf,
  verifyConsistency,
  verifyInclusion,
} from './merkle.ts'
export type { Hash, NodeReader, TreeNode } from './merkle.ts'
export {
  appendSignature,
  formatNote,
  formatSignatureLine,
  formatVerifierKey,
  makeVerifierKey,
  parseNote,
  parseSignatureLines,
  parseVerifierKey,
  signNote,
  verifyNote,
} from './note.ts'
export type { Note, NoteSignature, VerifierKey } from './note.ts'
export { ProofError } from './proof-error.ts'
export type { ProofErrorCode } from './proof-error.ts'
export { verifyReceipt } from './receipt.ts'
export type { Receipt } from './receipt.ts'
export { portableSha256, sha256 } from './sha256.ts'
export {
  decodeBundle,
  decodeTile,
  encodeBundle,
  MAX_ENTRY_BYTES,
  parseTilePath,
  TILE_WIDTH,
  tilePath,
  tileReader,
  tilesOf,
  TileWriter,
} from './tiles.ts'
export type { TilePlace } from './tiles.ts'
export { formatTlogProof, parseTlogProof, verifyTlogProof } from './tlog-proof.ts'
export type { TlogProof } from './tlog-proof.ts'
export { rotationStatement } from './key-chain.ts'
export type { KeyPeriod } from './key-chain.ts'
export type { Erasure } from './check-body.ts'
export type { Refusal, VerifyFault } from './verdict.ts'
export { verifyEntry, verifyReceiptProof } from './verify-entry.ts'
export type { EntryOptions, EntryVerdict } from './verify-entry.ts'
export { verifyEvidence } from './verify-evidence.ts'
export type { EvidenceOptions, EvidenceVerdict } from './verify-evidence.ts'
export { readFolderKey, verifyLog } from './verify-log.ts'
export type { Verdict, VerifyOptions } from './verify-log.ts'
export type { LogSource } from './walk-log.ts'
export type { Cosigned, Witnessed, WitnessOptions } from './witnesses.ts'
