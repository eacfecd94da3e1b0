/** Time and randomness as arguments, so that rules stay pure and tests can hold the clock. */
import { makeId } from '@ephor/contract'
import type { IdPrefix } from '@ephor/contract'
import { freshBytes } from './fresh-bytes.ts'

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** A fresh opaque id. */
  id(prefix: IdPrefix): string
}

export const systemClock: Clock = {
  now: () => Date.now(),
  id: (prefix) => makeId(prefix, Date.now(), freshBytes(10)),
}

const written = new Map<number, string>()
const MAX_WRITTEN = 256

/** RFC 3339 in UTC with milliseconds: the one form of time in bodies and answers. */
export function isoTime(ms: number): string {
  // Many entries share a millisecond, and many permits a deadline.
  let text = written.get(ms)
  if (text === undefined) {
    text = new Date(ms).toISOString()
    if (written.size >= MAX_WRITTEN) written.clear()
    written.set(ms, text)
  }
  return text
}
