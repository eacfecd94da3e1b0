/** What other replicas permit counts here too: a session's calls, and the rate limits, with the lag of the news. */
import type { Entry } from '@ephor/engine/ledger'
import type { Obligation } from '@ephor/engine/policy'
import type { Context } from './context.ts'

/** The parts of a sealed decision that are counted; see `decisionEntry` in seal.ts. */
type Sealed = { effect: string; at: string; session: string; principal: { id: string }; obligations?: Obligation[] }

export function follow({ sessions, limits }: Pick<Context, 'sessions' | 'limits'>, { body }: Entry): void {
  // Decisions about other enforcement points' applications have no session of ours.
  if (body['type'] !== 'decision' || typeof body['session'] !== 'string') return
  const { effect, at, session, principal, obligations = [] } = body as unknown as Sealed
  if (effect !== 'permit') return
  sessions.forget(session)
  limits.reserve(principal.id, obligations, Date.parse(at))
}
