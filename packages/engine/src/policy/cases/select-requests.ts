/** Whom and what a property is about, among those that its world has. */
import type { ExprJson, PolicyJson } from '@ephor/cedar'
import type { Subject } from '../analyze/types.ts'
import type { WorldSchema } from '../make-schema.ts'
import { namedEntities } from '../named-entities.ts'
import type { PolicyPrincipal, PolicyWorld } from '../types.ts'
import type { Requests } from './case-file.ts'

type Agent = PolicyWorld['agents'][number]

export function selectPrincipals({ agents, servers }: PolicyWorld, who: Requests['who']): PolicyPrincipal[] {
  if (typeof who === 'string' && who.startsWith('server:')) {
    const name = who.slice('server:'.length)
    return servers.filter((server) => server.name === name).map(({ name: id }) => ({ type: 'ToolServer', id }))
  }
  const isMeant = ({ id, name, groups = [], tier, standing }: Agent) =>
    typeof who === 'string'
      ? who === name || who === id
      : (who.name === undefined || who.name === name) &&
        (who.group === undefined || groups.includes(who.group)) &&
        (who.tier === undefined || who.tier === tier) &&
        (who.standing === undefined || who.standing === standing)
  return agents.filter(isMeant).map(({ id }) => ({ type: 'Agent', id }))
}

/** @returns ids of the actions that these principals can ask for */
export function selectActions({ actions }: WorldSchema, what: Requests['what'], principals: readonly PolicyPrincipal[]): string[] {
  const type = principals[0]?.type
  const wanted =
    typeof what === 'string' ? [what] : [what.kind, what.risk && `risk:${what.risk}`, what.tool].filter((name) => name !== undefined)
  const server = typeof what === 'string' ? undefined : what.server
  return [...actions.values()]
    .filter((info) => info.principal === type && wanted.every((name) => info.withGroups.has(name)))
    .filter((info) => server === undefined || info.server === server)
    .map(({ id }) => id)
}

const PRINCIPAL: ExprJson = { Var: 'principal' }
const ANY = { op: 'All' } as const
const isIn = (type: string, id: string): ExprJson => ({ in: { left: PRINCIPAL, right: { Value: { __entity: { type, id } } } } })
const not = (arg: ExprJson): ExprJson => ({ '!': { arg } })
const has = (attr: string): ExprJson => ({ has: { left: PRINCIPAL, attr } })
const equals = (attr: string, value: string | number): ExprJson => ({
  '==': { left: { '.': { left: PRINCIPAL, attr } }, right: { Value: value } },
})

/** Every team that anything can tell the agent by. */
function teamsOf({ agents }: PolicyWorld, subjects: readonly Subject[]): Set<string> {
  const named = subjects.flatMap(({ json }) => namedEntities(json)).filter(({ type }) => type === 'Team')
  return new Set([...agents.flatMap(({ groups = [] }) => groups), ...named.map(({ id }) => id)])
}

function traitsOf(agent: Agent, teams: ReadonlySet<string>): ExprJson[] {
  const { name, owner, purpose, tier, standing, groups = [] } = agent
  const optional = (attr: string, value: string | number | undefined) =>
    value === undefined ? [not(has(attr))] : [has(attr), equals(attr, value)]
  return [
    equals('name', name),
    equals('owner', owner),
    equals('purpose', purpose),
    ...optional('tier', tier),
    ...optional('standing', standing),
    ...[...teams].map((team) => (groups.includes(team) ? isIn('Team', team) : not(isIn('Team', team)))),
  ]
}

/** A policy that is satisfied by exactly this principal's requests, for the solver: its name has no place in any file. */
export function policyOfPrincipal(principal: PolicyPrincipal, world: PolicyWorld, subjects: readonly Subject[]): Subject {
  const agent = principal.type === 'Agent' ? world.agents.find(({ id }) => id === principal.id) : undefined
  const traits = agent ? traitsOf(agent, teamsOf(world, subjects)) : []
  const json: PolicyJson = {
    effect: 'permit',
    principal: { op: '==', entity: principal },
    action: ANY,
    resource: ANY,
    conditions: traits.map((body) => ({ kind: 'when', body })),
  }
  const id = `${principal.type} "${principal.id}"`
  return { id, file: '', line: 1, column: 1, effect: 'permit', json, ask: undefined, obligations: [] }
}
