/** Time and randomness as arguments, so that rules stay pure and tests can hold the clock. */
import { randomBytes } from 'node:crypto'
import { makeId } from '@ephor/contract'
import type { IdPrefix } from '@ephor/contract'

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** A fresh opaque id. */
  id(prefix: IdPrefix): string
}

export const systemClock: Clock = {
  now: () => Date.now(),
  id: (prefix) => makeId(prefix, Date.now(), randomBytes(10)),
}

/** RFC 3339 in UTC with milliseconds: the one form of time in bodies and answers. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
