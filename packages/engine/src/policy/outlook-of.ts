/** What calls can come to before their arguments and circumstances are known: the one effect they all have, or that it depends. */
import { evaluate, recordOf } from '@ephor/cedar'
import type { Entities, EntityUid, PolicyJson, PolicySet } from '@ephor/cedar'
import type { Charter } from './charter/charter.ts'
import type { CompiledPolicy } from './compile-policy.ts'
import type { Autonomy, Decision } from './types.ts'

type Effect = Decision['effect']

export type Outlook = {
  /** What it always comes to; `depends` where arguments, circumstances or approvals given decide. */
  effect: Effect | 'depends'
  /** All that it can come to before anybody has approved anything. */
  possible: readonly Effect[]
  /** Policies that are satisfied whatever is asked, and what of the charter decides. */
  because: readonly string[]
  /** Policies, and parts of the charter, whose word depends on the call. */
  dependsOn: readonly string[]
}

export type OutlookQuestion = {
  set: PolicySet
  entities: Entities
  /** Those whose scope covers the three. */
  covering: readonly CompiledPolicy[]
  principal: EntityUid
  action: EntityUid
  resource: EntityUid
  charter: Charter
  mode: Autonomy
  isRead: boolean
}

const EFFECTS: readonly Effect[] = ['permit', 'hold', 'deny']

/** A text that looks like it only makes a policy depend on the call that doesn't: then less is claimed. */
function looksAtContext({ conditions }: PolicyJson): boolean {
  const text = JSON.stringify(conditions, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
  return text.includes('"Var":"context"')
}

function possibleOf(certain: readonly CompiledPolicy[], open: readonly CompiledPolicy[]): Set<Effect> {
  const isHard = ({ effect, ask }: CompiledPolicy) => effect === 'forbid' && !ask
  const isPermit = ({ effect }: CompiledPolicy) => effect === 'permit'
  const isSoft = ({ ask }: CompiledPolicy) => ask !== undefined
  const permits = certain.filter(isPermit)
  const broken = permits.some(({ unknownObligation }) => unknownObligation)
  if (certain.some(isHard) || broken || !(permits.length > 0 || open.some(isPermit))) return new Set(['deny'])
  const possible = new Set<Effect>()
  if (open.some(isHard) || permits.length === 0) possible.add('deny')
  if (certain.some(isSoft) || open.some(isSoft)) possible.add('hold')
  if (!certain.some(isSoft)) possible.add('permit')
  return possible
}

/** What the charter can make of it besides. @returns the parts of the charter that matter, and whether they always do */
function addCharter(possible: Set<Effect>, { charter, mode, isRead }: OutlookQuestion): { always: string[]; sometimes: string[] } {
  const { appetite, budgets } = charter
  if (mode === 'observe' && !isRead) {
    possible.clear()
    possible.add('deny')
    return { always: ['charter.yaml#autonomy'], sometimes: [] }
  }
  const always: string[] = []
  const sometimes: string[] = []
  if (mode === 'confirm-each' && possible.delete('permit')) {
    possible.add('hold')
    always.push('charter.yaml#autonomy')
  }
  if (!possible.has('permit') && !possible.has('hold')) return { always, sometimes }
  const confirms = appetite.confirm !== undefined && mode === 'confirm-risky' && possible.has('permit')
  if (confirms) possible.add('hold')
  if (appetite.refuse !== undefined) possible.add('deny')
  if (confirms || appetite.refuse !== undefined) sometimes.push('charter.yaml#appetite')
  if (Object.values(budgets).some(({ measure }) => measure === 'money')) {
    // Where the amount of a call can't be told, it is refused.
    possible.add('deny')
    sometimes.push('charter.yaml#budgets')
  }
  return { always, sometimes }
}

export function outlookOf(question: OutlookQuestion): Outlook {
  const { set, entities, covering, principal, action, resource } = question
  const open = covering.filter(({ json }) => looksAtContext(json))
  const fixed = covering.filter((policy) => !open.includes(policy))
  const only = new Set(fixed.map(({ id }) => id))
  const { permits, forbids, errors } = evaluate(set, entities, { principal, action, resource, context: recordOf([]) }, { only })
  if (errors.length > 0) return { effect: 'deny', possible: ['deny'], because: errors.map(({ policy }) => policy), dependsOn: [] }
  const satisfied = new Set([...permits, ...forbids])
  const certain = fixed.filter(({ id }) => satisfied.has(id))
  const possible = possibleOf(certain, open)
  const told = possible.size === 1 && possible.has('deny') ? [] : open.map(({ id }) => id)
  const { always, sometimes } = addCharter(possible, question)
  const [first, second] = EFFECTS.filter((effect) => possible.has(effect))
  const settled = first !== undefined && second === undefined
  return {
    effect: settled ? first : 'depends',
    possible: EFFECTS.filter((effect) => possible.has(effect)),
    because: [...certain.map(({ id }) => id), ...always].toSorted(),
    dependsOn: settled ? [] : [...told, ...sometimes].toSorted(),
  }
}
