/** One policy as the decider needs it: what it covers, what it looks at, and what it says when it holds. */
import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { parseApproval, parseObligations } from './annotations.ts'
import type { ApprovalTerms, ObligationTerm } from './annotations.ts'
import { referencesOf } from './references.ts'
import type { EntityId, RefTree } from './references.ts'
import type { Scope } from './scope.ts'

export type CompiledPolicy = {
  id: string
  file: string
  line: number
  effect: 'permit' | 'forbid'
  /** The policy written as a permit: the thread only finds out whether it is satisfied. */
  asPermit: string
  scope: Scope
  references: RefTree
  entities: readonly EntityId[]
  unconditional: boolean
  reason: string
  /** A soft forbid: what it asks of people. */
  ask: ApprovalTerms | undefined
  obligations: readonly ObligationTerm[]
  /** An obligation that this version does not know: only in texts that another version accepted. */
  unknownObligation: boolean
}

const DEFAULT_REASONS = {
  permit: 'A policy permits this.',
  forbid: 'A policy forbids this.',
  hold: 'A person has to agree to this first.',
}

/** Terms that don't parse make a forbid hard and a permit unusable: what is not understood never opens anything. */
export function compilePolicy(
  place: { id: string; file: string; line: number },
  text: string,
  effectAt: number,
  json: PolicyJson,
): CompiledPolicy {
  const annotations = json.annotations ?? {}
  const approval = json.effect === 'forbid' && annotations.approval !== undefined ? parseApproval(annotations.approval) : undefined
  const obligations = annotations.obligation === undefined ? [] : parseObligations(annotations.obligation)
  const ask = typeof approval === 'string' ? undefined : approval
  const { context, entities } = referencesOf(json.conditions)
  return {
    ...place,
    effect: json.effect,
    asPermit: `${text.slice(0, effectAt)}permit${text.slice(effectAt + json.effect.length)}`,
    scope: { principal: json.principal, action: json.action, resource: json.resource },
    references: context,
    entities,
    unconditional: json.conditions.length === 0,
    reason: annotations.reason?.trim() || DEFAULT_REASONS[ask ? 'hold' : json.effect],
    ask,
    obligations: typeof obligations === 'string' ? [] : obligations,
    unknownObligation: typeof obligations === 'string',
  }
}
