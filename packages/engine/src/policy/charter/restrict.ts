/** What the charter adds to a decision of the policies: modes of autonomy and risk appetite. It only ever takes away. */
import type { Ask, Autonomy, Decision, GivenApproval, Reason, RiskScore } from '../types.ts'
import type { Charge } from './charges.ts'
import type { Charter } from './charter.ts'
import { reaches } from './score-risk.ts'

/** Whose call of what. */
export type Actor = {
  /** `agt_…` */
  agent: string
  groups: readonly string[]
  /** The action and all its groups. */
  actions: ReadonlySet<string>
}

/** What of a call the charter judges by. `charges`: a sentence where what the call takes of a budget can't be told. */
export type Judged = {
  mode: Autonomy
  isRead: boolean
  risk: RiskScore
  charges: readonly Charge[] | string
  approvals: readonly GivenApproval[]
}

// No Cedar policy can be called so: their names have a slash, and no number sign before it.
const AUTONOMY = 'charter.yaml#autonomy'
const APPETITE = 'charter.yaml#appetite'

const STRICTEST: readonly Autonomy[] = ['observe', 'confirm-each', 'confirm-risky', 'autonomous']

/** True when a list of `agt_…` and `group:…` names the agent; an absent list names all. */
export function namesAgent(named: readonly string[] | undefined, { agent, groups }: Pick<Actor, 'agent' | 'groups'>): boolean {
  return named === undefined || named.some((one) => one === agent || (one.startsWith('group:') && groups.includes(one.slice(6))))
}

/** Of the rules that fit, the strictest; the default where none does. */
export function modeOf({ autonomy }: Charter, actor: Actor): Autonomy {
  const modes = autonomy.rules
    .filter(({ agents, actions }) => namesAgent(agents, actor) && (actions === undefined || actions.some((one) => actor.actions.has(one))))
    .map(({ mode }) => mode)
  return STRICTEST.find((mode) => modes.includes(mode)) ?? autonomy.default
}

/** What the charter refuses whoever approves. */
function refusalOf({ appetite }: Charter, { mode, isRead, risk }: Judged): Reason | undefined {
  if (mode === 'observe' && !isRead) return { policy: AUTONOMY, text: 'This agent only observes: it may read, and nothing else.' }
  if (appetite.refuse !== undefined && reaches(risk.tier, appetite.refuse))
    return { policy: APPETITE, text: `The risk of this call is ${risk.tier} (${risk.score} points), which the charter does not take.` }
  return undefined
}

function askOf({ appetite, autonomy }: Charter, { mode, risk }: Judged): Ask | undefined {
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
export function restrict(decision: Decision, charter: Charter, judged: Judged): Decision {
  if (decision.effect === 'deny') return decision
  const { version, world } = decision
  const { charges, approvals } = judged
  const refusal = refusalOf(charter, judged)
  if (refusal) return { version, world, effect: 'deny', fault: 'POLICY_DENIED', detail: refusal.text, reasons: [refusal] }
  if (typeof charges === 'string') return { version, world, effect: 'deny', fault: 'BUDGET_UNCOUNTABLE', detail: charges, reasons: [] }
  const ask = askOf(charter, judged)
  if (!ask || isAnswered(ask, approvals)) return decision.effect === 'permit' && charges.length > 0 ? { ...decision, charges } : decision
  const reason = { policy: ask.policy, text: ask.reason }
  const { obligations } = decision
  if (decision.effect === 'permit') return { version, world, effect: 'hold', reasons: [reason], asks: [ask], obligations }
  return { version, world, effect: 'hold', reasons: [...decision.reasons, reason], asks: [...decision.asks, ask], obligations }
}
