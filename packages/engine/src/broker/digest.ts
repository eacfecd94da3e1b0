/** The broker's digests: of a value by its canonical form, and of names that the agent chose and no record may carry. */
import { hash } from 'node:crypto'
import { canonicalize } from '@ephor/proof'

/** `sha256:<64 hex>` of the value's canonical JSON (RFC 8785). */
export function digestOf(value: unknown): string {
  return `sha256:${hash('sha256', canonicalize(value), 'hex')}`
}

/** A session's name may come from the agent and hold anything, so rows and bodies carry a digest of it, different for each owner. */
export function digestSession(owner: string, session: string): string {
  return hash('sha256', `${owner}\n${session}`, 'hex').slice(0, 32)
}
