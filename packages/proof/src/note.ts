/** Signed notes and their keys (c2sp.org/signed-note) with Ed25519, signature type 0x01. */
import { concatBytes, fromBase64, fromHex, fromUtf8, sameBytes, toBase64, toHex, utf8 } from './bytes.ts'
import { verifyEd25519 } from './ed25519.ts'
import { ProofError } from './proof-error.ts'
import { sha256 } from './sha256.ts'

const ED25519 = 1
const MAX_NOTE_BYTES = 1024 * 1024
/** The specification asks for at least 16. Each costs a verification, and whoever sends a note chooses how many there are. */
const MAX_SIGNATURES = 100

export type NoteSignature = { name: string; keyId: Uint8Array; signature: Uint8Array }
export type Note = { text: string; signatures: NoteSignature[] }
/** A public key under a name. `publicKey` is the 32 bytes of RFC 8032. */
export type VerifierKey = { name: string; keyId: Uint8Array; publicKey: Uint8Array }

function isName(name: string): boolean {
  return /^[^\s+\p{Cc}\p{Z}]+$/u.test(name) && name.isWellFormed()
}

/** What the section “Verifier keys” of signed-note says of any type. @param type the signature type's byte */
export function makeKey(type: number, name: string, publicKey: Uint8Array): VerifierKey {
  if (!isName(name)) throw new ProofError('FORMAT_INVALID', `${JSON.stringify(name)} can't name a key: no spaces, no plus, not empty`)
  if (publicKey.length !== 32) throw new ProofError('FORMAT_INVALID', 'an Ed25519 public key has 32 bytes')
  const keyId = Uint8Array.from(sha256(concatBytes(utf8(name), Uint8Array.of(0x0a, type), publicKey)).subarray(0, 4))
  return { name, keyId, publicKey: Uint8Array.from(publicKey) }
}

export function formatKey(type: number, { name, keyId, publicKey }: VerifierKey): string {
  return `${name}+${toHex(keyId)}+${toBase64(concatBytes(Uint8Array.of(type), publicKey))}`
}

/** @param what names the kind of key in the error, with its article */
export function parseKey(type: number, text: string, what: string): VerifierKey {
  const [name, id, ...rest] = text.trim().split('+')
  const bytes = fromBase64(rest.join('+'))
  if (bytes[0] !== type) throw new ProofError('FORMAT_INVALID', `not ${what}`)
  const key = makeKey(type, name ?? '', bytes.subarray(1))
  if (!sameBytes(key.keyId, fromHex(id ?? ''))) throw new ProofError('FORMAT_INVALID', 'the key id does not belong to the key')
  return key
}

/** @throws ProofError FORMAT_INVALID for a name with spaces, plus or control characters, or a key that is not 32 bytes. */
export function makeVerifierKey(name: string, publicKey: Uint8Array): VerifierKey {
  return makeKey(ED25519, name, publicKey)
}

/** The text form: `name+keyid+base64(type || key)`. */
export function formatVerifierKey(key: VerifierKey): string {
  return formatKey(ED25519, key)
}

/** @throws ProofError FORMAT_INVALID, also when the key id is not that of the key. */
export function parseVerifierKey(text: string): VerifierKey {
  return parseKey(ED25519, text, 'an Ed25519 verifier key')
}

/** One line of a note's second part, its newline included. */
export function formatSignatureLine({ name, keyId, signature }: NoteSignature): string {
  return `— ${name} ${toBase64(concatBytes(keyId, signature))}\n`
}

/**
 * The signature lines of a note, or of a witness's answer; says nothing about whether they hold.
 * @param text one line or more, each with its newline
 * @throws ProofError FORMAT_INVALID, also for more than 100 lines and for a line that stands there twice.
 */
export function parseSignatureLines(text: string): NoteSignature[] {
  const lines = text.slice(0, -1).split('\n', MAX_SIGNATURES + 1)
  if (!text.endsWith('\n')) throw new ProofError('FORMAT_INVALID', 'the last signature line has no newline')
  if (lines.length > MAX_SIGNATURES) throw new ProofError('FORMAT_INVALID', `more than ${MAX_SIGNATURES} signature lines`)
  // Nobody who adds a signature repeats one: a repeated line is there to look like more of them.
  if (new Set(lines).size < lines.length) throw new ProofError('FORMAT_INVALID', 'a signature line stands there twice')
  return lines.map((line) => {
    const [, name = '', base64 = ''] = /^— (\S+) (\S+)$/.exec(line) ?? []
    const bytes = fromBase64(base64)
    if (!isName(name) || bytes.length < 5) throw new ProofError('FORMAT_INVALID', 'a signature line of the note is malformed')
    return { name, keyId: bytes.slice(0, 4), signature: bytes.slice(4) }
  })
}

/** @param text ends in a newline */
export function formatNote(text: string, signatures: readonly NoteSignature[]): string {
  return `${text}\n${signatures.map(formatSignatureLine).join('')}`
}

/** Splits a note; says nothing about its signatures. @throws ProofError FORMAT_INVALID */
export function parseNote(note: string | Uint8Array): Note {
  const source = typeof note === 'string' ? note : fromUtf8(note)
  if (source.length > MAX_NOTE_BYTES) throw new ProofError('FORMAT_INVALID', 'the note is larger than 1 MiB')
  // eslint-disable-next-line no-control-regex -- the specification forbids exactly these
  if (/[\u0000-\u0009\u000b-\u001f]/.test(source) || !source.isWellFormed())
    throw new ProofError('FORMAT_INVALID', 'the note contains control characters')
  const split = source.lastIndexOf('\n\n')
  if (split < 0 || !source.endsWith('\n')) throw new ProofError('FORMAT_INVALID', 'the note has no signatures')
  return { text: source.slice(0, split + 1), signatures: parseSignatureLines(source.slice(split + 2)) }
}

/**
 * Signs the text.
 * @param sign an Ed25519 signature over the bytes, 64 bytes; the private key stays with the caller
 */
export function signNote(text: string, key: VerifierKey, sign: (bytes: Uint8Array) => Uint8Array): string {
  return formatNote(text, [{ name: key.name, keyId: key.keyId, signature: sign(utf8(text)) }])
}

/**
 * Adds a signature line, for example a witness's cosignature; a line that the note already has is not added again.
 * @param line with its newline, as `signCosignature` returns it
 * @throws ProofError FORMAT_INVALID for anything but a note and one signature line.
 */
export function appendSignature(note: string, line: string): string {
  const have = parseNote(note).signatures.map(formatSignatureLine)
  const [added, ...more] = parseSignatureLines(line)
  if (!added || more.length > 0) throw new ProofError('FORMAT_INVALID', 'not one signature line')
  return have.includes(line) ? note : note + line
}

/**
 * @returns the note's text, once one of the keys is known to have signed it; signatures of other keys are ignored
 * @throws ProofError FORMAT_INVALID; PROOF_INVALID when no key signed it, or a signature in the name of a key is wrong.
 */
export async function verifyNote(note: string | Uint8Array, keys: readonly VerifierKey[]): Promise<string> {
  const { text, signatures } = parseNote(note)
  let verified = false
  for (const { name, keyId, signature } of signatures) {
    const key = keys.find((known) => known.name === name && sameBytes(known.keyId, keyId))
    if (!key) continue
    if (!(await verifyEd25519(key.publicKey, signature, utf8(text))))
      throw new ProofError('PROOF_INVALID', `the signature of ${name} is not valid`)
    verified = true
  }
  if (!verified)
    throw new ProofError('PROOF_INVALID', `not signed by ${keys.map(({ name, keyId }) => `${name} (key ${toHex(keyId)})`).join(' or ')}`)
  return text
}
