/** What policies speak about: what an operator accepted, as it was accepted, and the people by their ids. */
import type { Identity } from '@ephor/engine/identity'
import type { PolicyWorld } from '@ephor/engine/policy'
import type { Agent, Registry } from '@ephor/engine/registry'

type Read = { registry: Pick<Registry, 'agents' | 'servers' | 'server' | 'tools'>; identity: Pick<Identity, 'people'> }

/** An agent is in the team that owns it, if a team does. */
function teamsOf({ owner, groups }: Agent): string[] {
  return owner.startsWith('per_') ? groups : [...new Set([owner, ...groups])].toSorted()
}

export function worldOf({ registry, identity }: Read): PolicyWorld {
  const isAccepted = (server: string) => registry.server(server)?.state === 'accepted'
  return {
    agents: registry.agents().map((agent) => {
      const { id, name, owner, purpose, tier, standing } = agent
      const trust = { ...(tier === undefined ? {} : { tier }), ...(standing === undefined ? {} : { standing }) }
      return { id, name, owner, purpose, groups: teamsOf(agent), ...trust }
    }),
    people: identity.people().map(({ id, groups }) => ({ id, groups })),
    servers: registry
      .servers()
      .filter(({ state }) => state === 'accepted')
      .map(({ name, folders }) => ({ name, folders })),
    tools: registry
      .tools()
      .filter(({ state, server }) => (state === 'accepted' || state === 'changed') && isAccepted(server))
      .map(({ server, name, kind, risk, definition }) => ({ server, name, kind, risk, inputSchema: definition.inputSchema })),
  }
}
