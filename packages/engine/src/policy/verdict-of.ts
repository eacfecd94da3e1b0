/** What a decision says, without the words for people: what has to come out again when it is made once more from its record. */
import { hash } from 'node:crypto'
import type { JsonObject } from '@ephor/engine/kernel'
import { canonicalize } from '@ephor/proof'
import type { Decision } from './types.ts'

/** Reasons are named by their policies, risk by its points: sentences may become better ones with another release of Ephor. */
export function verdictOf(decision: Decision): JsonObject {
  const { effect, reasons, risk, mode } = decision
  return {
    effect,
    reasons: reasons.map(({ policy }) => policy),
    ...(risk && { risk: { score: risk.score, tier: risk.tier, parts: risk.parts.map(({ term, points }) => ({ term, points })) } }),
    ...(mode && { mode }),
    ...('fault' in decision && { fault: decision.fault }),
    ...('obligations' in decision && { obligations: decision.obligations.map((obligation) => ({ ...obligation })) }),
    ...('charges' in decision && decision.charges && { charges: decision.charges.map((charge) => ({ ...charge })) }),
    ...('asks' in decision && {
      asks: decision.asks.map(({ policy, quorum, deadlineMs, group, escalate }) => ({
        policy,
        quorum,
        ...(deadlineMs === undefined ? {} : { deadlineMs }),
        ...(group === undefined ? {} : { group }),
        ...(escalate === undefined ? {} : { escalate }),
      })),
    }),
  }
}

/** `sha256:…` of the verdict's canonical JSON. It tells something of what the agent sent, so it is kept where that is: encrypted. */
export function digestOfVerdict(decision: Decision): string {
  return `sha256:${hash('sha256', canonicalize(verdictOf(decision)), 'hex')}`
}
