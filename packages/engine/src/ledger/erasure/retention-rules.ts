/** Retention as data: which kinds of payload are kept how long, for whom; and which holds stop that. Pure. */
import { Fault } from '@ephor/contract'
import type { RetentionRules } from '@ephor/contract'
import { daysBetween, endOfDay, OTHER, startOfDay } from './key-name.ts'
import type { KeyName } from './key-name.ts'

/** Without a rule everything is kept. */
export const KEEP_ALL: RetentionRules = { classes: {}, jurisdictions: {}, rules: [] }

/** A hold that is in force. Times in ms since 1970; what is missing does not limit it. */
export type Hold = { id: string; subject?: string; since?: number; until?: number }

/** Facts about a subject that decide which rules fit. */
export type SubjectFacts = { tenant: string; groups: readonly string[] }

function invalid(detail: string): Fault {
  return new Fault('RETENTION_INVALID', detail)
}

/** @throws Fault RETENTION_INVALID for rules that contradict themselves or could never apply. */
export function checkRules({ classes, jurisdictions, rules }: RetentionRules): void {
  const classOf = new Map<string, string>()
  for (const [name, kinds] of Object.entries(classes)) {
    if (name === OTHER) throw invalid(`the class "${OTHER}" is for the kinds that no class names, and can't be declared`)
    for (const kind of kinds) {
      const other = classOf.get(kind)
      if (other !== undefined) throw invalid(`the kind "${kind}" is in the classes "${other}" and "${name}"`)
      classOf.set(kind, name)
    }
  }
  const all = rules.findIndex((rule) => rule.class === undefined && rule.jurisdiction === undefined && rule.tenant === undefined)
  for (const [i, rule] of rules.entries()) {
    if (rule.class !== undefined && rule.class !== OTHER && !Object.hasOwn(classes, rule.class))
      throw invalid(`rule ${i + 1} is about the class "${rule.class}", which is not declared`)
    if (rule.jurisdiction !== undefined && !Object.hasOwn(jurisdictions, rule.jurisdiction))
      throw invalid(`rule ${i + 1} is about the jurisdiction "${rule.jurisdiction}", which is not declared`)
    if (all >= 0 && i > all) throw invalid(`rule ${i + 1} never applies: rule ${all + 1} fits everything`)
  }
}

/** The class of each kind that the rules put into one. */
export function classesOf({ classes }: RetentionRules): ReadonlyMap<string, string> {
  return new Map(Object.entries(classes).flatMap(([name, kinds]) => kinds.map((kind) => [kind, name] as const)))
}

/** Days that what a key sealed is kept: the first rule that fits says so. Undefined: for ever. */
export function keptFor(rules: RetentionRules, key: KeyName, { tenant, groups }: SubjectFacts): number | undefined {
  // A key of before knows no class and no day: nothing tells when all of it is past.
  if (key.class === undefined) return undefined
  const rule = rules.rules.find((one) => {
    if (one.class !== undefined && one.class !== key.class) return false
    if (one.tenant !== undefined && one.tenant !== tenant) return false
    if (one.jurisdiction === undefined) return true
    const { subjects = [], groups: members = [] } = rules.jurisdictions[one.jurisdiction] ?? {}
    return subjects.includes(key.subject) || members.some((group) => groups.includes(group))
  })
  return rule === undefined || rule.keep === 'forever' ? undefined : Number(rule.keep.slice(0, -1))
}

/** Whether all that the key sealed is older than it is kept. @param today as `dayOf` gives it */
export function isPast(key: KeyName, kept: number | undefined, today: string): boolean {
  return kept !== undefined && key.day !== undefined && daysBetween(key.day, today) > kept
}

/** The first hold that covers something of what the key sealed. */
export function heldBy(holds: readonly Hold[], key: KeyName): Hold | undefined {
  return holds.find(({ subject, since, until }) => {
    if (subject !== undefined && subject !== key.subject) return false
    if (key.day === undefined) return true
    return (since === undefined || endOfDay(key.day) > since) && (until === undefined || startOfDay(key.day) <= until)
  })
}
