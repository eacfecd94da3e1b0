/** What Cedar itself does not check in a policy: its annotations, its name, and the entities that it names. */
import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { ANNOTATIONS, parseApproval, parseObligations } from './annotations.ts'
import { nearest } from './nearest.ts'
import type { PolicyWorld } from './types.ts'

export type Remark = { code: string; severity: 'error' | 'warning'; message: string; suggestion?: string; about: string }

const MAX_REASON = 500

const error = (about: string, message: string, suggestion?: string): Remark => ({
  code: 'ANNOTATION_INVALID',
  severity: 'error',
  message,
  about,
  ...(suggestion === undefined ? {} : { suggestion }),
})

function checkKnown(name: string, value: string, effect: PolicyJson['effect']): Remark | undefined {
  const about = `@${name}`
  if (name === 'id' && !/^[A-Za-z0-9][\w.-]{0,63}$/.test(value))
    return error(about, `"${value}" is not a name for a policy: letters, digits, . _ -`)
  if (name === 'reason' && value.length > MAX_REASON) return error(about, `the reason is longer than ${MAX_REASON} characters`)
  if (name === 'approval') {
    if (effect === 'permit') return error(about, '@approval belongs on a forbid: it makes the forbid one that people can lift')
    const terms = parseApproval(value)
    return typeof terms === 'string' ? error(about, terms) : undefined
  }
  if (name !== 'obligation') return undefined
  if (effect === 'forbid') return error(about, '@obligation belongs on a permit: it is what the permit is tied to')
  const terms = parseObligations(value)
  return typeof terms === 'string' ? error(about, terms) : undefined
}

export function checkAnnotations({ annotations = {}, effect }: PolicyJson): Remark[] {
  const remarks: Remark[] = []
  for (const [name, value] of Object.entries(annotations)) {
    if (!ANNOTATIONS.includes(name as never)) {
      const near = nearest(name, ANNOTATIONS)
      const known = ANNOTATIONS.map((one) => `@${one}`).join(', ')
      remarks.push(error(`@${name}`, `@${name} means nothing here: there are ${known}`, near && `did you mean @${near}?`))
      continue
    }
    const remark = checkKnown(name, value ?? '', effect)
    if (remark) remarks.push(remark)
  }
  if (!annotations.reason?.trim()) {
    const suggestion = 'add @reason("…"): it is what people and agents are shown'
    remarks.push({ code: 'REASON_MISSING', severity: 'warning', message: 'the policy gives no reason', suggestion, about: '' })
  }
  return remarks
}

/** Cedar checks the types of the entities that a policy names, not that they exist. */
export function checkEntities(named: Iterable<{ type: string; id: string }>, world: PolicyWorld): Remark[] {
  const known: Record<string, string[]> = { Agent: world.agents.map(({ id }) => id), ToolServer: world.servers.map(({ name }) => name) }
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
      about: JSON.stringify(id),
    })
  }
  return remarks
}
