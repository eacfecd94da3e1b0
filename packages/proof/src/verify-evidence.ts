/** Verifies an evidence bundle, offline: its envelope, the keys, the checkpoint, and the place of each entry in it. */
import { fromBase64, fromUtf8, toHex, utf8 } from './bytes.ts'
import { canonicalize } from './canonicalize.ts'
import { BodyChecker } from './check-body.ts'
import type { Erasure } from './check-body.ts'
import { parseCheckpoint } from './checkpoint.ts'
import type { Checkpoint } from './checkpoint.ts'
import { parseDsse, readDssePayload, verifyDsse } from './dsse.ts'
import { requireStamped } from './evidence-timestamps.ts'
import { EVIDENCE_PAYLOAD_TYPE, EVIDENCE_PREDICATE_TYPE, STATEMENT_TYPE } from './evidence.ts'
import type { EvidenceEntry, EvidencePredicate } from './evidence.ts'
import { isKeyEntry, periodOf, readKeyChain } from './key-chain.ts'
import type { KeyEntry, KeyPeriod, LogKey } from './key-chain.ts'
import { leafHash, verifyInclusion } from './merkle.ts'
import { parseNote } from './note.ts'
import { readEvidence } from './read-evidence.ts'
import { sha256 } from './sha256.ts'
import { readGivenKey, requireSigned, untrusted } from './trusted-key.ts'
import { verdictOf, Wrong } from './verdict.ts'
import type { Refusal } from './verdict.ts'
import { readWitnesses, requireWitnesses } from './witnesses.ts'
import type { Witnessed, WitnessOptions } from './witnesses.ts'

export type EvidenceOptions = WitnessOptions & {
  /** The C2SP verifier key of the log: the newest, or an older one, from which the bundle has to lead to the newest. */
  vkey: string
  /** Hears how many entries were checked of how many. */
  progress?: (done: number, size: number) => void
}

export type EvidenceVerdict =
  | ({
      ok: true
      origin: string
      /** Of the checkpoint that the proofs lead to. */
      size: number
      root: string
      range: EvidencePredicate['range']
      filter?: Record<string, string>
      /** Whether every entry of the range is here; otherwise nothing shows that none was left out. */
      complete: boolean
      entries: number
      types: Record<string, number>
      keys: KeyPeriod[]
      erasures: Erasure[]
      /** RFC 3161 time stamps that were not checked here, by how many entries of the log they are over. */
      timestamps: number[]
    } & Witnessed)
  | Refusal

function refuse(detail: string): never {
  throw new Wrong('EVIDENCE_INVALID', 'evidence bundle', detail)
}

/** What the payload says, before anybody has checked who signed it. */
function readStatement(payload: Uint8Array): EvidencePredicate {
  let value: unknown
  let text: string
  try {
    text = fromUtf8(payload)
    value = JSON.parse(text)
    // A member that stands there twice would mean one thing to us and another to the next reader.
    if (canonicalize(value) !== text) return refuse('The statement is not in the canonical form of RFC 8785.')
  } catch (error) {
    if (error instanceof Wrong) throw error
    return refuse(`The statement can't be read: ${(error as Error).message}.`)
  }
  const { _type, predicateType, subject, predicate } = value as Record<string, unknown>
  if (_type !== STATEMENT_TYPE || predicateType !== EVIDENCE_PREDICATE_TYPE)
    return refuse('The statement is not one of evidence of a ledger.')
  const evidence = readEvidence(predicate)
  if (!evidence) return refuse('The statement does not have the form of evidence of a ledger.')
  const digest = toHex(sha256(utf8(evidence.checkpoint)))
  if (canonicalize(subject ?? null) !== canonicalize([{ name: evidence.origin, digest: { sha256: digest } }]))
    return refuse('The statement’s subject is not its checkpoint.')
  return evidence
}

/** Who spoke for the log, as its own entries say; that these entries are in it is checked with the others. */
async function keysOf({ origin, keyEntries, keys }: EvidencePredicate, options: EvidenceOptions): Promise<LogKey[]> {
  const given = readGivenKey(options.vkey)
  if (given.name !== origin)
    throw new Wrong('SIGNATURE_INVALID', 'evidence bundle', `It is of ${origin}, and the key that you gave is one of ${given.name}.`)
  const entries = keyEntries.map(({ seq, body }): KeyEntry => ({ seq, body: readBody(seq, body) }))
  if (entries.some(({ body }) => !isKeyEntry(String(body['type'])))) refuse('An entry among those that change keys does not.')
  if (entries.some(({ seq }, i) => seq <= (entries[i - 1]?.seq ?? -1))) refuse('The entries that change keys are out of order.')
  const chain = await readKeyChain(origin, entries, given, options.vkey.trim())
  if (chain.map(({ vkey }) => vkey).join('\n') !== keys.join('\n'))
    throw new Wrong('SIGNATURE_INVALID', 'evidence bundle', 'No entry in it leads from the key that you gave to the one that it names.')
  return chain
}

function readBody(seq: number, text: string): Record<string, unknown> {
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body === 'object' && body !== null) return body as Record<string, unknown>
  } catch {
    // Said below.
  }
  return refuse(`The body of entry ${seq} is not a JSON object.`)
}

function requireIncluded({ seq, body, proof }: EvidenceEntry, { size, root }: Checkpoint): void {
  let hashes: Uint8Array[] = []
  try {
    hashes = proof.map(fromBase64)
  } catch {
    throw new Wrong('PROOF_INVALID', `entry ${seq}`, `The proof of entry ${seq} can't be read.`)
  }
  if (!verifyInclusion(leafHash(utf8(body)), seq, size, root, hashes))
    throw new Wrong('PROOF_INVALID', `entry ${seq}`, `Entry ${seq} is not in the log that the checkpoint describes, or was changed.`)
}

/** The entries are what the range and the filter promise: each in its place, and all of them where nothing was left out on purpose. */
function requireRange({ range: { first, end }, filter, entries }: EvidencePredicate, size: number): void {
  if (!(first <= end && end <= size)) refuse(`There are no entries ${first} to ${end} in a log of ${size}.`)
  let next = first
  for (const { seq } of entries) {
    if (seq < next || seq >= end) refuse(`Entry ${seq} is out of order or out of range.`)
    if (!filter && seq > next)
      throw new Wrong('ENTRIES_MISSING', `entry ${next}`, `The bundle promises every entry of its range, but entry ${next} is missing.`)
    next = seq + 1
  }
  if (!filter && next < end)
    throw new Wrong(
      'ENTRIES_MISSING',
      `entry ${next}`,
      `The bundle promises every entry of its range, but those from ${next} on are missing.`,
    )
}

function checkEntries({ entries, keyEntries }: EvidencePredicate, checkpoint: Checkpoint, options: EvidenceOptions): BodyChecker {
  for (const entry of keyEntries) requireIncluded(entry, checkpoint)
  const bodies = new BodyChecker(false)
  for (const [i, entry] of entries.entries()) {
    requireIncluded(entry, checkpoint)
    const problem = bodies.check(entry.seq, utf8(entry.body))
    if (problem) throw new Wrong(problem.fault, `entry ${entry.seq}`, `Entry ${entry.seq} is what was signed, but ${problem.detail}.`)
    if (i % 256 === 255 || i === entries.length - 1) options.progress?.(i + 1, entries.length)
  }
  return bodies
}

async function verify(text: string, options: EvidenceOptions): Promise<EvidenceVerdict> {
  const witnesses = readWitnesses(options)
  let envelope: ReturnType<typeof parseDsse>
  let payload: Uint8Array
  try {
    envelope = parseDsse(text)
    payload = readDssePayload(envelope)
  } catch (error) {
    return refuse(`It is not a signed envelope: ${(error as Error).message}.`)
  }
  const evidence = readStatement(payload)
  const keys = await keysOf(evidence, options)
  const checkpoint = readClaimed(evidence)
  const signer = await requireSigned(evidence.checkpoint, keys, readGivenKey(options.vkey), checkpoint.size)
  try {
    await verifyDsse(envelope, { payloadType: EVIDENCE_PAYLOAD_TYPE, publicKey: signer.key.publicKey })
  } catch (error) {
    throw new Wrong('SIGNATURE_INVALID', 'envelope', `The envelope is not to be trusted: ${(error as Error).message}.`)
  }
  requireRange(evidence, checkpoint.size)
  const timestamps = requireStamped(evidence, checkpoint)
  const { types, erasures } = checkEntries(evidence, checkpoint, options)
  const { origin, range, filter, entries } = evidence
  return {
    ok: true,
    origin,
    size: checkpoint.size,
    root: toHex(checkpoint.root),
    range,
    ...(filter && { filter }),
    complete: !filter,
    entries: entries.length,
    types,
    keys: keys.map(periodOf),
    ...(await requireWitnesses(evidence.checkpoint, witnesses, keys)),
    erasures,
    timestamps,
  }
}

function readClaimed({ checkpoint }: EvidencePredicate): Checkpoint {
  try {
    return parseCheckpoint(parseNote(checkpoint).text)
  } catch (error) {
    return untrusted(error)
  }
}

/**
 * @param text the envelope, as `ephor ledger export --format evidence` writes it
 * @returns what was verified, or the first thing that is wrong
 */
export function verifyEvidence(text: string, options: EvidenceOptions): Promise<EvidenceVerdict> {
  return verdictOf(() => verify(text, options))
}
