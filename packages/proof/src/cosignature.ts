/** Cosignatures of witnesses (c2sp.org/tlog-cosignature): Ed25519, type 0x04. ML-DSA-44, type 0x06, is told apart and not checked. */
import { concatBytes, sameBytes, utf8 } from './bytes.ts'
import { parseCheckpoint } from './checkpoint.ts'
import { verifyEd25519 } from './ed25519.ts'
import type { Sign } from './ed25519.ts'
import { formatKey, formatSignatureLine, makeKey, parseKey, parseNote } from './note.ts'
import type { NoteSignature, VerifierKey } from './note.ts'
import { ProofError } from './proof-error.ts'

const COSIGNATURE = 4
const TIMED_ED25519_BYTES = 8 + 64
const TIMED_ML_DSA_44_BYTES = 8 + 2420

/** A witness's public key under its name. The same 32 bytes as a log's verifier key (type 0x01) have another key id. */
export type CosignerKey = VerifierKey & { readonly type: 'cosigner' }

/** @param publicKey the 32 bytes of RFC 8032 @throws ProofError FORMAT_INVALID as `makeVerifierKey` does. */
export function makeCosignerKey(name: string, publicKey: Uint8Array): CosignerKey {
  return { type: 'cosigner', ...makeKey(COSIGNATURE, name, publicKey) }
}

/** The text form: `name+keyid+base64(0x04 || key)`. */
export function formatCosignerKey(key: CosignerKey): string {
  return formatKey(COSIGNATURE, key)
}

/** @throws ProofError FORMAT_INVALID, also for a key of another type and when the key id is not that of the key. */
export function parseCosignerKey(text: string): CosignerKey {
  return { type: 'cosigner', ...parseKey(COSIGNATURE, text, 'a key of a witness (Ed25519 cosignatures, type 0x04)') }
}

/** What is signed (section "Ed25519 signed message"): the two lines keep it apart from every note that a log signs. */
function messageOf(text: string, time: number): Uint8Array {
  return utf8(`cosignature/v1\ntime ${time}\n${text}`)
}

function encodeTime(time: number): Uint8Array {
  if (!Number.isSafeInteger(time) || time <= 0) throw new ProofError('FORMAT_INVALID', 'a cosignature is made at a whole second after 1970')
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(time))
  return bytes
}

/**
 * Cosigns a checkpoint: says that at `time` this was the largest tree of this log that the witness saw, consistent with all before.
 * It checks nothing of that; the witness has to.
 * @param note the log's signed checkpoint; only its text is signed
 * @param witness `time` in whole seconds since 1970
 * @returns one signature line, newline included, for `appendSignature`
 * @throws ProofError FORMAT_INVALID when the note is not a checkpoint.
 */
export async function signCosignature(
  note: string | Uint8Array,
  { name, publicKey, sign, time }: { name: string; publicKey: Uint8Array; sign: Sign; time: number },
): Promise<string> {
  const { text } = parseNote(note)
  parseCheckpoint(text)
  const key = makeCosignerKey(name, publicKey)
  const signature = concatBytes(encodeTime(time), await sign(messageOf(text, time)))
  if (signature.length !== TIMED_ED25519_BYTES) throw new ProofError('FORMAT_INVALID', 'an Ed25519 signature has 64 bytes')
  return formatSignatureLine({ name, keyId: key.keyId, signature })
}

/** @returns the time, in seconds since 1970, or undefined when the signature is not this key's over this text */
async function timeOf(text: string, { signature }: NoteSignature, key: CosignerKey): Promise<number | undefined> {
  if (signature.length !== TIMED_ED25519_BYTES) return undefined
  const time = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0)
  // A time that a double does not hold is hundreds of millions of years away; zero makes no statement about a checkpoint.
  if (time > BigInt(Number.MAX_SAFE_INTEGER) || time === 0n) return undefined
  const holds = await verifyEd25519(key.publicKey, signature.subarray(8), messageOf(text, Number(time)))
  return holds ? Number(time) : undefined
}

const isFrom = (key: CosignerKey) => (line: NoteSignature) => line.name === key.name && sameBytes(line.keyId, key.keyId)

/**
 * Checks one witness's cosignature. The log's own signature is another matter: `verifyCheckpoint`.
 * @returns when the witness signed, in seconds since 1970; the latest if it signed more than once
 * @throws ProofError FORMAT_INVALID when the note is not a checkpoint; PROOF_INVALID when the witness did not sign it or a line in its name is wrong.
 */
export async function verifyCosignature(note: string | Uint8Array, key: CosignerKey): Promise<{ time: number }> {
  const { cosigned, invalid } = await countCosignatures(note, [key])
  if (invalid.length > 0) throw new ProofError('PROOF_INVALID', `the cosignature of ${key.name} is not valid`)
  const [mine] = cosigned
  if (!mine) throw new ProofError('PROOF_INVALID', `not cosigned by ${key.name}`)
  return { time: mine.time }
}

/** A signature line that was not checked, and what its length says it may be. */
export type UncheckedSignature = NoteSignature & { kind: 'ed25519' | 'cosignature' | 'ml-dsa-44' | 'unknown' }

export type Cosignatures = {
  /** Whose cosignature holds, each public key once, with the latest time in seconds since 1970. Its length is the k of k-of-n. */
  cosigned: { key: CosignerKey; time: number }[]
  /** Names of known witnesses with a line that does not hold: a note with one should be refused as a whole (signed-note, "Signatures"). */
  invalid: string[]
  /** The log's own lines, those of witnesses that one does not know, and ML-DSA-44: kept, never counted. */
  notChecked: UncheckedSignature[]
}

function kindOf({ signature }: NoteSignature): UncheckedSignature['kind'] {
  if (signature.length === 64) return 'ed25519'
  if (signature.length === TIMED_ED25519_BYTES) return 'cosignature'
  return signature.length === TIMED_ML_DSA_44_BYTES ? 'ml-dsa-44' : 'unknown'
}

/**
 * Counts the witnesses that cosigned a checkpoint, for a k-of-n policy: a key that signed twice, or that is listed under two names, counts once.
 * @param keys the witnesses that one trusts
 * @throws ProofError FORMAT_INVALID when the note is not a checkpoint.
 */
export async function countCosignatures(note: string | Uint8Array, keys: readonly CosignerKey[]): Promise<Cosignatures> {
  const { text, signatures } = parseNote(note)
  parseCheckpoint(text)
  const found: Cosignatures = { cosigned: [], invalid: [], notChecked: [] }
  for (const line of signatures) {
    const key = keys.find((known) => isFrom(known)(line))
    if (!key) {
      found.notChecked.push({ ...line, kind: kindOf(line) })
      continue
    }
    const time = await timeOf(text, line, key)
    const same = found.cosigned.find((other) => sameBytes(other.key.publicKey, key.publicKey))
    if (time === undefined) found.invalid.push(key.name)
    else if (same) same.time = Math.max(same.time, time)
    else found.cosigned.push({ key, time })
  }
  return found
}
