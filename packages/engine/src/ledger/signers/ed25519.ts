/** Ed25519 (RFC 8032) with raw public keys, as signed notes carry them. */
import { createPublicKey, verify } from 'node:crypto'

/** @param publicKey 32 bytes */
export function verifyEd25519(publicKey: Uint8Array, signature: Uint8Array, bytes: Uint8Array): boolean {
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') }, format: 'jwk' })
  return verify(null, bytes, key, signature)
}
