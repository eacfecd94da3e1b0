/** What the broker will seal: policy's decision, after the approval it may have asked for. */
import type { FaultCode } from '@ephor/contract'
import type { Approval } from '@ephor/engine/approvals'
import type { Charge, Spend } from '@ephor/engine/budgets'
import type { Part } from '@ephor/engine/ledger'
import type { Decision, Obligation, PolicyRequest, Reason, RiskScore } from '@ephor/engine/policy'

/** So that the same question can be asked again and compared. */
export type Answer = { question: PolicyRequest; decision: Decision }

type Common = {
  reasons: readonly Reason[]
  /** Digest of the policy bundle that decided; undefined where none was asked. */
  policy: string | undefined
  /** Digest of the entities and the schema that it was decided with. */
  world: string | undefined
  risk?: RiskScore | undefined
  /** The approval that this call opened, waits for, used, or was refused by. */
  approval: Approval | undefined
  /** What policy was asked last, and what it said; absent where it was not asked. */
  answer?: Answer | undefined
  /** What must be written in the same unit: the approval opened or spent. */
  part?: Part | undefined
}

export type Verdict =
  /** `spends`: what the charges come to in this unit. */
  | (Common & { effect: 'permit'; obligations: readonly Obligation[]; charges: readonly Charge[]; spends?: readonly Spend[] })
  | (Common & { effect: 'hold' })
  /** `wait`: refused for now, until an operator has looked at something. */
  | (Common & { effect: 'deny' | 'wait'; fault: FaultCode; detail: string })

/**
 * @param decision anything but a hold
 * @param question what it answers
 */
export function toVerdict(decision: Exclude<Decision, { effect: 'hold' }>, question: PolicyRequest): Verdict {
  const { reasons, version: policy, world, risk } = decision
  const answer = { question, decision }
  const common = { reasons, policy, world, risk, approval: undefined, answer }
  if (decision.effect === 'permit') {
    const { obligations, charges = [] } = decision
    return { ...common, effect: 'permit', obligations, charges }
  }
  const detail = reasons.length > 0 ? reasons.map(({ text }) => text).join('; ') : decision.detail
  return { ...common, effect: 'deny', fault: decision.fault, detail }
}
