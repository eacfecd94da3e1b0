/** From what is satisfied to a decision: hard forbids deny, nothing permitted denies, soft forbids hold, anything broken denies. */
import { mergeObligations } from './annotations.ts'
import type { Evaluation } from './cedar-thread.ts'
import type { CompiledPolicy } from './compile-policy.ts'
import type { Ask, Decision, GivenApproval, Obligation, Reason } from './types.ts'

const reasonOf = ({ id, reason }: CompiledPolicy): Reason => ({ policy: id, text: reason })

/** What a decision is pinned to: the policy texts and the world. */
export type Pins = Pick<Decision, 'version' | 'world'>

function deny(pins: Pins, fault: Extract<Decision, { effect: 'deny' }>['fault'], reasons: Reason[], detail: string): Decision {
  return { ...pins, effect: 'deny', fault, detail, reasons }
}

const sentence = (reasons: readonly Reason[]) => reasons.map(({ text }) => text).join(' ')

/**
 * The algebra, in this order: any error denies; any satisfied hard forbid denies; no satisfied permit denies; any
 * satisfied soft forbid that no approval answers holds; else it is permitted, with the obligations of every satisfied
 * permit. An approval answers exactly the soft forbids that it names, and no hard one.
 */
export function conclude(
  evaluation: Evaluation,
  policies: ReadonlyMap<string, CompiledPolicy>,
  approvals: readonly GivenApproval[],
  pins: Pins,
): Decision {
  if (evaluation.errors.length > 0) {
    const reasons = evaluation.errors.map(({ policy }) => ({ policy, text: `The policy ${policy} could not be evaluated.` }))
    return deny(pins, 'POLICY_ERROR', reasons, sentence(reasons))
  }
  const satisfied = evaluation.satisfied
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
  const answered = new Set(approvals.filter(({ by }) => by.length > 0).flatMap((approval) => approval.policies))
  const soft = satisfied.filter(({ id, ask }) => ask && !answered.has(id))
  if (soft.length > 0) {
    const asks = soft.map(({ id, reason, ask }): Ask => ({ policy: id, reason, ...ask, quorum: 1 }))
    return { ...pins, effect: 'hold', reasons: soft.map(reasonOf), asks, obligations }
  }
  return { ...pins, effect: 'permit', reasons: permits.map(reasonOf), obligations }
}
