/** Why a call is decided as it is: every policy that covers it with what its conditions saw, the others by name, the risk and the budgets. */
import { printConditions } from '../analyze/print-policy.ts'
import type { BudgetTerms } from '../charter/charges.ts'
import type { CompiledPolicy } from '../compile-policy.ts'
import type { OpenBundle } from '../open-bundle.ts'
import type { Decision, PolicyRequest } from '../types.ts'

export type ConditionExplained = {
  kind: 'when' | 'unless'
  text: string
  /** Whether it let the policy pass; undefined where one before it did not. */
  held?: boolean
  reads: readonly { path: string; value: unknown }[]
}
export type PolicyExplained = {
  policy: string
  effect: 'permit' | 'forbid' | 'hold'
  file: string
  line: number
  reason: string
  outcome: 'satisfied' | 'unsatisfied' | 'error'
  error?: string
  conditions: ConditionExplained[]
}
export type CallExplained = {
  request: PolicyRequest
  decision: Decision
  policies: PolicyExplained[]
  /** Policies that are about other agents, tools or servers. */
  elsewhere: string[]
  budgets: (BudgetTerms & { used?: number; left?: number })[]
}

const ANY = { op: 'All' } as const

/** One condition as text, without what stands before it. */
const conditionText = ({ json }: CompiledPolicy, index: number): string => {
  const condition = json.conditions[index]
  return condition ? printConditions({ ...json, principal: ANY, resource: ANY, conditions: [{ ...condition, kind: 'when' }] }) : ''
}

function budgetsOf(bundle: OpenBundle, { principal, action, facts }: PolicyRequest): CallExplained['budgets'] {
  return bundle.budgets(principal.id, action).map((terms) => {
    const use = facts.budgets && Object.hasOwn(facts.budgets, terms.budget) ? facts.budgets[terms.budget] : undefined
    return use ? { ...terms, used: use.used, left: use.left } : terms
  })
}

export function explainCall(bundle: OpenBundle, request: PolicyRequest): CallExplained {
  const { decision, policies } = bundle.explain(request)
  const explained = policies.flatMap(({ policy: id, outcome, error, conditions }): PolicyExplained[] => {
    const policy = bundle.policies.get(id)
    if (!policy) return []
    const { effect, ask, file, line, reason } = policy
    return [
      {
        policy: id,
        effect: ask ? 'hold' : effect,
        file,
        line,
        reason,
        outcome,
        ...(error ? { error: error.message } : {}),
        conditions: conditions.map(({ kind, held, reads }, i) => ({
          kind,
          text: conditionText(policy, i),
          ...(held === undefined ? {} : { held }),
          reads,
        })),
      },
    ]
  })
  const covering = new Set(explained.map(({ policy }) => policy))
  const elsewhere = [...bundle.policies.keys()].filter((id) => !covering.has(id)).toSorted()
  return { request, decision, policies: explained, elsewhere, budgets: budgetsOf(bundle, request) }
}
