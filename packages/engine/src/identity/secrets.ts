/** Secrets that Ephor hands out: a prefix that scanners can find, then 256 random bits in base 62. */
import { hash, randomBytes } from 'node:crypto'

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** `eph`: an agent's local credential; `eps`: a person's session; `epl`: a sign-in link. */
export type SecretPrefix = 'eph' | 'eps' | 'epl'

export function makeSecret(prefix: SecretPrefix): string {
  let text = ''
  // 62^43 > 2^256: every value has its own 43 characters.
  for (let rest = BigInt(`0x${randomBytes(32).toString('hex')}`); text.length < 43; rest /= 62n) text += ALPHABET[Number(rest % 62n)]
  return `${prefix}_${text}`
}

/** Hexadecimal SHA-256. Salt and stretching would add nothing to 256 random bits, and looking a hash up leaks no timing of the secret. */
export function hashSecret(secret: string): string {
  return hash('sha256', secret, 'hex')
}
