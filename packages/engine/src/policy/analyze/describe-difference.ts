/** Differences in words: the same change in several classes of requests is told once, with all their actions. */
import type { WorldSchema } from '../make-schema.ts'
import type { Side } from './diff-policies.ts'
import { printConditions } from './print-policy.ts'
import type { EncodedClass } from './request-classes.ts'
import type { Difference, Effect, Witness } from './types.ts'

/** Requests that one version decides otherwise, told apart by the changed policies that speak on them. */
export type Found = { from: Effect; to: Effect; of: EncodedClass; speaking: readonly Side[]; witness: Witness }

const NAMES: Record<string, string> = {
  'deny permit': 'newly permitted',
  'hold permit': 'permitted without asking',
  'deny hold': 'newly held',
  'permit hold': 'no longer permitted without asking',
  'permit deny': 'newly refused',
  'hold deny': 'refused instead of held',
}
const MAX_ACTIONS = 4

/** A group where the actions are all of its members; else their names. */
function actionsText(actions: readonly string[], schema: WorldSchema): string {
  const among = new Set(actions)
  const groups = new Map<string, number>()
  for (const { groups: of } of schema.actions.values()) for (const group of of) groups.set(group, (groups.get(group) ?? 0) + 1)
  for (const [group, size] of groups) {
    const inside = actions.filter((id) => schema.actions.get(id)?.groups.includes(group)).length
    if (size > 1 && inside === size && inside === among.size) return `every action in ${group}`
  }
  if (actions.length === 1) return `action ${actions[0]}`
  const more = actions.length - MAX_ACTIONS
  return `actions ${actions.slice(0, MAX_ACTIONS).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** The request beside it, as far as it is not ordinary. */
function exampleText({ principal, resource, context, entities }: Witness): string {
  const { input, paths, onBehalfOf, approvals } = context
  const parts = Object.entries({ input, paths, onBehalfOf }).filter(([, value]) => value !== undefined && JSON.stringify(value) !== '{}')
  if (Array.isArray(approvals) && approvals.length > 0) parts.push(['approvals', approvals])
  const teams = entities.find(({ uid }) => 'id' in uid && uid.id === principal.id)?.parents ?? []
  if (teams.length > 0) parts.push(['in', teams.map((uid) => ('id' in uid ? `${uid.type} ${uid.id}` : ''))])
  const details = parts.map(([name, value]) => `${name} ${JSON.stringify(value)}`).join(', ')
  return `${principal.type} ${principal.id} on ${resource.type} ${resource.id}${details === '' ? '' : ` with ${details}`}`
}

/** The changed policies that speak, and what the same policy said in the other version. */
function becauseOf(speaking: readonly Side[], sides: readonly Side[]): Difference['because'] {
  const speaksTwice = ({ named, version }: Side) => speaking.some((one) => one.named === named && one.version !== version)
  // Where a policy says the same in both versions, it is not what makes the difference.
  const different = speaking.some((side) => !speaksTwice(side)) ? speaking.filter((side) => !speaksTwice(side)) : speaking
  return different.flatMap((side) => {
    const entry = ({ named, version, json }: Side, holds: boolean) => ({ policy: named, version, holds, condition: printConditions(json) })
    const other = sides.find(({ named, version, changed }) => changed && named === side.named && version !== side.version)
    return [entry(side, true), ...(other && !speaking.includes(other) ? [entry(other, false)] : [])]
  })
}

function becauseText(because: Difference['because'], sides: readonly Side[]): string {
  const parts = because.map(({ policy, version, holds, condition }) => {
    const side = sides.find((one) => one.named === policy && one.version === version)
    const inBoth = sides.some((one) => one.named === policy && one.version !== version)
    const what = side?.ask ? 'the ask' : `the ${side?.effect ?? 'policy'}`
    const when = version === 'from' ? (inBoth ? 'as it was' : 'removed') : inBoth ? 'as it is now' : 'new'
    const says = condition === '' ? 'applies to all' : holds ? `applies when ${condition}` : `does not: ${condition}`
    return `${what} ${policy} (${when}) ${says}`
  })
  return parts.join('; ')
}

const describe = (found: Omit<Difference, 'text'>, sides: readonly Side[], schema: WorldSchema): string => {
  const { from, to, principal, actions, because, witness } = found
  const title = NAMES[`${from} ${to}`] ?? `${from} becomes ${to}`
  const reason = because.length > 0 ? `; ${becauseText(because, sides)}` : ''
  return `${title}: ${principal}, ${actionsText(actions, schema)}${reason}; for example: ${exampleText(witness)}`
}

export function merge(found: readonly Found[], sides: readonly Side[], schema: WorldSchema): Difference[] {
  const merged = new Map<string, Omit<Difference, 'text' | 'actions'> & { actions: string[] }>()
  for (const { from, to, of, speaking, witness } of found) {
    const key = JSON.stringify([from, to, of.encoder.of.principalType, speaking.map(({ id }) => id)])
    const known = merged.get(key)
    if (known) known.actions.push(...of.actions)
    else {
      const principal = of.encoder.of.principalType === 'Agent' ? 'any agent' : `any ${of.encoder.of.principalType}`
      merged.set(key, { from, to, principal, actions: [...of.actions], because: becauseOf(speaking, sides), witness })
    }
  }
  return [...merged.values()].map((one) => ({ ...one, text: describe(one, sides, schema) }))
}
