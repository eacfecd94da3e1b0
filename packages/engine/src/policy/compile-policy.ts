/** One policy as the decider needs it: its JSON form, which is compiled, and what it says when it holds. */
import type { PolicyJson } from '@ephor/cedar'
import { isMistake, parseApproval, parseControls, parseObligations, parseSeverity } from './annotations.ts'
import type { ApprovalTerms, Mistake, ObligationTerm, Severity } from './annotations.ts'

export type CompiledPolicy = {
  /** `file/name`, or `file/3` by its position. */
  id: string
  file: string
  line: number
  column: number
  effect: 'permit' | 'forbid'
  json: PolicyJson
  reason: string
  /** A soft forbid: what it asks of people. */
  ask: ApprovalTerms | undefined
  obligations: readonly ObligationTerm[]
  /** An obligation that this version does not know: only in texts that another version accepted. */
  unknownObligation: boolean
  /** Ids of the controls that it carries out. */
  controls: readonly string[]
  owner: string | undefined
  severity: Severity | undefined
}

const DEFAULT_REASONS = {
  permit: 'A policy permits this.',
  forbid: 'A policy forbids this.',
  hold: 'A person has to agree to this first.',
}

const orElse = <T extends object, F>(parsed: T | Mistake, otherwise: F): T | F => (isMistake(parsed) ? otherwise : parsed)

/** Terms that don't parse make a forbid hard and a permit unusable: what is not understood never opens anything. */
export function compilePolicy(place: { id: string; file: string; line: number; column: number }, json: PolicyJson): CompiledPolicy {
  const { approval, obligation, control, owner, severity, reason } = json.annotations ?? {}
  const ask = json.effect === 'permit' || approval === undefined ? undefined : orElse(parseApproval(approval), undefined)
  const obligations = obligation === undefined ? [] : orElse(parseObligations(obligation), undefined)
  const grade = severity === undefined ? undefined : parseSeverity(severity)
  return {
    ...place,
    effect: json.effect,
    json,
    reason: reason?.trim() || DEFAULT_REASONS[ask ? 'hold' : json.effect],
    ask,
    obligations: obligations ?? [],
    unknownObligation: obligations === undefined,
    controls: control === undefined ? [] : orElse(parseControls(control), []),
    owner,
    severity: typeof grade === 'string' ? grade : undefined,
  }
}
