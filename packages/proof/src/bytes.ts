/** Bytes and their text forms, strict in what they accept; nothing here depends on Node. */
import { ProofError } from './proof-error.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

export function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** @throws ProofError FORMAT_INVALID when the bytes are not UTF-8. */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw new ProofError('FORMAT_INVALID', 'the bytes are not UTF-8')
  }
}

export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += HEX[byte]
  return text
}

/** @throws ProofError FORMAT_INVALID unless the text is pairs of lower-case hexadecimal digits. */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) throw new ProofError('FORMAT_INVALID', 'not lower-case hexadecimal')
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16)
  return bytes
}

export function toBase64(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}

/** @throws ProofError FORMAT_INVALID unless the text is canonical base64 (RFC 4648 section 4, padded, no spaces, no stray bits). */
export function fromBase64(text: string): Uint8Array {
  const bytes =
    /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0 ? Uint8Array.from(atob(text), (c) => c.charCodeAt(0)) : undefined
  // Two texts for the same bytes would let a signed thing change its looks.
  if (!bytes || toBase64(bytes) !== text) throw new ProofError('FORMAT_INVALID', 'not canonical base64')
  return bytes
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** A decimal without sign or leading zeros that a double holds exactly. @throws ProofError FORMAT_INVALID */
export function parseDecimal(text: string): number {
  const value = Number(text)
  if (!/^(0|[1-9][0-9]{0,15})$/.test(text) || !Number.isSafeInteger(value))
    throw new ProofError('FORMAT_INVALID', `not a decimal number: ${JSON.stringify(text.slice(0, 40))}`)
  return value
}
