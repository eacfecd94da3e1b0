/** Ed25519 (RFC 8032) through WebCrypto, which Node and browsers have. Signing stays with whoever holds the key. */

/** Signs bytes: 64 bytes of Ed25519. The private key stays behind it: in a process, a KMS, a token. */
export type Sign = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>

/** @param publicKey 32 bytes; one that is no point of the curve verifies nothing */
export async function verifyEd25519(publicKey: Uint8Array, signature: Uint8Array, bytes: Uint8Array): Promise<boolean> {
  if (signature.length !== 64 || publicKey.length !== 32) return false
  const { subtle } = globalThis.crypto
  const key = await subtle.importKey('raw', publicKey.slice(), 'Ed25519', false, ['verify'])
  return subtle.verify('Ed25519', key, signature.slice(), bytes.slice())
}
