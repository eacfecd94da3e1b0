/** Revision 2026-07-28: each request stands alone; one SDK handler an agent, so that no notification crosses between agents. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { JsonObject, Logger } from '@ephor/engine/kernel'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { InMemoryServerEventBus, Server, createMcpHandler } from '@modelcontextprotocol/server'
import type { McpHttpHandler, ServerContext, ServerEvent } from '@modelcontextprotocol/server'
import { JsonObjectSchema, LogLevelSchema, META_CLIENT_CAPABILITIES, META_LOG_LEVEL, isAtLeast, objectAt } from './caller.ts'
import type { Caller } from './caller.ts'
import { SHARED_METHODS, dispatch } from './dispatch.ts'
import { createParkedCalls } from './parked-calls.ts'
import type { CallDeps } from './perform-call.ts'
import { createBacklog, posted, weigh } from './posted.ts'
import type { Posted } from './posted.ts'
import { META_SESSION } from './replies.ts'
import { INSTRUCTIONS, SERVER_INFO } from './session-server.ts'
import type { GatewaySettings } from './settings.ts'
import type { Subscriptions } from './subscriptions.ts'
import { sendError } from './wire-errors.ts'

const METHOD_NOT_FOUND = -32601

/** What a server object may ever send; the real offer is worked out where it is asked for. */
const EVERYTHING = {
  tools: { listChanged: true },
  resources: { listChanged: true, subscribe: true },
  prompts: { listChanged: true },
  completions: {},
  logging: {},
}

type Listening = { response: ServerResponse; bearer: string; agent: string; full: (bytes: number) => boolean }
type Door = { handler: McpHttpHandler; serve: ReturnType<typeof toNodeHandler>; bus: InMemoryServerEventBus; lastSeen: number }

export type Stateless = {
  handle(request: Posted): Promise<void>
  publish(agent: string | undefined, event: ServerEvent): void
  open(): { response: ServerResponse; bearer: string; agent: string }[]
  isListening(subscriber: string): string | undefined
  agents(): { agent: string; lastSeen: number }[]
  /** Ends every stream of an agent and every call of it that waits for input. */
  endAll(agent: string): void
  sweep(now: number): void
  close(): Promise<void>
}

export type StatelessDeps = CallDeps & {
  subscriptions: Subscriptions
  log: Logger
  settings: GatewaySettings
  now: () => number
  id: () => string
}

/** The token's session, else the one the agent names, else one for all calls of the credential: forgetting a name washes nothing off. */
function sessionOf({ principal }: Posted, meta: JsonObject | undefined): string {
  if (principal.session !== undefined) return principal.session
  const named = meta?.[META_SESSION]
  return typeof named === 'string' && /^[\x21-\x7e]{1,128}$/.test(named) ? `${principal.credential}/${named}` : principal.credential
}

/** A request that a server received has both; Node's type also stands for responses, which have neither. */
function requestLine(request: IncomingMessage): IncomingMessage & { method: string; url: string } {
  return request as IncomingMessage & { method: string; url: string }
}

function callerOf(deps: StatelessDeps, request: Posted, ctx: ServerContext): Caller {
  const { principal, bearer, response } = request
  const meta = objectAt(objectAt(request.body, 'params'), '_meta')
  const level = LogLevelSchema.safeParse(meta?.[META_LOG_LEVEL])
  let full: ReturnType<typeof createBacklog> | undefined
  return {
    principal,
    bearer,
    session: sessionOf(request, meta),
    origin: deps.id(),
    signal: ctx.mcpReq.signal,
    stateless: true,
    clientCapabilities: objectAt(meta, META_CLIENT_CAPABILITIES) ?? {},
    notify(method, params) {
      if (method === 'notifications/message' && !(level.success && isAtLeast(params['level'], level.data))) return
      full ??= createBacklog(response, deps.settings.maxBacklogBytes)
      if (!full(weigh(params))) ctx.mcpReq.notify({ method, params }).catch(() => undefined)
    },
    ask: () => Promise.reject(new Error('a stateless client is asked through its result')),
    logLevel: () => (level.success ? level.data : undefined),
  }
}

export function createStateless(deps: StatelessDeps): Stateless {
  const { settings, log, catalog, subscriptions } = deps
  const parked = createParkedCalls(settings.inputWaitMs, settings.sessionsPerAgent)
  const doors = new Map<string, Door>()
  const listening = new Map<string, Listening>()

  /** A new server object a request: about 10 µs, and nothing can leak from one request into the next. */
  async function serverFor(request: Posted): Promise<Server> {
    const method = request.body?.['method']
    const asksForOffer = method === 'server/discover' || method === 'subscriptions/listen'
    const capabilities = asksForOffer ? await catalog.capabilities(request.principal) : EVERYTHING
    const server = new Server(SERVER_INFO, { capabilities, instructions: INSTRUCTIONS })
    server.fallbackRequestHandler = async ({ method: name, params }, ctx) => {
      const { requestState: _state, inputResponses: _responses, ...rest } = JsonObjectSchema.catch({}).parse(params)
      const continuation = { state: ctx.mcpReq.requestState<string>(), responses: ctx.mcpReq.inputResponses ?? {} }
      const caller = callerOf(deps, request, ctx)
      const { _meta: _ignored, ...asked } = rest
      return parked.serve(caller, name, asked, continuation, (current) => dispatch(deps, current, name, rest))
    }
    return server
  }

  function doorOf(agent: string): Door {
    const known = doors.get(agent)
    if (known !== undefined) return known
    const bus = new InMemoryServerEventBus((error) => log.debug({ err: error }, 'subscription'))
    const factory = () => {
      const request = posted.getStore()
      if (request === undefined) throw new Error('outside a request')
      return serverFor(request)
    }
    const handler = createMcpHandler(factory, {
      legacy: 'reject',
      bus,
      maxSubscriptions: settings.sessionsPerAgent,
      keepAliveMs: settings.keepAliveMs,
      onerror: (error) => log.debug({ err: error }, 'stateless request'),
    })
    const door = { handler, serve: toNodeHandler(handler), bus, lastSeen: deps.now() }
    doors.set(agent, door)
    return door
  }

  /** Each resource that a stream wants to hear of is decided first; those refused or held are left out of what is acknowledged. */
  async function decideSubscriptions(request: Posted, subscriber: string): Promise<JsonObject> {
    const body = request.body ?? {}
    const params = objectAt(body, 'params') ?? {}
    const filter = objectAt(params, 'notifications')
    const wanted = filter?.['resourceSubscriptions']
    if (filter === undefined || !Array.isArray(wanted)) return body
    const controller = new AbortController()
    request.response.once('close', () => controller.abort())
    const meta = objectAt(params, '_meta')
    const caller: Caller = {
      principal: request.principal,
      bearer: request.bearer,
      session: sessionOf(request, meta),
      origin: subscriber,
      signal: controller.signal,
      stateless: true,
      clientCapabilities: {},
      notify: () => undefined,
      ask: () => Promise.reject(new Error('no client to ask')),
      logLevel: () => undefined,
    }
    const honoured: string[] = []
    for (const uri of wanted) {
      if (typeof uri !== 'string') continue
      try {
        await subscriptions.subscribe(caller, subscriber, uri)
        honoured.push(uri)
      } catch (error) {
        log.info({ agent: request.principal.id, err: error }, 'a subscription was not permitted')
      }
    }
    return { ...body, params: { ...params, notifications: { ...filter, resourceSubscriptions: honoured } } }
  }

  async function listen(door: Door, request: Posted): Promise<void> {
    const subscriber = deps.id()
    const { response, bearer, principal } = request
    listening.set(subscriber, { response, bearer, agent: principal.id, full: createBacklog(response, settings.maxBacklogBytes) })
    response.once('close', () => {
      listening.delete(subscriber)
      subscriptions.drop(principal.id, subscriber)
    })
    const body = await decideSubscriptions(request, subscriber)
    if (response.destroyed) return subscriptions.drop(principal.id, subscriber)
    await posted.run({ ...request, body }, () => door.serve(requestLine(request.request), response, body))
  }

  function closeDoor(agent: string): void {
    const door = doors.get(agent)
    doors.delete(agent)
    door?.handler.close().catch((error: unknown) => log.debug({ err: error }, 'a handler did not close cleanly'))
  }

  return {
    async handle(request) {
      const { body, response, principal } = request
      const method = body?.['method']
      const isKnown =
        typeof method === 'string' && (SHARED_METHODS.has(method) || method === 'server/discover' || method === 'subscriptions/listen')
      // The revision wants 404 for a method that doesn't exist (basic/transports); the SDK gives it only without a fallback.
      if (!isKnown && body?.['id'] !== undefined) return sendError(response, 404, body['id'], METHOD_NOT_FOUND, 'Method not found')
      const door = doorOf(principal.id)
      door.lastSeen = deps.now()
      if (method === 'subscriptions/listen') return listen(door, request)
      await posted.run(request, () => door.serve(requestLine(request.request), response, body))
    },

    publish(agent, event) {
      for (const [name, door] of doors) {
        if (agent === undefined || agent === name) door.bus.publish(event)
      }
      for (const stream of listening.values()) {
        // A reader who doesn't read is cut off rather than buffered for.
        if (
          (agent === undefined || stream.agent === agent) &&
          stream.full(weigh(event.params ? JsonObjectSchema.catch({}).parse(event.params) : {}) + 200)
        )
          stream.response.destroy()
      }
    },

    open: () => [...listening.values()],
    isListening: (subscriber) => listening.get(subscriber)?.agent,
    agents: () => [...doors].map(([agent, { lastSeen }]) => ({ agent, lastSeen })),

    endAll(agent) {
      parked.close(agent)
      for (const stream of listening.values()) if (stream.agent === agent) stream.response.destroy()
      closeDoor(agent)
    },

    sweep(now) {
      for (const [agent, door] of doors) {
        const busy = [...listening.values()].some((stream) => stream.agent === agent)
        if (busy || now - door.lastSeen <= settings.sessionIdleMs) continue
        closeDoor(agent)
      }
    },

    async close() {
      parked.close()
      await Promise.all([...doors.values()].map(({ handler }) => handler.close()))
      doors.clear()
    },
  }
}
