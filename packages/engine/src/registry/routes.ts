/** The registry over HTTP: for people only, paged, with ETags where something is edited. */
import { Fault, registryOperations } from '@ephor/contract'
import type { AgentView, ServerView, ToolView } from '@ephor/contract'
import { isoTime, mount } from '@ephor/engine/kernel'
import type { Authenticate, Handlers } from '@ephor/engine/kernel'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { digestOf, digestOfJson } from './check-definitions.ts'
import { extractSecrets, showTransport } from './secret-fields.ts'
import type { Agent, Registry, Tool, ToolServer } from './types.ts'
import { cleanText } from './untrusted-text.ts'

export type RegistryHooks = {
  authenticate: Authenticate
  /** Connects to a server and has its tools observed. A failure is shown as the server's `error`. */
  inspect(server: string): Promise<void>
  /** Puts a secret found in a transport into the vault, on behalf of the person. */
  intake(name: string, value: string, by: string): Promise<void>
}

const shown = (text: unknown) => (typeof text === 'string' ? cleanText(text) : undefined)

function viewTool(tool: Tool): ToolView {
  const [title, description] = [shown(tool.definition['title']), shown(tool.definition['description'])]
  return {
    server: tool.server,
    name: tool.name,
    state: tool.state,
    kind: tool.kind,
    risk: tool.risk,
    paths: tool.paths,
    digest: tool.digest,
    ...(title === undefined ? {} : { title }),
    ...(description === undefined ? {} : { description }),
  }
}

function viewServer(registry: Registry, server: ToolServer): ServerView {
  const tools = { proposed: 0, accepted: 0, changed: 0, gone: 0 }
  for (const tool of registry.tools(server.name)) tools[tool.state]++
  const { name, state, folders, error, digest } = server
  return { name, state, transport: showTransport(server.transport), folders, digest, tools, ...(error === undefined ? {} : { error }) }
}

const viewAgent = (agent: Agent): AgentView => ({ ...agent, expiresAt: isoTime(agent.expiresAt) })

/** A page of what is in memory, in order of `key`; the cursor is the last key of the page before. */
function page<T>(items: readonly T[], key: (item: T) => string, { cursor, limit }: { cursor?: string | undefined; limit: number }) {
  const rest = items
    .map((item) => ({ item, at: key(item) }))
    .filter(({ at }) => cursor === undefined || at > cursor)
    .toSorted((a, b) => (a.at < b.at ? -1 : 1))
  const last = rest.length > limit ? rest[limit - 1] : undefined
  return { items: rest.slice(0, limit).map(({ item }) => item), ...(last === undefined ? {} : { next: last.at }) }
}

const etag = (reply: FastifyReply, digest: string) => void reply.header('etag', `"${digest}"`)

/** RFC 9110, section 13.1.1. Absent: no precondition. @throws Fault PRECONDITION_FAILED */
function checkIfMatch(request: FastifyRequest, digest: string): void {
  const given = request.headers['if-match']
  if (given === undefined || given.trim() === '*') return
  if (!given.split(',').some((tag) => tag.trim() === `"${digest}"`)) throw new Fault('PRECONDITION_FAILED', 'it changed since it was read')
}

const digestOfView = (view: AgentView | ToolView) => digestOfJson(JSON.parse(JSON.stringify(view)))

/** Tool names are the server's: a cursor carries them in characters that a URL keeps. */
const toolKey = ({ server, name }: ToolView) =>
  `${server}.${Buffer.from(name).toString('hex').slice(0, 100)}.${digestOf(name).slice(7, 23)}`

function found(registry: Registry, name: string): ToolServer {
  const server = registry.server(name)
  if (!server || server.state === 'removed') throw new Fault('SERVER_UNKNOWN', `no tool server is called ${name}`)
  return server
}

function answerServer(registry: Registry, server: ToolServer, reply: FastifyReply): ServerView {
  etag(reply, server.digest)
  return viewServer(registry, server)
}

const { listAgents, registerAgent, showAgent, retireAgent, extendAgent, trustAgent, ...serverOperations } = registryOperations
const agentOperations = { listAgents, registerAgent, showAgent, retireAgent, extendAgent, trustAgent }

function serverHandlers(registry: Registry, hooks: RegistryHooks): Handlers<typeof serverOperations> {
  return {
    listServers: async ({ query }) =>
      page(
        registry.servers().map((one) => viewServer(registry, one)),
        ({ name }) => name,
        query,
      ),
    async proposeServer({ body, principal, reply }) {
      const { name } = body
      const { transport, secrets } = extractSecrets(name, body.transport)
      await registry.proposeServer({ ...body, transport }, principal.id, async () => {
        for (const secret of secrets) await hooks.intake(secret.name, secret.value, principal.id)
      })
      try {
        await hooks.inspect(name)
      } catch (error) {
        registry.observeFailure(name, error instanceof Fault ? error.message : 'it could not be reached')
      }
      return answerServer(registry, found(registry, name), reply)
    },
    async showServer({ params, reply }) {
      const list = registry.tools(params.name).map((tool) => ({ ...viewTool(tool), definition: tool.definition }))
      return { ...answerServer(registry, found(registry, params.name), reply), list }
    },
    async diffServer({ params, reply }) {
      const { digest } = found(registry, params.name)
      etag(reply, digest)
      return { digest, findings: registry.findings(params.name), tools: registry.diffServer(params.name) }
    },
    async acceptServer({ params, body, principal, request, reply }) {
      checkIfMatch(request, found(registry, params.name).digest)
      return answerServer(registry, await registry.acceptServer(params.name, body, principal.id), reply)
    },
    async removeServer({ params, principal, request }) {
      checkIfMatch(request, found(registry, params.name).digest)
      return viewServer(registry, await registry.removeServer(params.name, principal.id))
    },
    listTools: async ({ query }) => page(registry.tools(query.server).map(viewTool), toolKey, query),
    async classifyTool({ params, body, principal, request, reply }) {
      const tool = registry.tool(params.server, params.name)
      if (tool) checkIfMatch(request, digestOfView(viewTool(tool)))
      const view = viewTool(await registry.classifyTool(params.server, params.name, body, principal.id))
      etag(reply, digestOfView(view))
      return view
    },
  }
}

function agentHandlers(registry: Registry): Handlers<typeof agentOperations> {
  const known = (id: string): Agent => {
    const agent = registry.agent(id)
    // Not AGENT_UNKNOWN: that is what an agent is told, with 403.
    if (!agent) throw new Fault('NOT_FOUND', 'no agent is registered by this id')
    return agent
  }
  const answer = (agent: Agent, reply: FastifyReply): AgentView => {
    const view = viewAgent(agent)
    etag(reply, digestOfView(view))
    return view
  }
  return {
    listAgents: async ({ query }) => page(registry.agents().map(viewAgent), ({ id }) => id, query),
    async registerAgent({ body, principal, reply }) {
      const { name, purpose, owner = principal.id, expiresAt } = body
      const until = expiresAt === undefined ? {} : { expiresAt: Date.parse(expiresAt) }
      return answer(await registry.registerAgent({ name, purpose, owner, ...until }, principal.id), reply)
    },
    showAgent: async ({ params, reply }) => answer(known(params.id), reply),
    async retireAgent({ params, principal, request, reply }) {
      checkIfMatch(request, digestOfView(viewAgent(known(params.id))))
      return answer(await registry.retireAgent(params.id, principal.id), reply)
    },
    async trustAgent({ params, body, principal, request, reply }) {
      checkIfMatch(request, digestOfView(viewAgent(known(params.id))))
      const { groups, tier, standing } = body
      const trust = { groups, ...(tier === undefined ? {} : { tier }), ...(standing === undefined ? {} : { standing }) }
      return answer(await registry.trustAgent(params.id, trust, principal.id), reply)
    },
    async extendAgent({ params, body, principal, request, reply }) {
      checkIfMatch(request, digestOfView(viewAgent(known(params.id))))
      const until = body.expiresAt === undefined ? undefined : Date.parse(body.expiresAt)
      return answer(await registry.extendAgent(params.id, until, principal.id), reply)
    },
  }
}

export function mountRegistry(app: FastifyInstance, registry: Registry, hooks: RegistryHooks): void {
  const authenticate: Authenticate = (request, reply) => hooks.authenticate(request, reply)
  mount(app, serverOperations, serverHandlers(registry, hooks), authenticate)
  mount(app, agentOperations, agentHandlers(registry), authenticate)
}
