/** Which tool, which pinned definition, which risk: turns what the agent named into what the registry knows. */
import type { AgentPrincipal, FaultCode } from '@ephor/contract'
import { confine } from '@ephor/engine/registry'
import type { Registry, Tool, ToolServer } from '@ephor/engine/registry'
import type { Asking } from './context.ts'
import { digestOf } from './digest.ts'
import type { Call } from './types.ts'

/** A call that is refused before any policy is asked; still recorded. `wait`: until an operator has looked at something. */
export type Unresolved = { effect: 'deny' | 'wait'; fault: FaultCode; detail: string; known?: Known }

/** What of a call the registry knows, and so may be named in the record. */
export type Known = { server: ToolServer; tool?: Tool | undefined }

export type Resolved = {
  server: ToolServer
  /** The accepted definition; absent for resources and prompts, which have none. */
  tool: Tool | undefined
  /** The Cedar action id. */
  action: string
  facts: { paths?: { all: string[]; outside: string[] }; uri?: string; name?: string }
}

// Plain ASCII: a name that no accepted tool has and that is not of this kind may be a look-alike of one.
const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9._:/@ -]{0,199}$/

function resolveTool(registry: Registry, call: Call): Tool | Unresolved {
  const tool = registry.tool(call.server, call.name)
  if (!tool || tool.state === 'gone') {
    if (!PLAIN_NAME.test(call.name)) {
      return { effect: 'deny', fault: 'TOOL_NAME_SUSPICIOUS', detail: 'the tool name is not plain ASCII and no accepted tool has it' }
    }
    return { effect: 'deny', fault: 'TOOL_UNKNOWN', detail: `the server ${call.server} has no tool of that name` }
  }
  if (tool.state === 'proposed')
    return { effect: 'deny', fault: 'TOOL_UNKNOWN', detail: `the tool ${tool.name} was not accepted by an operator` }
  if (tool.state === 'changed') {
    return {
      effect: 'wait',
      fault: 'TOOL_CHANGED',
      detail: `the definition of ${tool.name} is not the one that was accepted; an operator has to look at it`,
    }
  }
  return tool
}

/** Is this agent, by its registration, allowed to act at all? */
function refuseAgent(registry: Registry, who: AgentPrincipal, now: number): Unresolved | undefined {
  const agent = registry.agent(who.id)
  if (!agent) return { effect: 'deny', fault: 'AGENT_UNKNOWN', detail: 'the credential names an agent that is not registered' }
  if (agent.state !== 'active') return { effect: 'deny', fault: 'AGENT_RETIRED', detail: 'the agent was retired' }
  if (agent.expiresAt <= now) return { effect: 'deny', fault: 'AGENT_EXPIRED', detail: 'the registration of the agent has expired' }
  return undefined
}

export function resolve(registry: Registry, { who, call, at }: Asking): Resolved | Unresolved {
  const refused = refuseAgent(registry, who, at)
  if (refused) return refused
  const server = registry.server(call.server)
  if (!server || server.state === 'removed')
    return { effect: 'deny', fault: 'TOOL_UNKNOWN', detail: 'no tool server of that name is registered' }
  if (server.state !== 'accepted')
    return {
      effect: 'deny',
      fault: 'SERVER_NOT_ACCEPTED',
      detail: `the server ${server.name} was not accepted by an operator`,
      known: { server },
    }

  if (call.method === 'tools/call') {
    const tool = resolveTool(registry, call)
    if ('fault' in tool) return { ...tool, known: { server, tool: registry.tool(server.name, call.name) } }
    const confined = server.folders.length > 0 && tool.paths.length > 0
    return {
      server,
      tool,
      action: `${server.name}/${tool.name}`,
      facts: confined ? { paths: confine(server.folders, call.input, tool.paths) } : {},
    }
  }
  if (call.method === 'resources/read' || call.method === 'resources/subscribe') {
    const isFile = server.folders.length > 0 && /^file:/i.test(call.name)
    const paths = isFile ? { paths: confine(server.folders, { uri: call.name }, ['/uri']) } : {}
    return { server, tool: undefined, action: 'resources/read', facts: { uri: call.name, ...paths } }
  }
  return { server, tool: undefined, action: call.method, facts: { name: call.name } }
}

/**
 * What an approval, a warrant and a replay are bound to: SHA-256 over the canonical form (RFC 8785) of who asks, which
 * pinned definition, with exactly which arguments, under which policy.
 */
export function digestCall(who: AgentPrincipal, call: Call, tool: Tool | undefined, policy: string | undefined): string {
  const bound = {
    agent: who.id,
    definition: tool?.digest ?? null,
    input: call.input,
    method: call.method,
    name: call.name,
    onBehalfOf: who.onBehalfOf ?? null,
    policy: policy ?? null,
    server: call.server,
  }
  return digestOf(bound)
}
