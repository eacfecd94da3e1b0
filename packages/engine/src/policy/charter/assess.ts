/** What the charter makes of a call before any policy speaks: its amount, risk, mode and charges. */
import type { JsonObject } from '@ephor/engine/kernel'
import type { Autonomy, PolicyFacts, PolicyWorld, RiskScore, Standing } from '../types.ts'
import { chargesOf } from './charges.ts'
import type { Charge } from './charges.ts'
import type { Charter } from './charter.ts'
import { modeOf } from './mode.ts'
import type { Actor } from './mode.ts'
import { readAmount } from './read-amount.ts'
import type { Amount } from './read-amount.ts'
import { scoreRisk } from './score-risk.ts'

/** Everything about who calls what that does not depend on the arguments. */
export type Target = Actor & {
  action: string
  standing: Standing | undefined
  /** Absent for the protocol's own actions. */
  tool: Pick<PolicyWorld['tools'][number], 'kind' | 'risk'> | undefined
}

export type Assessment = {
  amount: Amount | undefined
  risk: RiskScore
  mode: Autonomy
  isRead: boolean
  /** A sentence where a budget covers the call but what it takes can't be told. */
  charges: readonly Charge[] | string
}

/** @returns the assessment; or what is wrong with the arguments, without any value of theirs */
export function assess(charter: Charter, target: Target, { input, facts }: { input: JsonObject; facts: PolicyFacts }): Assessment | string {
  const terms = Object.hasOwn(charter.tools, target.action) ? charter.tools[target.action] : undefined
  const amount = terms?.amount ? readAmount(terms.amount, input) : facts.amount
  if (typeof amount === 'string') return amount
  const isRead = target.actions.has('read')
  const risk = scoreRisk(charter, {
    // What a tool server asks of the agent's client leaves for the outside.
    kind: target.tool?.kind ?? (isRead ? 'read' : 'external'),
    class: target.tool?.risk,
    dataCategories: [...(terms?.data ?? []), ...(facts.dataCategories ?? [])],
    amount,
    novel: facts.novel === true,
    standing: target.standing,
    labels: facts.labels ?? [],
  })
  return { amount, risk, mode: modeOf(charter, target), isRead, charges: chargesOf(charter, target, { input, amount }) }
}
