/** What Cedar itself does not check in a policy: its annotations, its name, and the entities that it names. */
import type { PolicyJson } from '@ephor/cedar'
import { ANNOTATIONS, isMistake, parseApproval, parseControls, parseObligations, parseSeverity } from './annotations.ts'
import type { Mistake } from './annotations.ts'
import { nearest } from './nearest.ts'
import type { PolicyWorld } from './types.ts'

/** `about`: texts that lead to the place, each looked for after the one before. */
export type Remark = { code: string; severity: 'error' | 'warning'; message: string; suggestion?: string; about: readonly string[] }

type Known = (typeof ANNOTATIONS)[number]

const MAX_REASON = 500

const wrong = (message: string, part = ''): Mistake => ({ message, part })

const ID = /^[A-Za-z0-9][\w.-]{0,63}$/

/** What each annotation may say, and where it may stand. */
const CHECKS: Record<Known, (value: string, effect: PolicyJson['effect']) => Mistake | undefined> = {
  id: (value) => (ID.test(value) ? undefined : wrong(`"${value}" is not a name for a policy: letters, digits, . _ -`, value)),
  reason: (value) => (value.length > MAX_REASON ? wrong(`the reason is longer than ${MAX_REASON} characters`) : undefined),
  approval(value, effect) {
    if (effect === 'permit') return wrong('@approval belongs on a forbid: it makes the forbid one that people can lift')
    return mistakeIn(parseApproval(value))
  },
  obligation(value, effect) {
    if (effect === 'forbid') return wrong('@obligation belongs on a permit: it is what the permit is tied to')
    return mistakeIn(parseObligations(value))
  },
  control: (value) => mistakeIn(parseControls(value)),
  owner: (value) =>
    ID.test(value) ? undefined : wrong(`"${value}" is not the name of an owner: a team, or the id of a person (per_…)`, value),
  severity: (value) => mistakeIn(parseSeverity(value)),
}

const mistakeIn = (parsed: object | string) => (typeof parsed === 'object' && isMistake(parsed) ? parsed : undefined)

function checkOne(name: string, value: string, effect: PolicyJson['effect']): Mistake | undefined {
  const known = ANNOTATIONS.find((one) => one === name)
  if (known) return CHECKS[known](value, effect)
  const near = nearest(name, ANNOTATIONS)
  const message = `@${name} means nothing here: there are ${ANNOTATIONS.map((one) => `@${one}`).join(', ')}`
  return { message, part: '', ...(near === undefined ? {} : { suggestion: `did you mean @${near}?` }) }
}

export function checkAnnotations({ annotations = {}, effect }: PolicyJson): Remark[] {
  const remarks: Remark[] = []
  for (const [name, value] of Object.entries(annotations)) {
    const mistake = checkOne(name, value ?? '', effect)
    if (!mistake) continue
    const { message, suggestion, part } = mistake
    const hint = suggestion === undefined ? {} : { suggestion }
    remarks.push({ code: 'ANNOTATION_INVALID', severity: 'error', message, ...hint, about: [`@${name}`, part] })
  }
  if (!annotations.reason?.trim()) {
    const suggestion = 'add @reason("…"): it is what people and agents are shown'
    remarks.push({ code: 'REASON_MISSING', severity: 'warning', message: 'the policy gives no reason', suggestion, about: [] })
  }
  return remarks
}

/** Cedar checks the types of the entities that a policy names, not that they exist. */
export function checkEntities(named: Iterable<{ type: string; id: string }>, world: PolicyWorld): Remark[] {
  const known: Record<string, string[]> = {
    Agent: world.agents.map(({ id }) => id),
    Person: (world.people ?? []).map(({ id }) => id),
    Service: (world.services ?? []).map(({ id }) => id),
    ToolServer: world.servers.map(({ name }) => name),
  }
  const remarks: Remark[] = []
  for (const { type, id } of named) {
    const ids = known[type]
    if (!ids || ids.includes(id)) continue
    const near = nearest(id, ids)
    remarks.push({
      code: 'ENTITY_UNKNOWN',
      severity: 'warning',
      message: `${type}::"${id}" is not registered`,
      ...(near === undefined ? {} : { suggestion: `did you mean ${type}::"${near}"?` }),
      about: [JSON.stringify(id)],
    })
  }
  return remarks
}
