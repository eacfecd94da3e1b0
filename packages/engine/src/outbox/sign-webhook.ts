/** Signs a webhook as Standard Webhooks 1.0.0 says: `v1` is HMAC-SHA256, `v1a` is Ed25519, over `id.timestamp.body`. */
import { createHash, createHmac, createPrivateKey, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { Fault } from '@ephor/contract'
import type { CloudEvent } from '@ephor/engine/ledger'

/** DER of a PKCS #8 Ed25519 key up to its 32 bytes of seed (RFC 8410 section 7). */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex')

type Signer = (content: string) => string

function ed25519(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, seed]), format: 'der', type: 'pkcs8' })
}

/**
 * @param secret `whsec_` and base64 of 24 to 64 bytes, or `whsk_` and base64 of an Ed25519 key: its seed, or seed and public key
 * @throws Fault SETTINGS_INVALID, without the secret
 */
export function signerOf(secret: string): Signer {
  const [, kind, text = ''] = /^(whsec|whsk)_([A-Za-z0-9+/]+={0,2})$/.exec(secret.trim()) ?? []
  const bytes = Buffer.from(text, 'base64')
  if (kind === 'whsec' && bytes.length >= 24 && bytes.length <= 64)
    return (content) => `v1,${createHmac('sha256', bytes).update(content).digest('base64')}`
  if (kind === 'whsk' && (bytes.length === 32 || bytes.length === 64)) {
    const key = ed25519(bytes.subarray(0, 32))
    return (content) => `v1a,${sign(null, Buffer.from(content), key).toString('base64')}`
  }
  throw new Fault(
    'SETTINGS_INVALID',
    'the secret of a webhook is whsec_ and 24 to 64 bytes in base64, or whsk_ and an Ed25519 key in base64',
  )
}

/** Stable for an entry, and without the dots of an origin: dots divide what is signed. */
export function webhookId({ source, data }: CloudEvent): string {
  return `evt_${createHash('sha256').update(source).digest('hex').slice(0, 16)}_${data.seq}`
}

/** @param at ms since 1970, of this attempt */
export function webhookHeaders(id: string, at: number, body: string, signers: readonly Signer[]): Record<string, string> {
  const timestamp = String(Math.floor(at / 1000))
  const content = `${id}.${timestamp}.${body}`
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signers.map((signer) => signer(content)).join(' '),
  }
}
