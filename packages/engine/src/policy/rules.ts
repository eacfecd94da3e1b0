/** From what is satisfied to a decision: hard forbids deny, nothing permitted denies, soft forbids hold, anything broken denies. */
import type { CompiledPolicy } from './compile-policy.ts'
import { mergeObligations } from './merge-obligations.ts'
import type { Ask, Decision, GivenApproval, Obligation, Reason } from './types.ts'

/** What the engine found: ids of the policies that are satisfied, forbids included, and of those that failed. */
export type Found = { satisfied: readonly string[]; errors: readonly { policy: string }[] }

const reasonOf = ({ id, reason }: CompiledPolicy): Reason => ({ policy: id, text: reason })

/** What a decision is pinned to, and what is known of it before any policy has spoken. */
export type Pins = Pick<Decision, 'version' | 'world' | 'risk' | 'mode'>

function deny(pins: Pins, fault: Extract<Decision, { effect: 'deny' }>['fault'], reasons: Reason[], detail: string): Decision {
  return { ...pins, effect: 'deny', fault, detail, reasons }
}

const sentence = (reasons: readonly Reason[]) => reasons.map(({ text }) => text).join(' ')

/** The soft forbids whose asks are answered: by as many different people as each wants. */
export function answeredBy(approvals: readonly GivenApproval[], policies: ReadonlyMap<string, CompiledPolicy>): Set<string> {
  const voters = new Map<string, Set<string>>()
  for (const { by, policies: ids } of approvals) {
    for (const id of ids) voters.set(id, new Set([...(voters.get(id) ?? []), ...by]))
  }
  return new Set([...voters].filter(([id, people]) => people.size >= (policies.get(id)?.ask?.quorum ?? Infinity)).map(([id]) => id))
}

/**
 * The algebra, in this order: any error denies; any satisfied hard forbid denies; no satisfied permit denies; any
 * satisfied soft forbid that no approval answers holds, with the asks of all of them; else it is permitted, with the
 * obligations of every satisfied permit. An approval answers exactly the soft forbids that it names, and no hard one.
 */
export function conclude(found: Found, policies: ReadonlyMap<string, CompiledPolicy>, answered: ReadonlySet<string>, pins: Pins): Decision {
  if (found.errors.length > 0) {
    const failed = [...new Set(found.errors.map(({ policy }) => policy))].toSorted()
    const reasons = failed.map((policy) => ({ policy, text: `The policy ${policy} could not be evaluated.` }))
    return deny(pins, 'POLICY_ERROR', reasons, sentence(reasons))
  }
  const satisfied = [...new Set(found.satisfied)]
    .map((id) => policies.get(id))
    .filter((policy) => policy !== undefined)
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const hard = satisfied.filter(({ effect, ask }) => effect === 'forbid' && !ask)
  if (hard.length > 0) {
    const reasons = hard.map(reasonOf)
    return deny(pins, 'POLICY_DENIED', reasons, sentence(reasons))
  }
  const permits = satisfied.filter(({ effect }) => effect === 'permit')
  if (permits.length === 0) return deny(pins, 'POLICY_NO_PERMIT', [], 'No policy permits this.')
  const unknown = permits.filter(({ unknownObligation }) => unknownObligation)
  if (unknown.length > 0) {
    const reasons = unknown.map(({ id }) => ({ policy: id, text: `The policy ${id} asks for an obligation that is not known.` }))
    return deny(pins, 'OBLIGATION_UNKNOWN', reasons, sentence(reasons))
  }
  const obligations = mergeObligations(
    permits.flatMap(({ id, obligations: terms }) => terms.map((term): Obligation => ({ ...term, policy: id }))),
  )
  const soft = satisfied.filter(({ id, ask }) => ask && !answered.has(id))
  if (soft.length > 0) {
    const asks = soft.map(({ id, reason, ask }): Ask => ({ quorum: 1, ...ask, policy: id, reason }))
    return { ...pins, effect: 'hold', reasons: soft.map(reasonOf), asks, obligations }
  }
  return { ...pins, effect: 'permit', reasons: permits.map(reasonOf), obligations }
}
