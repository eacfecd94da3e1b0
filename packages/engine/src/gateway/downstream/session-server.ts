/** The MCP server object of one session: capabilities from the tool servers, requests handed to what both revisions share. */
import type { AgentPrincipal } from '@ephor/contract'
import type { JsonObject, Logger } from '@ephor/engine/kernel'
import { ProtocolError, Server } from '@modelcontextprotocol/server'
import type { ServerContext } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { JsonObjectSchema, LogLevelSchema } from './caller.ts'
import type { Caller } from './caller.ts'
import { dispatch } from './dispatch.ts'
import type { CallDeps } from './perform-call.ts'
import { createBacklog, posted, weigh } from './posted.ts'
import { asProtocolError, invalidParams } from './replies.ts'
import type { GatewaySettings } from './settings.ts'
import type { Session } from './session.ts'
import type { Subscriptions } from './subscriptions.ts'

/** Revisions with sessions that clients may speak; the first is offered to a client that asks for another. */
const SESSION_REVISIONS = ['2025-11-25', '2025-06-18', '2025-03-26']

export const SERVER_INFO = { name: 'ephor', title: 'Ephor', version: '0.1.0' }

/** Told to every client: tool servers' own instructions are not passed on, since nobody has accepted them. */
export const INSTRUCTIONS =
  'Every call goes through Ephor: it is permitted, held for the approval of a person, or refused, and recorded. A held call answers with a handle; make exactly the same call again after the approval. Do not try to get around a refusal.'

export type SessionServerDeps = CallDeps & {
  subscriptions: Subscriptions
  log: Logger
  settings: GatewaySettings
  /** Tells the tool servers of an agent how much to log, when the level of one of its sessions changes. */
  onLogLevel: (agent: string) => Promise<void>
}

/** How long a client may take to answer a request of a tool server, in ms; the call's own time-out comes first. */
const ASK_MS = 10 * 60_000

const REQUEST_CANCELLED = -32000

const UriParams = z.looseObject({ uri: z.string().min(1).max(8192) })
const LevelParams = z.looseObject({ level: LogLevelSchema })

/** Hands JSON through: it was parsed at the door. */
const AnyObject = z.looseObject({}).transform((value) => JsonObjectSchema.parse(value))

function callerOf(session: Session, principal: AgentPrincipal, server: Server, ctx: ServerContext, settings: GatewaySettings): Caller {
  const now = posted.getStore()
  const controller = now?.entry?.controller ?? new AbortController()
  ctx.mcpReq.signal.addEventListener('abort', () => controller.abort(), { once: true })
  let full: ReturnType<typeof createBacklog> | undefined
  return {
    principal: now?.principal ?? principal,
    bearer: now?.bearer ?? '',
    session: session.id,
    origin: session.id,
    signal: controller.signal,
    stateless: false,
    clientCapabilities: JsonObjectSchema.catch({}).parse(server.getClientCapabilities()),
    notify(method, params) {
      if (now !== undefined) full ??= createBacklog(now.response, settings.maxBacklogBytes)
      if (full?.(weigh(params))) return
      ctx.mcpReq.notify({ method, params }).catch(() => undefined)
    },
    ask: (method, params, signal) => ctx.mcpReq.send({ method, params }, AnyObject, { signal, timeout: ASK_MS }),
    logLevel: () => session.logLevel ?? 'debug',
  }
}

async function answer(deps: SessionServerDeps, session: Session, caller: Caller, method: string, params: JsonObject): Promise<JsonObject> {
  if (method === 'resources/subscribe' || method === 'resources/unsubscribe') {
    const parsed = UriParams.safeParse(params)
    if (!parsed.success) throw invalidParams('params/uri: must be a URI')
    if (method === 'resources/subscribe') return deps.subscriptions.subscribe(caller, session.id, parsed.data.uri)
    return deps.subscriptions.unsubscribe(caller.principal, session.id, parsed.data.uri, caller.signal)
  }
  if (method === 'logging/setLevel') {
    const parsed = LevelParams.safeParse(params)
    if (!parsed.success) throw invalidParams('params/level: not a log level')
    session.logLevel = parsed.data.level
    await deps.onLogLevel(session.agent)
    return {}
  }
  return dispatch(deps, caller, method, params)
}

/**
 * A cancelled request is not answered (basic/utilities/cancellation), so the SDK would keep its stream for ever: the stream is
 * closed first, and the answer that makes the SDK forget the request then has nowhere to go.
 */
function endCancelled({ transport }: Session, id: string | number): void {
  transport.closeSSEStream(id)
  transport.send({ jsonrpc: '2.0', id, error: { code: REQUEST_CANCELLED, message: 'Cancelled' } }).catch(() => undefined)
}

/** Makes the server object of a session and connects it to the session's transport; from then on `session.notify` works. */
export async function answerSession(deps: SessionServerDeps, session: Session, principal: AgentPrincipal): Promise<void> {
  const capabilities = await deps.catalog.capabilities(principal)
  const server = new Server(SERVER_INFO, { capabilities, instructions: INSTRUCTIONS, supportedProtocolVersions: SESSION_REVISIONS })
  // The SDK would keep the level to itself; here it is also for the tool servers.
  server.removeRequestHandler('logging/setLevel')
  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- the SDK's server is no event target
  server.onerror = (error) => deps.log.debug({ session: session.id, err: error }, 'session')

  server.fallbackRequestHandler = async (request, ctx) => {
    const caller = callerOf(session, principal, server, ctx, deps.settings)
    const entry = posted.getStore()?.entry
    if (entry !== undefined) entry.running = true
    try {
      return await answer(deps, session, caller, request.method, JsonObjectSchema.catch({}).parse(request.params))
    } catch (error) {
      throw error instanceof ProtocolError ? error : asProtocolError(error)
    } finally {
      clearTimeout(entry?.timer)
      session.inFlight.delete(ctx.mcpReq.id)
      if (ctx.mcpReq.signal.aborted) endCancelled(session, ctx.mcpReq.id)
    }
  }
  await server.connect(session.transport)
  session.notify = (method, params) =>
    void server
      .notification({ method, ...(params === undefined ? {} : { params }) })
      .catch((error: unknown) => deps.log.debug({ session: session.id, method, err: error }, 'a notification was not sent'))
}
