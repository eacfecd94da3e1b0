/** The registry in memory: what its tables hold, as the types that others read without waiting. */
import type { JsonObject, Store } from '@ephor/engine/kernel'
import { digestOfJson } from './check-definitions.ts'
import { readAgents, readServers, readTools } from './store.ts'
import type { AgentRow, ServerRow, ToolRow } from './store.ts'
import type { Agent, Risk, Standing, Tool, ToolDefinition, ToolKind, ToolServer, Transport } from './types.ts'

// The rows are our own, written from checked values; `registryProjector` says when somebody else changed them.
const parse = (text: string): unknown => JSON.parse(text)
const strings = (text: string) => parse(text) as string[]

function toTool(row: ToolRow, refused: boolean): Tool {
  return {
    server: row.server,
    name: row.name,
    // While the server's list is refused nobody knows what its tools are now.
    state: refused && row.state === 'accepted' ? 'changed' : row.state,
    digest: row.digest,
    kind: row.kind as ToolKind,
    risk: row.risk as Risk,
    paths: strings(row.paths),
    definition: parse(row.definition) as ToolDefinition,
    ...(row.seen === null ? {} : { seen: parse(row.seen) as ToolDefinition }),
  }
}

function toServer(row: ServerRow, tools: readonly ToolRow[]): ToolServer {
  const transport = parse(row.transport) as Transport
  const folders = strings(row.folders)
  const seen = tools.map((tool) => [tool.name, tool.state, tool.seen_digest ?? tool.digest, tool.kind, tool.risk, strings(tool.paths)])
  return {
    name: row.name,
    transport,
    state: row.state,
    folders,
    ...(row.refusal === null ? {} : { error: row.refusal }),
    digest: digestOfJson({
      name: row.name,
      state: row.state,
      transport: transport as unknown as JsonObject,
      folders,
      refusal: row.refusal,
      tools: seen,
    }),
  }
}

const toAgent = ({ id, name, owner, purpose, expires_at: expiresAt, state, groups, tier, standing }: AgentRow): Agent => ({
  id,
  name,
  owner,
  purpose,
  expiresAt,
  state,
  groups: strings(groups),
  ...(tier === null ? {} : { tier }),
  ...(standing === null ? {} : { standing: standing as Standing }),
})

export class Projection {
  readonly servers = new Map<string, ToolServer>()
  readonly tools = new Map<string, Map<string, Tool>>()
  readonly agents = new Map<string, Agent>()
  /** Servers whose last list was refused. */
  readonly refusals = new Map<string, string>()
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  async load(): Promise<void> {
    const [servers, tools, agents] = await Promise.all([readServers(this.#store), readTools(this.#store), readAgents(this.#store)])
    const byServer = Map.groupBy(tools, (tool) => tool.server)
    for (const server of servers) this.#set(server, byServer.get(server.name) ?? [])
    for (const agent of agents) this.agents.set(agent.id, toAgent(agent))
  }

  async refreshServer(name: string): Promise<void> {
    const [[server], tools] = await Promise.all([readServers(this.#store, name), readTools(this.#store, name)])
    if (server) this.#set(server, tools)
  }

  /** Nobody knows what the server's tools are now: none stays callable until the next refresh. */
  block(name: string, error: string): void {
    const server = this.servers.get(name)
    if (server) this.servers.set(name, { ...server, error })
    for (const [key, tool] of this.tools.get(name) ?? [])
      if (tool.state === 'accepted') this.tools.get(name)?.set(key, { ...tool, state: 'changed' })
  }

  async refreshAgent(id: string): Promise<void> {
    const [agent] = await readAgents(this.#store, id)
    if (agent) this.agents.set(id, toAgent(agent))
  }

  #set(server: ServerRow, tools: readonly ToolRow[]): void {
    if (server.refusal === null) this.refusals.delete(server.name)
    else this.refusals.set(server.name, server.refusal)
    this.servers.set(server.name, toServer(server, tools))
    this.tools.set(server.name, new Map(tools.map((tool) => [tool.name, toTool(tool, server.refusal !== null)])))
  }
}
