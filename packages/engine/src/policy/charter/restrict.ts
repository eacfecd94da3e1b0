/** What the charter adds to a decision of the policies: modes of autonomy and risk appetite. It only ever takes away. */
import type { Ask, Decision, GivenApproval, Reason } from '../types.ts'
import type { Assessment } from './assess.ts'
import type { Charter } from './charter.ts'
import { reaches } from './score-risk.ts'

// No Cedar policy can be called so: their names have a slash, and no number sign before it.
const AUTONOMY = 'charter.yaml#autonomy'
const APPETITE = 'charter.yaml#appetite'
/** What the charter's own asks are called among those that are answered. */
export const CHARTER_ASKS: readonly string[] = [AUTONOMY, APPETITE]

/** What the charter refuses whoever approves. */
function refusalOf({ appetite }: Charter, { mode, isRead, risk }: Assessment): Reason | undefined {
  if (mode === 'observe' && !isRead) return { policy: AUTONOMY, text: 'This agent only observes: it may read, and nothing else.' }
  if (appetite.refuse !== undefined && reaches(risk.tier, appetite.refuse))
    return { policy: APPETITE, text: `The risk of this call is ${risk.tier} (${risk.score} points), which the charter does not take.` }
  return undefined
}

function askOf({ appetite, autonomy }: Charter, { mode, risk }: Assessment): Ask | undefined {
  const { group, quorum, deadline } = autonomy.confirm
  const how = { quorum, ...(group === undefined ? {} : { group }), ...(deadline === undefined ? {} : { deadlineMs: deadline }) }
  if (mode === 'confirm-each') return { policy: AUTONOMY, reason: 'A person confirms each call of this agent.', ...how }
  if (mode === 'confirm-risky' && appetite.confirm !== undefined && reaches(risk.tier, appetite.confirm))
    return { policy: APPETITE, reason: `A person confirms calls whose risk is ${risk.tier} (${risk.score} points).`, ...how }
  return undefined
}

/** By as many different people as it wants. */
function isAnswered({ policy, quorum }: Ask, approvals: readonly GivenApproval[]): boolean {
  return new Set(approvals.filter(({ policies }) => policies.includes(policy)).flatMap(({ by }) => by)).size >= quorum
}

/**
 * A denial stays one, a hold stays one unless the charter refuses, and a permit stays one unless the charter refuses or
 * asks: so whatever a charter says, nothing that the policies refuse or hold runs because of it.
 */
export function restrict(decision: Decision, charter: Charter, assessment: Assessment, approvals: readonly GivenApproval[]): Decision {
  const { risk, mode, charges } = assessment
  const pins = { version: decision.version, world: decision.world, risk, mode }
  if (decision.effect === 'deny') return { ...decision, risk, mode }
  const refusal = refusalOf(charter, assessment)
  if (refusal) return { ...pins, effect: 'deny', fault: 'POLICY_DENIED', detail: refusal.text, reasons: [refusal] }
  if (typeof charges === 'string') return { ...pins, effect: 'deny', fault: 'BUDGET_UNCOUNTABLE', detail: charges, reasons: [] }
  const ask = askOf(charter, assessment)
  if (!ask || isAnswered(ask, approvals)) {
    return decision.effect === 'permit' && charges.length > 0 ? { ...decision, risk, mode, charges } : { ...decision, risk, mode }
  }
  const reason = { policy: ask.policy, text: ask.reason }
  const { obligations } = decision
  if (decision.effect === 'permit') return { ...pins, effect: 'hold', reasons: [reason], asks: [ask], obligations }
  return { ...pins, effect: 'hold', reasons: [...decision.reasons, reason], asks: [...decision.asks, ask], obligations }
}
