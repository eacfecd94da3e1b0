/** The broker's digests: of a value by its canonical form, and of names that the agent chose and no record may carry. */
import { hash } from 'node:crypto'
import { canonicalize } from '@ephor/proof'

/** `sha256:<64 hex>` of the value's canonical JSON (RFC 8785). */
export function digestOf(value: unknown): string {
  return `sha256:${hash('sha256', canonicalize(value), 'hex')}`
}

/** A session makes many calls, and a digest costs as much as a decision. */
const sessions = new Map<string, string>()
const MAX_SESSIONS = 10_000

/** A session's name may come from the agent and hold anything, so rows and bodies carry a digest of it, different for each owner. */
export function digestSession(owner: string, session: string): string {
  const named = `${owner}\n${session}`
  let digest = sessions.get(named)
  if (digest === undefined) {
    digest = hash('sha256', named, 'hex').slice(0, 32)
    // The agent chooses the name: neither their number nor their length may fill our memory.
    if (sessions.size >= MAX_SESSIONS) sessions.clear()
    if (named.length <= 200) sessions.set(named, digest)
  }
  return digest
}
