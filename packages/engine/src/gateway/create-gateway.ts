/** Puts the door for agents together: sessions and stateless requests over one catalog, one broker and one set of connections. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Fault } from '@ephor/contract'
import type { AgentPrincipal } from '@ephor/contract'
import type { Approvals } from '@ephor/engine/approvals'
import type { Broker } from '@ephor/engine/broker'
import type { Identity } from '@ephor/engine/identity'
import type { Clock, Logger } from '@ephor/engine/kernel'
import type { Ledger } from '@ephor/engine/ledger'
import type { Policy } from '@ephor/engine/policy'
import type { Registry } from '@ephor/engine/registry'
import { createCatalog } from './downstream/catalog.ts'
import { classify } from './downstream/check-headers.ts'
import { Rejection, bearerOf, checkAccept, checkContentType, checkHeadersOnce, checkHost, readMessage } from './downstream/check-request.ts'
import { LOG_LEVELS } from './downstream/caller.ts'
import { announceLists, createHub } from './downstream/hub.ts'
import { createLinks } from './downstream/links.ts'
import type { OnNotification } from './downstream/links.ts'
import type { Posted } from './downstream/posted.ts'
import { createSessions } from './downstream/sessions.ts'
import { GATEWAY_DEFAULTS } from './downstream/settings.ts'
import type { GatewaySettings } from './downstream/settings.ts'
import { createStateless } from './downstream/stateless.ts'
import { createSubscriptions } from './downstream/subscriptions.ts'
import { createTasks } from './downstream/tasks.ts'
import { sendError } from './downstream/wire-errors.ts'
import type { Upstreams } from './upstream/upstreams.ts'

export type GatewayRooms = {
  identity: Pick<Identity, 'identify'>
  broker: Pick<Broker, 'perform' | 'visible' | 'judgeServerRequest' | 'show'>
  approvals: Pick<Approvals, 'find' | 'wait' | 'callOf' | 'withdraw'>
  ledger: Pick<Ledger, 'find'>
  registry: Pick<Registry, 'on' | 'agent' | 'tool'>
  policy: Pick<Policy, 'on'>
  upstreams: Pick<Upstreams, 'connect' | 'release'>
  clock: Clock
  log: Logger
  settings?: Partial<GatewaySettings>
}

export interface Gateway {
  readonly settings: GatewaySettings
  /** Answers one HTTP request to the MCP endpoint. `body`: the bytes of a POST. Never rejects. */
  handle(request: IncomingMessage, response: ServerResponse, body: Uint8Array | undefined): Promise<void>
  /** Ends idle sessions and streams whose credential no longer opens anything. Runs by itself; here for tests. */
  sweep(): Promise<void>
  /** Takes no more requests and ends every session and stream. */
  close(): Promise<void>
}

const SERVER_ERROR = -32000
const CHALLENGE = 'Bearer realm="ephor"'

function reject(response: ServerResponse, log: Logger, error: unknown): void {
  if (error instanceof Rejection) return sendError(response, error.status, error.id, error.code, error.message, error.fault, {}, error.data)
  if (error instanceof Fault) {
    const challenge = error.status === 401 ? { 'www-authenticate': `${CHALLENGE}, error="invalid_token"` } : {}
    return sendError(response, error.status, null, SERVER_ERROR, error.message, error.code, challenge)
  }
  log.error({ err: error }, 'the MCP door failed')
  sendError(response, 500, null, -32603, 'Something failed inside Ephor', 'INTERNAL')
}

/** The parts below the door, wired to one another. */
function assemble(rooms: GatewayRooms, settings: GatewaySettings) {
  const { clock, log, registry } = rooms
  /** A retired agent sees nothing, so that nothing is started for it; its calls still go to the broker, which refuses and records them. */
  const broker = {
    ...rooms.broker,
    visible: (principal: AgentPrincipal) => (registry.agent(principal.id)?.state === 'active' ? rooms.broker.visible(principal) : []),
  }
  let hub: OnNotification = () => undefined
  const links = createLinks(rooms.upstreams, broker, log, (...heard) => hub(...heard))
  const catalog = createCatalog({
    broker,
    tool: (server, name) => registry.tool(server, name),
    links,
    log,
    now: () => clock.now(),
    listTimeoutMs: settings.listTimeoutMs,
    plainNames: settings.plainNames,
  })
  const now = () => clock.now()
  const common = { broker, catalog, links, log, settings, now }
  const subscriptions = createSubscriptions(common)
  const tasks = createTasks({
    ...common,
    approvals: rooms.approvals,
    ledger: rooms.ledger,
    openSessions: (agent) => sessions.of(agent).map(({ id }) => id),
  })
  const deps = { ...common, subscriptions, tasks }

  /** A connection serves all sessions of an agent, so its server logs as much as the most curious of them wants. */
  async function onLogLevel(agent: string): Promise<void> {
    const wanted = sessions.of(agent).flatMap(({ logLevel }) => (logLevel === undefined ? [] : [LOG_LEVELS.indexOf(logLevel)]))
    const level = LOG_LEVELS[Math.min(...wanted)]
    const servers = broker.visible({ kind: 'agent', id: agent, credential: '' }).map(({ server }) => server)
    await Promise.allSettled(
      servers.map(async (server) => {
        const upstream = await links.connectWithin(server, agent, settings.listTimeoutMs)
        if (level === undefined || upstream.capabilities['logging'] === undefined) return
        await upstream.request(
          'logging/setLevel',
          { level },
          { signal: AbortSignal.timeout(settings.listTimeoutMs), timeoutMs: settings.listTimeoutMs },
        )
      }),
    )
  }

  const sessions = createSessions({ ...deps, clock, onLogLevel, onClosed: ({ agent, id }) => subscriptions.drop(agent, id) })
  const stateless = createStateless({ ...deps, id: () => clock.id('ses') })
  hub = createHub({ links, sessions, stateless, subscriptions })
  return { catalog, sessions, stateless }
}

export function createGateway(rooms: GatewayRooms): Gateway {
  const settings = { ...GATEWAY_DEFAULTS, ...rooms.settings }
  const { identity, registry, policy, upstreams, clock, log } = rooms
  const limits = { maxBytes: settings.maxBodyBytes, maxDepth: settings.maxBodyDepth }
  const { catalog, sessions, stateless } = assemble(rooms, settings)
  /** When each agent was last heard of; connections of one that is gone are closed. */
  const lastHeard = new Map<string, number>()
  let closed = false

  /** Forgets an agent: nothing of it stays open, at either door. */
  async function release(agent: string): Promise<void> {
    lastHeard.delete(agent)
    catalog.forget(agent)
    sessions.endAll(agent)
    stateless.endAll(agent)
    await upstreams.release(agent).catch((error: unknown) => log.debug({ agent, err: error }, 'connections did not close cleanly'))
  }

  const unlisten = [
    policy.on(() => announceLists({ sessions, stateless })),
    registry.on(({ agent }) => {
      if (agent === undefined) announceLists({ sessions, stateless })
      else if (registry.agent(agent)?.state !== 'active') void release(agent)
    }),
  ]

  async function identify(request: IncomingMessage): Promise<{ principal: AgentPrincipal; bearer: string }> {
    const bearer = bearerOf(request.headers.authorization)
    if (bearer === undefined) throw new Fault('UNAUTHENTICATED', 'Send the agent credential as Authorization: Bearer')
    const principal = await identity.identify(bearer)
    if (principal.kind !== 'agent') throw new Fault('FORBIDDEN', 'This door is for agents')
    return { principal, bearer }
  }

  async function serve(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array | undefined): Promise<void> {
    checkHeadersOnce(request)
    checkHost(request.headers, settings.allowedHosts)
    if (closed) throw new Fault('SHUTTING_DOWN', 'Ephor is stopping')
    const method = request.method ?? ''
    if (method !== 'POST' && method !== 'GET' && method !== 'DELETE')
      return sendError(response, 405, null, SERVER_ERROR, 'Method not allowed', undefined, { allow: 'GET, POST, DELETE' })
    if (method === 'POST') checkContentType(request.headers)
    checkAccept(method, request.headers.accept)
    const who = await identify(request)
    const body = method === 'POST' ? readMessage(bytes ?? new Uint8Array(), limits) : undefined
    lastHeard.set(who.principal.id, clock.now())
    const posted: Posted = { ...who, request, response, body }
    await (classify(request, body) === 'stateless' ? stateless : sessions).handle(posted)
  }

  /** A long stream outlives the check at its start: a credential revoked meanwhile closes it. */
  async function sweep(): Promise<void> {
    const now = clock.now()
    const open = [...sessions.open(), ...stateless.open()]
    const byBearer = Map.groupBy(open, ({ bearer }) => bearer)
    for (const [bearer, streams] of byBearer) {
      await identity.identify(bearer).catch(() => {
        for (const { response } of streams) response.destroy()
      })
    }
    sessions.sweep(now)
    stateless.sweep(now)
    for (const [agent, at] of lastHeard) {
      const isHere = sessions.of(agent).length > 0 || open.some((stream) => stream.agent === agent)
      if (isHere || now - at <= settings.sessionIdleMs) continue
      await release(agent)
    }
  }

  const timer = setInterval(
    () => void sweep().catch((error: unknown) => log.error({ err: error }, 'the sweep failed')),
    settings.keepAliveMs,
  )
  timer.unref()

  return {
    settings,
    sweep,
    handle: (request, response, body) => serve(request, response, body).catch((error: unknown) => reject(response, log, error)),
    async close() {
      closed = true
      clearInterval(timer)
      for (const stop of unlisten) stop()
      await Promise.all([sessions.close(), stateless.close()])
    },
  }
}
