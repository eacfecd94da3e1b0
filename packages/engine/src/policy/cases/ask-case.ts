/** A case as the question that the broker would put to the policies. */
import type { JsonObject } from '@ephor/engine/kernel'
import type { PolicyFacts, PolicyRequest, PolicyWorld } from '../types.ts'
import type { TestCase, TestWorld } from './case-file.ts'

/** Which paths a call names, and which of them are outside: what the registry does with the folders of a server. */
export type Confine = (folders: readonly string[], input: JsonObject, paths: readonly string[]) => { all: string[]; outside: string[] }

/** Stands for a registered agent in the policies' world. */
const idOf = ({ name, id }: TestWorld['agents'][number]) => id ?? `agt_${name}`

function divide(tool: string): { server: string; name: string } {
  const slash = tool.indexOf('/')
  return { server: tool.slice(0, slash), name: tool.slice(slash + 1) }
}

type Traits = Pick<TestWorld['agents'][number], 'owner' | 'purpose' | 'groups' | 'tier' | 'standing'>

function agentOf(id: string, name: string, { owner, purpose, groups, tier, standing }: Traits): PolicyWorld['agents'][number] {
  return {
    id,
    name,
    owner,
    purpose,
    groups,
    ...(tier === undefined ? {} : { tier }),
    ...(standing === undefined ? {} : { standing }),
  }
}

export function policyWorld({ agents, servers, tools, people, services }: TestWorld): PolicyWorld {
  return {
    agents: agents.map((agent) => agentOf(idOf(agent), agent.name, agent)),
    people,
    services,
    servers,
    tools: tools.map(({ tool, kind, risk, input }) => ({ ...divide(tool), kind, risk, inputSchema: input })),
  }
}

/** `extra`: an agent that only the case knows. */
export type AskedCase = { request: PolicyRequest; extra?: PolicyWorld['agents'][number] }

function principalOf(world: TestWorld, who: TestCase['who']): (Pick<PolicyRequest, 'principal'> & Pick<AskedCase, 'extra'>) | string {
  if (typeof who !== 'string') {
    // Apart from every agent of the world, whose ids have no space.
    const extra = agentOf(`agt_case ${JSON.stringify(who)}`, 'case', who)
    return { principal: { type: 'Agent', id: extra.id }, extra }
  }
  if (who.startsWith('server:')) return { principal: { type: 'ToolServer', id: who.slice('server:'.length) } }
  const agent = world.agents.find((one) => one.name === who || one.id === who)
  return agent ? { principal: { type: 'Agent', id: idOf(agent) } } : `the agent ${who}`
}

function factsOf(test: TestCase, now: number): PolicyFacts {
  const { session, labels, budgets, amount, novel, dataCategories, prompt: name, onBehalfOf } = test
  const uri = test.uri ?? (typeof test.input['uri'] === 'string' ? test.input['uri'] : undefined)
  const said = {
    uri,
    name,
    onBehalfOf,
    labels,
    budgets,
    amount,
    novel,
    dataCategories,
    session: session && { id: 'session', calls: session.calls, startedAt: now - session.age * 1000 },
  }
  const facts = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined))
  return { door: 'mcp', approvals: [], now, ...facts }
}

/** @returns the question; or what the case names that its world does not have */
export function askCase(world: TestWorld, test: TestCase, { at, confine }: { at: number; confine: Confine }): AskedCase | string {
  const { who, what, input } = test
  const tool = world.tools.find((candidate) => candidate.tool === what)
  const named = test.server ?? (tool ? divide(what).server : undefined)
  const server = world.servers.find(({ name }) => name === named)
  if (!server) return tool ? `the server of ${what}` : `${what} on ${named ?? 'no server'}`
  const principal = principalOf(world, who)
  if (typeof principal === 'string') return principal
  const facts = factsOf(test, test.at === undefined ? at : Date.parse(test.at))
  const confined = tool !== undefined && server.folders.length > 0 && tool.paths.length > 0
  const paths = test.paths ?? (confined ? confine(server.folders, input, tool.paths) : undefined)
  const { extra } = principal
  const request = { principal: principal.principal, action: what, server: server.name, input, facts: paths ? { ...facts, paths } : facts }
  return extra ? { request, extra } : { request }
}
