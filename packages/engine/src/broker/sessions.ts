/** What each session did so far: asked of the record once, then counted along within bounds. */
import type { Decisions } from './store.ts'

/** Sessions that are remembered; beyond them, the record is asked again. */
const MAX_SESSIONS = 20_000

/** `calls`: permitted in it. `startedAt`: its first call, ms. */
export type SessionPast = { calls: number; startedAt: number }

export interface Sessions {
  /** Before the call that is asked about now. @param session the digest of its name */
  past(session: string, now: number): Promise<SessionPast>
  /** A permit was sealed. */
  permitted(session: string): void
  /** Another replica permitted a call of it: the record is asked again. */
  forget(session: string): void
}

export function makeSessions(decisions: Pick<Decisions, 'sessionPast'>): Sessions {
  // The promise is kept, so that calls at once share one look: each then counts what is sealed after it.
  const known = new Map<string, Promise<SessionPast>>()

  async function look(session: string, now: number): Promise<SessionPast> {
    try {
      const { calls, startedAt } = await decisions.sessionPast(session)
      return { calls, startedAt: startedAt ?? now }
    } catch (error) {
      known.delete(session)
      throw error
    }
  }

  return {
    async past(session, now) {
      let found = known.get(session)
      if (!found) {
        if (known.size >= MAX_SESSIONS) known.clear()
        known.set(session, (found = look(session, now)))
      }
      return { ...(await found) }
    },
    permitted(session) {
      void known.get(session)?.then((past) => past.calls++)
    },
    forget: (session) => void known.delete(session),
  }
}
