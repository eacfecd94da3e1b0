/** The name of a data key: whose payloads it seals, of which class of retention, of which day; so that each part can be destroyed alone. */

/** `class` and `day` are undefined for a key made before keys had them: it sealed everything of its subject. */
export type KeyName = { subject: string; class?: string; day?: string }

const DAY_MS = 86_400_000

/** The class of the kinds of payload that the rules put into none. */
export const OTHER = 'other'

/** @param nonce makes the name one that was never used: a key that is destroyed does not come back under its name */
export function formatKeyName(subject: string, retentionClass: string, day: string, nonce: string): string {
  return `${subject}/${retentionClass}/${day}/${nonce}`
}

export function parseKeyName(name: string): KeyName {
  const match = /^(.+)\/([a-z][a-z0-9-]*)\/(\d{4}-\d{2}-\d{2})\/[\w-]+$/.exec(name)
  if (!match) return { subject: name }
  const [, subject = '', retentionClass = '', day = ''] = match
  return { subject, class: retentionClass, day }
}

/** `2026-01-31`, in UTC. @param ms since 1970 */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

/** ms since 1970. */
export function startOfDay(day: string): number {
  return Date.parse(`${day}T00:00:00.000Z`)
}

export function endOfDay(day: string): number {
  return startOfDay(day) + DAY_MS
}

/** Whole days from one day to another; negative when it lies before. */
export function daysBetween(from: string, to: string): number {
  return Math.round((startOfDay(to) - startOfDay(from)) / DAY_MS)
}
