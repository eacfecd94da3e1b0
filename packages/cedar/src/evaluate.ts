/** Decides a request: every policy that covers it is evaluated, so that all satisfied permits and forbids are known. */
import { LIMITS } from './cedar-error.ts'
import type { Policy, PolicySet } from './compile-policies.ts'
import type { Entities } from './entities.ts'
import { EvaluationFailure } from './evaluation-failure.ts'
import type { FailureCode } from './evaluation-failure.ts'
import { Frame } from './frame.ts'
import type { EntityUid } from './json.ts'
import type { RecordSource } from './values.ts'

export type CedarRequest = { principal: EntityUid; action: EntityUid; resource: EntityUid; context: RecordSource }

export type PolicyFailure = { policy: string; message: string; code: FailureCode }

export type Evaluation = {
  decision: 'allow' | 'deny'
  /** All satisfied ones, sorted. */
  permits: string[]
  forbids: string[]
  /** Those that determine the decision, as Cedar reports them: the forbids, else the permits. */
  reasons: string[]
  /** Policies that could not be evaluated: Cedar skips them. */
  errors: PolicyFailure[]
}

export type EvaluateOptions = {
  /** What the decision may cost. */
  steps?: number
  /** Only these policies. */
  only?: ReadonlySet<string>
}

/** @throws CedarError STEPS_EXCEEDED, or VALUE_TYPE where a lazily read context is not what was declared */
export function evaluate(set: PolicySet, entities: Entities, request: CedarRequest, options: EvaluateOptions = {}): Evaluation {
  const { only } = options
  const frame = new Frame(entities, request, options.steps ?? LIMITS.steps)
  const permits: string[] = []
  const forbids: string[] = []
  const errors: PolicyFailure[] = []
  const decision = set.nextDecision()
  for (const policies of set.index.find(entities, frame.principal, frame.action, frame.resource)) {
    for (const policy of policies) {
      if (only?.has(policy.id) === false) continue
      if (policy.repeated) {
        if (policy.seen === decision) continue
        policy.seen = decision
      }
      frame.charge(policy.cost)
      try {
        if (policy.test(frame)) (policy.effect === 'permit' ? permits : forbids).push(policy.id)
      } catch (failure) {
        if (!(failure instanceof EvaluationFailure)) throw failure
        errors.push({ policy: policy.id, message: failure.message, code: failure.code })
      }
    }
  }
  permits.sort()
  forbids.sort()
  if (errors.length > 1) errors.sort((a, b) => (a.policy < b.policy ? -1 : 1))
  const allowed = forbids.length === 0 && permits.length > 0
  return { decision: allowed ? 'allow' : 'deny', permits, forbids, reasons: forbids.length > 0 ? [...forbids] : [...permits], errors }
}

/** The policies whose scope covers the three. */
export function coveringPolicies(set: PolicySet, entities: Entities, request: Omit<CedarRequest, 'context'>): Policy[] {
  const [principal, action, resource] = [entities.ref(request.principal), entities.ref(request.action), entities.ref(request.resource)]
  const found = new Set(set.index.find(entities, principal, action, resource).flat())
  return [...found].filter((policy) => policy.fits(principal, resource)).sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** Ids of the policies whose scope covers the three, whatever their conditions. */
export function covering(set: PolicySet, entities: Entities, request: Omit<CedarRequest, 'context'>): string[] {
  return coveringPolicies(set, entities, request).map(({ id }) => id)
}
