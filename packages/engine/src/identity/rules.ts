/** How long what people sign in with is good for. */

/** A sign-in link: long enough to copy it over, short enough to be worthless in a log. */
export const LINK_MS = 10 * 60_000
/** A session, whatever is done in it. */
export const SESSION_MS = 12 * 3_600_000
/** A session in which nothing is done. */
const IDLE_MS = 3_600_000

export function sessionEnded(session: { expiresAt: number; seenAt: number }, now: number): boolean {
  return now >= session.expiresAt || now - session.seenAt >= IDLE_MS
}
