/** Changes an agent's assertion, signed with its registered key, for a short-lived token (RFC 7523). */
import { createPublicKey, hash } from 'node:crypto'
import { Fault } from '@ephor/contract'
import type { Context } from './context.ts'
import type { KnownCredential } from './store.ts'
import { readHeader, verifyAssertion } from './tokens.ts'
import type { AssertionClaims } from './tokens.ts'

/** @throws Fault UNAUTHENTICATED when the assertion was used before. */
async function use({ ledger }: Context, { credential, agent, jti }: AssertionClaims): Promise<void> {
  // The ledger takes an id once: this is what makes an assertion single-use, across restarts too.
  const id = `token/${credential}/${hash('sha256', jti, 'hex')}`
  try {
    await ledger.append({ changes: [], entries: [{ type: 'token.issued', id, body: { credential, agent } }] })
  } catch (error) {
    if (error instanceof Fault && error.code === 'CONFLICT')
      throw new Fault('UNAUTHENTICATED', 'the assertion was used before; sign a new one with its own jti', { cause: error })
    throw error
  }
}

/** The header only chooses the key; the key's own agent is who the assertion has to be from. */
function holderOf(credential: KnownCredential | undefined) {
  if (credential?.publicX === undefined) throw new Fault('UNAUTHENTICATED', 'the header kid names no registered key')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: credential.publicX }, format: 'jwk' })
  return { credential: credential.id, agent: credential.agent, key }
}

export async function issueToken(context: Context, assertion: string): Promise<{ token: string; expiresAt: number }> {
  const { clock, tokens, credentials } = context
  const now = clock.now()
  const { kid } = readHeader(assertion)
  const holder = holderOf(typeof kid === 'string' ? credentials.get(kid) : undefined)
  const claims = await verifyAssertion(assertion, holder, `${context.origin}/v1/tokens`, now)
  if (credentials.get(holder.credential)?.state !== 'active') throw new Fault('CREDENTIAL_REVOKED', `${holder.credential} is revoked`)
  if (!context.isAgent(claims.agent)) throw new Fault('AGENT_UNKNOWN', `no agent ${claims.agent} is registered`)
  await use(context, claims)
  return tokens.signToken(claims, now)
}
