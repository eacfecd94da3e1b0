/** When a server that failed is tried again: exponential, with jitter so that many of them do not return in step. */

export type Failures = { count: number; retryAt: number }

/** The state after one more failure. `random` is in [0, 1); the pause is 50 to 100 % of the exponential one. */
export function afterFailure(before: Failures | undefined, now: number, random: number, baseMs: number, maxMs: number): Failures {
  const count = (before?.count ?? 0) + 1
  const full = Math.min(maxMs, baseMs * 2 ** Math.min(count - 1, 30))
  return { count, retryAt: now + Math.round(full * (0.5 + random / 2)) }
}
