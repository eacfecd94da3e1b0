/** What cases have seen of policies: each policy satisfied, each of its conditions true and false, each action covered by a rule. */
import type { Explanation } from '@ephor/cedar'
import { printConditions } from '../analyze/print-policy.ts'
import type { CompiledPolicy } from '../compile-policy.ts'
import type { OpenBundle } from '../open-bundle.ts'
import { namedEntities } from '../named-entities.ts'
import type { PolicyWorld } from '../types.ts'

export type ConditionCoverage = { kind: 'when' | 'unless'; text: string; held: boolean; failed: boolean }
export type PolicyCoverage = {
  policy: string
  file: string
  line: number
  /** How many cases its scope covered, and in how many of them it was satisfied. */
  considered: number
  satisfied: number
  conditions: ConditionCoverage[]
}
export type Coverage = {
  /** Of everything to be seen: each policy satisfied, each condition once holding and once not. From 0 to 1. */
  share: number
  policies: PolicyCoverage[]
  /** Tools of the cases' worlds that no policy covers for any agent there: nothing but the default refuses them. */
  uncovered: string[]
}

export interface Recorder {
  add(explanation: Explanation): void
  /** Looks for tools that no rule speaks of. */
  addWorld(bundle: OpenBundle, world: PolicyWorld): void
  coverage(): Coverage
}

const ANY = { op: 'All' } as const

function emptyOf({ id, file, line, json }: CompiledPolicy): PolicyCoverage {
  const conditions = json.conditions.map((condition) => ({
    kind: condition.kind,
    text: printConditions({ ...json, principal: ANY, resource: ANY, conditions: [{ kind: 'when', body: condition.body }] }),
    held: false,
    failed: false,
  }))
  return { policy: id, file, line, considered: 0, satisfied: 0, conditions }
}

/** One of those that no scope tells apart: in the same teams, and named by no policy. */
function differentAgents({ policies }: OpenBundle, { agents }: PolicyWorld): string[] {
  const named = new Set([...policies.values()].flatMap(({ json }) => namedEntities(json).map(({ id }) => id)))
  const kinds = new Map(agents.map(({ id, groups = [] }) => [JSON.stringify([groups.toSorted(), named.has(id) ? id : '']), id]))
  return [...kinds.values()]
}

export function recordCoverage(all: ReadonlyMap<string, CompiledPolicy>): Recorder {
  const seen = new Map([...all.values()].map((policy) => [policy.id, emptyOf(policy)]))
  const ruled = new Map<string, boolean>()
  return {
    add(explanation) {
      for (const { policy, outcome, conditions } of explanation) {
        const of = seen.get(policy)
        if (!of) continue
        of.considered++
        if (outcome === 'satisfied') of.satisfied++
        for (const [i, { held }] of conditions.entries()) {
          const condition = of.conditions[i]
          if (condition && held === true) condition.held = true
          if (condition && held === false) condition.failed = true
        }
      }
    },
    addWorld(bundle, world) {
      const agents = differentAgents(bundle, world)
      for (const { id, server } of bundle.schema.actions.values()) {
        if (server === undefined) continue
        ruled.set(
          id,
          ruled.get(id) === true || agents.some((agent) => bundle.covering({ type: 'Agent', id: agent }, id, server).length > 0),
        )
      }
    },
    coverage() {
      const policies = [...seen.values()]
      const points = policies.flatMap(({ satisfied, conditions }) => [
        satisfied > 0,
        ...conditions.flatMap(({ held, failed }) => [held, failed]),
      ])
      const share = points.length === 0 ? 0 : points.filter(Boolean).length / points.length
      const uncovered = [...ruled].filter(([, covered]) => !covered).map(([action]) => action)
      return { share, policies, uncovered: uncovered.toSorted() }
    },
  }
}
