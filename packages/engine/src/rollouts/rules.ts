/** The rules of a rollout, without time or store: who may do what by which charter, what comes after what, and what ends a trial. */
import { Fault } from '@ephor/contract'
import type { ProposalState } from '@ephor/contract'
import type { Charter, PolicyFiles } from '@ephor/engine/policy'
import type { Difference, Effect, Figures, Kind, Proposal, Review, Someone } from './types.ts'

type Authority = NonNullable<Charter['authorities']>['policy']

/** Upper ends of classes of latency, in ms. */
export const LATENCIES = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, Infinity]

/** Whoever changed the policy folder left no name. */
export const FOLDER = 'folder'

const CHARTER = 'charter.yaml'

/** What of a bundle differs. Tests are a part of the policies: whoever could change them alone could pass them. */
export function kindsOf(before: PolicyFiles, after: PolicyFiles): Kind[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)].filter((name) => before[name] !== after[name]))
  return [...([...names].some((name) => name !== CHARTER) ? ['policy' as const] : []), ...(names.has(CHARTER) ? ['charter' as const] : [])]
}

export function changedFiles(before: PolicyFiles, after: PolicyFiles) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((name) => before[name] !== after[name]).toSorted()
  return names.map((name) => {
    const change = before[name] === undefined ? ('added' as const) : after[name] === undefined ? ('removed' as const) : ('changed' as const)
    return { name, change, before: before[name] ?? '', after: after[name] ?? '' }
  })
}

/** Whether a list of the charter (`per_…`, `group:…`) names the person. */
export function names(list: readonly string[], { id, groups }: Someone): boolean {
  return list.includes(id) || groups.some((group) => list.includes(`group:${group}`))
}

/** Those that the charter in force asks for these changes; of a change of both kinds, both. */
export function authoritiesOf({ authorities }: Charter, changes: readonly Kind[]): Authority[] {
  return authorities ? changes.map((kind) => authorities[kind]) : []
}

/** @throws Fault REVIEW_SELF, AUTHORITY_MISSING */
export function requireReviewer(charter: Charter, { author, changes }: Proposal, person: Someone): void {
  if (person.id === author) throw new Fault('REVIEW_SELF', 'this is your own proposal')
  const authorities = authoritiesOf(charter, changes)
  const lists = authorities.map(({ review }) => review)
  if (authorities.length === 0 ? person.operator : lists.some((list) => names(list, person))) return
  throw new Fault('AUTHORITY_MISSING', `reviews are for ${authorities.length === 0 ? 'operators' : lists.flat().join(', ')}`)
}

/** Where the charter names nobody, operators. @throws Fault AUTHORITY_MISSING */
export function requirePublisher(charter: Charter, changes: readonly Kind[], person: Someone): void {
  const authorities = authoritiesOf(charter, changes)
  if (authorities.length === 0 ? person.operator : authorities.every(({ publish }) => names(publish, person))) return
  const named = authorities.length === 0 ? 'operators' : authorities.map(({ publish }) => publish.join(', ')).join('; and ')
  throw new Fault('AUTHORITY_MISSING', `policies are taken live by ${named}`)
}

/**
 * What reviews are missing: of people who are named now, each counted once, never the author. Of a changed folder nobody knows
 * the author, who may be one of the reviewers: it takes one review more.
 */
export function missingReviews(charter: Charter, proposal: Proposal, reviews: readonly Review[], people: readonly Someone[]): string[] {
  const { author, changes, version } = proposal
  const approving = reviews.filter((review) => review.verdict === 'approve' && review.version === version && review.person !== author)
  const known = people.filter(({ id }) => approving.some(({ person }) => person === id))
  return authoritiesOf(charter, changes).flatMap(({ review, reviewers }) => {
    const needed = reviewers + (author === FOLDER ? 1 : 0)
    const have = known.filter((person) => names(review, person)).length
    return have >= needed ? [] : [`${have} of ${needed} approvals of ${review.join(', ')}`]
  })
}

/** @returns why nobody could change policies any more under this charter; undefined when somebody could */
export function lockout({ authorities }: Charter, people: readonly Someone[]): string | undefined {
  if (!authorities) return undefined
  for (const [kind, { review, publish, reviewers }] of Object.entries(authorities)) {
    const reviewing = people.filter((person) => names(review, person)).length
    if (reviewing < reviewers || people.length <= reviewers)
      return `a change of the ${kind} would need ${reviewers} reviewers beside its author, and ${review.join(', ')} names ${reviewing}`
    if (!people.some((person) => names(publish, person))) return `nobody could take a change of the ${kind} live: ${publish.join(', ')}`
  }
  return undefined
}

const TRIED: readonly ProposalState[] = ['shadow', 'canary']
export const isTried = ({ state }: Pick<Proposal, 'state'>): boolean => TRIED.includes(state)
export const isPending = ({ state }: Pick<Proposal, 'state'>): boolean => state === 'open' || state === 'approved'

const seconds = (ms: number) => `${Math.ceil(ms / 1000)} s`

/** What the charter's order of trials still asks before this step. Time counts while Ephor runs and watches, by a clock that nobody sets. */
export function tooEarly(
  { rollout }: Charter,
  { observed }: Pick<Figures, 'observed'>,
  step: { mode: 'shadow' | 'canary' | 'active'; percent: number },
): string | undefined {
  if (step.mode === 'shadow') return undefined
  const { shadow = 0, canary } = rollout
  if (observed.shadow < shadow) return `${seconds(shadow - observed.shadow)} more in shadow`
  if (!canary || observed.canary >= canary.for) return undefined
  if (step.mode === 'canary' && step.percent <= canary.percent) return undefined
  return `${seconds(canary.for - observed.canary)} more as a canary of at most ${canary.percent} per cent`
}

export function noFigures(): Figures {
  const none = () => ({ permit: 0, hold: 0, deny: 0, error: 0 })
  return {
    decisions: 0,
    active: none(),
    tried: none(),
    escalated: 0,
    latencies: LATENCIES.map(() => 0),
    observed: { shadow: 0, canary: 0 },
  }
}

export function count(figures: Figures, { active, tried, ms }: { active: Effect; tried: Effect; ms: number }): void {
  figures.decisions++
  figures.active[active]++
  figures.tried[tried]++
  if (tried === 'hold' && active === 'permit') figures.escalated++
  const place = LATENCIES.findIndex((end) => ms <= end)
  figures.latencies[place] = (figures.latencies[place] ?? 0) + 1
}

/** `a` and `times` times `b`. */
export function sum(a: Figures, b: Figures, times: 1 | -1): Figures {
  const add = (one: Record<Effect, number>, other: Record<Effect, number>) => ({
    permit: one.permit + times * other.permit,
    hold: one.hold + times * other.hold,
    deny: one.deny + times * other.deny,
    error: one.error + times * other.error,
  })
  return {
    decisions: a.decisions + times * b.decisions,
    active: add(a.active, b.active),
    tried: add(a.tried, b.tried),
    escalated: a.escalated + times * b.escalated,
    latencies: a.latencies.map((one, i) => one + times * (b.latencies[i] ?? 0)),
    observed: { shadow: a.observed.shadow + times * b.observed.shadow, canary: a.observed.canary + times * b.observed.canary },
  }
}

/** The end of the class that 99 of 100 are below; undefined when there are none. */
export function p99({ latencies }: Figures): number | undefined {
  const total = latencies.reduce((sum, one) => sum + one, 0)
  if (total === 0) return undefined
  let rest = Math.ceil(total * 0.99)
  return LATENCIES[latencies.findIndex((one) => (rest -= one) <= 0)]
}

export type Rule = { rule: string; figure: number; limit: number; broken: boolean }

/** Both versions were asked the same calls: what is compared is how they differ, not how the traffic does. */
export function judge({ rollout: { rollback } }: Charter, figures: Figures): Rule[] {
  const { decisions, active, tried, escalated } = figures
  const share = (part: number) => (decisions === 0 ? 0 : part / decisions)
  const rise = (effect: Effect) => share(tried[effect] - active[effect])
  const rules: [string, number, number | undefined][] = [
    ['holds', rise('hold'), rollback.holds],
    ['denials', rise('deny'), rollback.denials],
    ['errors', rise('error'), rollback.errors],
    ['latency', p99(figures) ?? 0, rollback.latency],
    ['escalations', share(escalated), rollback.escalations],
  ]
  const enough = decisions >= rollback.decisions
  return rules.flatMap(([rule, figure, limit]) => (limit === undefined ? [] : [{ rule, figure, limit, broken: enough && figure > limit }]))
}

/** @param versions as they became active, oldest first; one that comes back takes away what came after it */
export function versionBefore(versions: readonly string[]): string | undefined {
  const stack: string[] = []
  for (const version of versions) {
    const at = stack.indexOf(version)
    if (at >= 0) stack.length = at
    stack.push(version)
  }
  return stack.at(-2)
}

export const differenceKey = ({ agent, action, active, tried }: Pick<Difference, 'agent' | 'action' | 'active' | 'tried'>): string =>
  JSON.stringify([agent, action, active, tried])
