/** Signs with a key of the data folder: it is in this process's memory, but never in the store's thread. */
import { createPublicKey, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { Signer } from './signer.ts'

/** @param key an Ed25519 private key */
export function fileSigner(key: KeyObject): Signer {
  return {
    publicKey: new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32)),
    sign: (bytes) => Promise.resolve(sign(null, bytes, key)),
  }
}
