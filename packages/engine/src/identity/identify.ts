/** Who a bearer proves. What was verified before is remembered by its hash; expiry and revocation are checked every time. */
import { Fault } from '@ephor/contract'
import type { AgentPrincipal, PersonPrincipal, Principal } from '@ephor/contract'
import { ERASED } from './context.ts'
import type { Context } from './context.ts'
import { makeRecent } from './recent.ts'
import { sessionEnded } from './rules.ts'
import { hashSecret } from './secrets.ts'
import { readHeader, TOKEN_TYPE } from './tokens.ts'

/** Longer than anything Ephor signs. */
const MAX_BEARER = 4096
/** Verified tokens remembered; the least recently used goes first. */
const MAX_REMEMBERED = 10_000

type Verified = { principal: Principal; /** ms */ expiresAt: number }

export function makeIdentify(context: Context, operator: string): (bearer: string) => Promise<Principal> {
  const { clock, tokens, people, credentials, credentialIds, sessions } = context
  const verified = makeRecent<Verified>(MAX_REMEMBERED)

  /** @throws Fault UNAUTHENTICATED, CREDENTIAL_REVOKED. */
  function agentOf(id: string, agent: string | undefined, session: string | undefined): AgentPrincipal {
    const credential = credentials.get(id)
    if (!credential || (agent !== undefined && agent !== credential.agent)) throw new Fault('UNAUTHENTICATED', 'no such credential')
    if (credential.state !== 'active') throw new Fault('CREDENTIAL_REVOKED', `${id} is revoked`)
    const { onBehalfOf } = credential
    return {
      kind: 'agent',
      id: credential.agent,
      credential: id,
      ...(session === undefined ? {} : { session }),
      ...(onBehalfOf === undefined ? {} : { onBehalfOf }),
    }
  }

  function bySecret(secret: string): AgentPrincipal {
    const id = credentialIds.get(hashSecret(secret))
    if (id === undefined) throw new Fault('UNAUTHENTICATED', 'no such credential')
    return agentOf(id, undefined, undefined)
  }

  function bySession(secret: string, now: number): PersonPrincipal {
    const session = sessions.get(hashSecret(secret))
    // One that opened while its person was erased opens nothing either.
    if (!session || sessionEnded(session, now) || people.get(session.person)?.name === ERASED)
      throw new Fault('UNAUTHENTICATED', 'the session has ended: sign in again')
    session.seenAt = now
    return { kind: 'person', id: session.person, session: session.id }
  }

  async function verify(token: string, now: number): Promise<Verified> {
    // The type only chooses the check. Each has its own key and audience, so naming another type gains nothing.
    if (readHeader(token).typ === TOKEN_TYPE) {
      const { agent, credential, session, expiresAt } = await tokens.verifyToken(token, now)
      return { principal: agentOf(credential, agent, session), expiresAt }
    }
    const { expiresAt } = await tokens.verifyOperator(token, now)
    return { principal: { kind: 'person', id: operator, session: tokens.operatorKeyId }, expiresAt }
  }

  return async (bearer) => {
    const now = clock.now()
    if (bearer.length > MAX_BEARER) throw new Fault('UNAUTHENTICATED', 'the credential is too long to be one')
    if (bearer.startsWith('eph_')) return bySecret(bearer)
    if (bearer.startsWith('eps_')) return bySession(bearer, now)
    const key = hashSecret(bearer)
    const seen = verified.get(key)
    if (seen && now >= seen.expiresAt) {
      verified.delete(key)
      throw new Fault('TOKEN_EXPIRED', 'it expired')
    }
    if (seen?.principal.kind === 'agent') agentOf(seen.principal.credential, seen.principal.id, undefined)
    if (seen) return seen.principal
    const entry = await verify(bearer, now)
    verified.set(key, entry)
    return entry.principal
  }
}
