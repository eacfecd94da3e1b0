/** `server/discover` and `subscriptions/listen` (2026-07-28): one SDK handler an agent, so that no notification crosses between agents. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Json, JsonObject } from '@ephor/engine/kernel'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { InMemoryServerEventBus, Server, createMcpHandler } from '@modelcontextprotocol/server'
import type { McpHttpHandler, ServerEvent } from '@modelcontextprotocol/server'
import { INSTRUCTIONS, SERVER_INFO } from './answer-session.ts'
import { JsonObjectSchema, objectAt } from './caller.ts'
import type { Caller } from './caller.ts'
import type { Posted } from './posted.ts'
import type { StatelessDeps } from './stateless.ts'
import { TASKS_EXTENSION } from './task-methods.ts'

type Stream = { response: ServerResponse; bearer: string; agent: string; full: (bytes: number) => boolean }
type Door = { handler: McpHttpHandler; serve: ReturnType<typeof toNodeHandler>; bus: InMemoryServerEventBus; lastSeen: number }

export type Listening = {
  discover(request: Posted): Promise<void>
  listen(request: Posted): Promise<void>
  publish(agent: string | undefined, event: ServerEvent): void
  open(): { response: ServerResponse; bearer: string; agent: string }[]
  isListening(subscriber: string): string | undefined
  /** Ends every stream of an agent. */
  endAll(agent: string): void
  sweep(now: number): void
  close(): Promise<void>
}

/** The SDK's factory doesn't see the request that it makes a server for; this context does. */
const current = new AsyncLocalStorage<Posted>()

/** A request that a server received has both; Node's type also stands for responses, which have neither. */
function requestLine(request: IncomingMessage): IncomingMessage & { method: string; url: string } {
  return request as IncomingMessage & { method: string; url: string }
}

/**
 * True when more than `maxBytes` would wait for a reader who doesn't read. Once a response says that it needs to drain,
 * the SDK's streams pile up behind it; what is sent from then on is counted until it has drained.
 */
function createBacklog(response: ServerResponse, maxBytes: number): (bytes: number) => boolean {
  let waiting = 0
  response.on('drain', () => {
    waiting = 0
  })
  return (bytes) => {
    if (!response.writableNeedDrain) waiting = 0
    else waiting += bytes
    return waiting > maxBytes
  }
}

/** What a message weighs on the wire, about. */
function weigh(params: Json): number {
  return JSON.stringify(params).length
}

export function createListening(deps: StatelessDeps, sessionOf: (request: Posted) => string): Listening {
  const { settings, log, catalog, subscriptions } = deps
  const doors = new Map<string, Door>()
  const streams = new Map<string, Stream>()

  function doorOf(agent: string): Door {
    const known = doors.get(agent)
    if (known !== undefined) return known
    const bus = new InMemoryServerEventBus((error) => log.debug({ err: error }, 'subscription'))
    const factory = async () => {
      const request = current.getStore()
      if (request === undefined) throw new Error('outside a request')
      const capabilities = { ...(await catalog.capabilities(request.principal)), extensions: { [TASKS_EXTENSION]: {} } }
      return new Server(SERVER_INFO, { capabilities, instructions: INSTRUCTIONS })
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

  async function serve(request: Posted): Promise<void> {
    const door = doorOf(request.principal.id)
    door.lastSeen = deps.now()
    await current.run(request, () => door.serve(requestLine(request.request), request.response, request.body))
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
    const caller: Caller = {
      principal: request.principal,
      bearer: request.bearer,
      session: sessionOf(request),
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

  function closeDoor(agent: string): void {
    const door = doors.get(agent)
    doors.delete(agent)
    door?.handler.close().catch((error: unknown) => log.debug({ err: error }, 'a handler did not close cleanly'))
  }

  return {
    discover: serve,

    async listen(request) {
      const subscriber = deps.id()
      const { response, bearer, principal } = request
      streams.set(subscriber, { response, bearer, agent: principal.id, full: createBacklog(response, settings.maxBacklogBytes) })
      response.once('close', () => {
        streams.delete(subscriber)
        subscriptions.drop(principal.id, subscriber)
      })
      const body = await decideSubscriptions(request, subscriber)
      if (response.destroyed) return subscriptions.drop(principal.id, subscriber)
      await serve({ ...request, body })
    },

    publish(agent, event) {
      for (const [name, door] of doors) {
        if (agent === undefined || agent === name) door.bus.publish(event)
      }
      for (const stream of streams.values()) {
        // A reader who doesn't read is cut off rather than buffered for.
        if (
          (agent === undefined || stream.agent === agent) &&
          stream.full(weigh(event.params ? JsonObjectSchema.catch({}).parse(event.params) : {}) + 200)
        )
          stream.response.destroy()
      }
    },

    open: () => [...streams.values()],
    isListening: (subscriber) => streams.get(subscriber)?.agent,

    endAll(agent) {
      for (const stream of streams.values()) if (stream.agent === agent) stream.response.destroy()
      closeDoor(agent)
    },

    sweep(now) {
      for (const [agent, door] of doors) {
        const busy = [...streams.values()].some((stream) => stream.agent === agent)
        if (busy || now - door.lastSeen <= settings.sessionIdleMs) continue
        closeDoor(agent)
      }
    },

    async close() {
      await Promise.all([...doors.values()].map(({ handler }) => handler.close()))
      doors.clear()
    },
  }
}
