/** The risk of a call by the charter's table: a sum whose every term is shown. */
import type { PolicyWorld, RiskScore, RiskTier, Standing } from '../types.ts'
import type { Charter } from './charter.ts'
import type { Amount } from './read-amount.ts'

export type RiskFacts = {
  kind: PolicyWorld['tools'][number]['kind'] | undefined
  /** The tool's risk class. */
  class: RiskTier | undefined
  dataCategories: readonly string[]
  amount: Amount | undefined
  novel: boolean
  standing: Standing | undefined
  labels: readonly string[]
}

type Part = RiskScore['parts'][number]

const TIERS = ['low', 'medium', 'high', 'critical'] as const

export function reaches(tier: RiskTier, bound: RiskTier): boolean {
  return TIERS.indexOf(tier) >= TIERS.indexOf(bound)
}

export function tierOf(score: number, { medium, high, critical }: Charter['thresholds']): RiskTier {
  if (score >= critical) return 'critical'
  if (score >= high) return 'high'
  return score >= medium ? 'medium' : 'low'
}

function amountPart(bands: Charter['risk']['amount'], { value, currency }: Amount): Part {
  const known = Object.hasOwn(bands, currency) ? bands[currency] : undefined
  if (known) {
    const band = known.filter(({ from }) => value >= from).toSorted((a, b) => b.from - a.from)[0]
    return {
      term: `amount:${currency}`,
      points: band?.points ?? 0,
      because: `its amount reaches the band from ${band?.from ?? 0} ${currency}`,
    }
  }
  // An agent may choose the currency: one without bands must not be the cheap way.
  const points = Math.max(0, ...Object.values(bands).flatMap((all) => all.map((band) => band.points)))
  return { term: 'amount:other', points, because: 'its currency has no bands, so the highest of any counts' }
}

export function scoreRisk({ risk, thresholds }: Charter, facts: RiskFacts): RiskScore {
  const all: Part[] = []
  const add = (term: string, points: number, because: string) => all.push({ term, points, because })
  if (facts.kind) add(`kind:${facts.kind}`, risk.kind[facts.kind], `its kind is ${facts.kind}`)
  if (facts.class) add(`class:${facts.class}`, risk.class[facts.class], `its risk class is ${facts.class}`)
  // A category or label that the charter does not name is nobody's vetted text, and stays out of the record.
  const categories = new Set(facts.dataCategories.map((category) => (Object.hasOwn(risk.data, category) ? category : 'other')))
  for (const category of [...categories].toSorted()) add(`data:${category}`, risk.data[category] ?? 0, `it touches ${category} data`)
  if (facts.amount) all.push(amountPart(risk.amount, facts.amount))
  if (facts.novel) add('novel', risk.novel, 'this agent was never permitted this tool before')
  if (facts.standing) add(`standing:${facts.standing}`, risk.standing[facts.standing], `the standing of the agent is ${facts.standing}`)
  for (const label of [...new Set(facts.labels)].toSorted())
    if (Object.hasOwn(risk.label, label)) add(`label:${label}`, risk.label[label] ?? 0, `its arguments carry the label ${label}`)
  const parts = all.filter(({ points }) => points > 0)
  const score = parts.reduce((sum, { points }) => sum + points, 0)
  return { score, tier: tierOf(score, thresholds), parts }
}
