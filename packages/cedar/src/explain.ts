/** Why a decision came out as it did: which conditions of which policies held, and the values that they saw. */
import { LIMITS } from './cedar-error.ts'
import { compileExpr } from './compile-expr.ts'
import type { Policy, PolicySet } from './compile-policies.ts'
import type { Entities } from './entities.ts'
import { coveringPolicies } from './evaluate.ts'
import type { CedarRequest, PolicyFailure } from './evaluate.ts'
import { EvaluationFailure } from './evaluation-failure.ts'
import { Frame } from './frame.ts'
import type { Test } from './code.ts'
import type { ConditionJson, ValueJson } from './json.ts'
import { toJson } from './to-json.ts'

/** `held` is whether the condition let the policy pass: an `unless` holds where its expression is false. Undefined where it was not reached. */
export type ConditionExplained = {
  kind: 'when' | 'unless'
  held: boolean | undefined
  reads: { path: string; value: ValueJson | undefined }[]
}

export type PolicyExplained = {
  policy: string
  effect: 'permit' | 'forbid'
  outcome: 'satisfied' | 'unsatisfied' | 'error'
  error?: Omit<PolicyFailure, 'policy'>
  conditions: ConditionExplained[]
}

/** One for each policy whose scope covers the request. */
export type Explanation = PolicyExplained[]

const traced = new WeakMap<ConditionJson, Test>()

/** @throws CedarError as `evaluate` does */
export function explain(set: PolicySet, entities: Entities, request: CedarRequest, options: { steps?: number } = {}): Explanation {
  const frame = new Frame(entities, request, options.steps ?? LIMITS.steps)
  return coveringPolicies(set, entities, request).map((policy) => explainPolicy(policy, frame))
}

function explainPolicy(policy: Policy, frame: Frame): PolicyExplained {
  const { id, effect } = policy
  const explained: PolicyExplained = { policy: id, effect, outcome: 'satisfied', conditions: [] }
  frame.charge(policy.cost)
  for (const condition of policy.conditions) {
    const { kind } = condition
    frame.reads = []
    let held: boolean | undefined
    try {
      if (explained.outcome === 'satisfied') {
        held = tracedTest(condition)(frame) === (kind === 'when')
        if (!held) explained.outcome = 'unsatisfied'
      }
    } catch (failure) {
      if (!(failure instanceof EvaluationFailure)) throw failure
      explained.outcome = 'error'
      explained.error = { message: failure.message, code: failure.code }
    }
    const reads = frame.reads.map(({ path, value }) => ({ path, value: value === undefined ? undefined : toJson(value) }))
    explained.conditions.push({ kind, held, reads })
  }
  return explained
}

/** Compiled a second time, with notes, when it is first asked for: decisions don't pay for it. */
function tracedTest(condition: ConditionJson): Test {
  let test = traced.get(condition)
  if (!test) traced.set(condition, (test = compileExpr(condition.body).test))
  return test
}
