/** Signed notes and their keys (c2sp.org/signed-note) with Ed25519, signature type 0x01. */
import { concatBytes, fromBase64, fromHex, fromUtf8, sameBytes, toBase64, toHex, utf8 } from './bytes.ts'
import { ProofError } from './proof-error.ts'
import { sha256 } from './sha256.ts'

const ED25519 = 1
const MAX_NOTE_BYTES = 1024 * 1024

export type NoteSignature = { name: string; keyId: Uint8Array; signature: Uint8Array }
export type Note = { text: string; signatures: NoteSignature[] }
/** A public key under a name. `publicKey` is the 32 bytes of RFC 8032. */
export type VerifierKey = { name: string; keyId: Uint8Array; publicKey: Uint8Array }

function isName(name: string): boolean {
  return /^[^\s+\p{Cc}\p{Z}]+$/u.test(name) && name.isWellFormed()
}

/** @throws ProofError FORMAT_INVALID for a name with spaces, plus or control characters, or a key that is not 32 bytes. */
export function makeVerifierKey(name: string, publicKey: Uint8Array): VerifierKey {
  if (!isName(name)) throw new ProofError('FORMAT_INVALID', `${JSON.stringify(name)} can't name a key: no spaces, no plus, not empty`)
  if (publicKey.length !== 32) throw new ProofError('FORMAT_INVALID', 'an Ed25519 public key has 32 bytes')
  const keyId = sha256(concatBytes(utf8(name), Uint8Array.of(0x0a, ED25519), publicKey)).slice(0, 4)
  return { name, keyId, publicKey }
}

/** The text form: `name+keyid+base64(type || key)`. */
export function formatVerifierKey({ name, keyId, publicKey }: VerifierKey): string {
  return `${name}+${toHex(keyId)}+${toBase64(concatBytes(Uint8Array.of(ED25519), publicKey))}`
}

/** @throws ProofError FORMAT_INVALID, also when the key id is not that of the key. */
export function parseVerifierKey(text: string): VerifierKey {
  const [name, id, ...rest] = text.trim().split('+')
  const bytes = fromBase64(rest.join('+'))
  if (bytes[0] !== ED25519) throw new ProofError('FORMAT_INVALID', 'not an Ed25519 verifier key')
  const key = makeVerifierKey(name ?? '', bytes.subarray(1))
  if (!sameBytes(key.keyId, fromHex(id ?? ''))) throw new ProofError('FORMAT_INVALID', 'the key id does not belong to the key')
  return key
}

/** @param text ends in a newline */
export function formatNote(text: string, signatures: readonly NoteSignature[]): string {
  const lines = signatures.map(({ name, keyId, signature }) => `— ${name} ${toBase64(concatBytes(keyId, signature))}\n`)
  return `${text}\n${lines.join('')}`
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
  const lines = source.slice(split + 2, -1).split('\n')
  const signatures = lines.map((line) => {
    const [, name = '', base64 = ''] = /^— (\S+) (\S+)$/.exec(line) ?? []
    const bytes = fromBase64(base64)
    if (!isName(name) || bytes.length < 5) throw new ProofError('FORMAT_INVALID', 'a signature line of the note is malformed')
    return { name, keyId: bytes.slice(0, 4), signature: bytes.slice(4) }
  })
  return { text: source.slice(0, split + 1), signatures }
}

/**
 * Signs the text.
 * @param sign an Ed25519 signature over the bytes, 64 bytes; the private key stays with the caller
 */
export function signNote(text: string, key: VerifierKey, sign: (bytes: Uint8Array) => Uint8Array): string {
  return formatNote(text, [{ name: key.name, keyId: key.keyId, signature: sign(utf8(text)) }])
}

async function verifySignature(key: VerifierKey, signature: Uint8Array, text: string): Promise<boolean> {
  if (signature.length !== 64) return false
  const { subtle } = globalThis.crypto
  const imported = await subtle.importKey('raw', key.publicKey.slice(), 'Ed25519', false, ['verify'])
  return subtle.verify('Ed25519', imported, signature.slice(), utf8(text).slice())
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
    if (!(await verifySignature(key, signature, text))) throw new ProofError('PROOF_INVALID', `the signature of ${name} is not valid`)
    verified = true
  }
  if (!verified)
    throw new ProofError('PROOF_INVALID', `not signed by ${keys.map(({ name, keyId }) => `${name} (key ${toHex(keyId)})`).join(' or ')}`)
  return text
}
