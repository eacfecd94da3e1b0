/** The least risk that requests of a class have, by the charter's table: kind and class of the tool count always, and points are only added. */
import type { Goal } from '../analyze/prove.ts'
import type { EncodedClass } from '../analyze/request-classes.ts'
import { and, eq, or } from '../analyze/smt.ts'
import type { Charter } from '../charter/charter.ts'
import { reaches, tierOf } from '../charter/score-risk.ts'
import type { WorldSchema } from '../make-schema.ts'
import type { RiskTier } from '../types.ts'

const TIERS: readonly RiskTier[] = ['low', 'medium', 'high', 'critical']

/** @returns undefined where there is nothing to say */
export function riskFloor({ actions, encoder }: EncodedClass, { risk, thresholds }: Charter, schema: WorldSchema): Goal | undefined {
  const points = actions.map((id) => {
    const tool = schema.actions.get(id)?.tool
    return tool ? risk.kind[tool.kind] + risk.class[tool.risk] : 0
  })
  const least = Math.min(...points)
  const context = encoder.context.kind === 'record' ? encoder.context.field('risk').term : undefined
  if (least === 0 || context?.kind !== 'record') return undefined
  const [score, tier] = [context.field('score').term, context.field('tier').term]
  if (!('smt' in score) || !('smt' in tier)) return undefined
  const possible = TIERS.filter((one) => reaches(one, tierOf(least, thresholds)))
  return {
    smt: and(`(>= ${score.smt} ${least})`, or(...possible.map((one) => eq(tier.smt, `"${one}"`)))),
    holds(_, { context: { risk: said } }) {
      const known = said as { score: number; tier: RiskTier } | undefined
      return known !== undefined && known.score >= least && possible.includes(known.tier)
    },
  }
}
