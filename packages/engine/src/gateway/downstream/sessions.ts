/** Sessions of revisions 2025-03-26 to 2025-11-25: one MCP server object each, bound to the agent that opened it. */
import type { ServerResponse } from 'node:http'
import type { AgentPrincipal } from '@ephor/contract'
import type { Clock, JsonObject } from '@ephor/engine/kernel'
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node'
import type { JSONRPCMessage } from '@modelcontextprotocol/server'
import { createEventRing, STANDALONE_STREAM } from './event-ring.ts'
import { createBacklog, posted, weigh } from './posted.ts'
import type { InFlight, Posted } from './posted.ts'
import type { Session } from './session.ts'
import { answerSession } from './session-server.ts'
import type { SessionServerDeps } from './session-server.ts'
import { sendError } from './wire-errors.ts'

export type Sessions = {
  handle(posted: Posted): Promise<void>
  /** Sends a notification to every session of an agent, or to one. */
  notify(agent: string | undefined, session: string | undefined, method: string, params?: JsonObject): void
  of(agent: string): Session[]
  open(): { response: ServerResponse; bearer: string; agent: string }[]
  /** Ends every session of an agent, with its calls and streams. */
  endAll(agent: string): void
  /** Ends what has been idle too long. */
  sweep(now: number): void
  close(): Promise<void>
}

export type SessionsOptions = SessionServerDeps & { clock: Clock; onClosed: (session: Session) => void }

const INVALID_REQUEST = -32600
const idOf = (body: JsonObject | undefined) => body?.['id']

export function createSessions(options: SessionsOptions): Sessions {
  const { clock, log, settings, onClosed } = options
  const sessions = new Map<string, Session>()
  const of = (agent: string) => [...sessions.values()].filter((session) => session.agent === agent)
  const isBusy = (session: Session) => session.open.size > 0 || session.inFlight.size > 0

  function end(session: Session): void {
    if (!sessions.delete(session.id)) return
    for (const { controller, timer } of session.inFlight.values()) {
      clearTimeout(timer)
      controller.abort()
    }
    session.transport.close().catch((error: unknown) => log.debug({ err: error }, 'a session did not close cleanly'))
    onClosed(session)
  }

  /** Makes room by ending the longest idle session; an agent can't take more than its share by opening ever more. */
  function makeRoom(agent: string): boolean {
    const held = of(agent)
    if (held.length < settings.sessionsPerAgent) return true
    const [idlest] = held.filter((session) => !isBusy(session)).toSorted((a, b) => a.lastSeen - b.lastSeen)
    if (idlest === undefined) return false
    end(idlest)
    return true
  }

  /** Learns which stream a request is answered on, and which requests of ours the client may answer. */
  function onStored(session: Session, stream: string, message: JSONRPCMessage): void {
    const entry = posted.getStore()?.entry
    if (entry !== undefined && stream !== STANDALONE_STREAM) entry.stream ??= stream
    if ('method' in message && 'id' in message) session.asked.add(message.id)
  }

  async function open(principal: AgentPrincipal): Promise<Session> {
    const id = clock.id('ses')
    const ring = createEventRing((stream, message) => onStored(session, stream, message))
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: () => id,
      eventStore: ring,
      retryInterval: 1000,
      keepAliveMs: settings.keepAliveMs,
      onsessionclosed: () => end(session),
    })
    const session: Session = {
      id,
      agent: principal.id,
      transport,
      ring,
      inFlight: new Map(),
      asked: new Set(),
      open: new Map(),
      standalone: undefined,
      lastSeen: clock.now(),
      logLevel: undefined,
      notify: () => undefined,
    }
    await answerSession(options, session, principal)
    sessions.set(id, session)
    return session
  }

  /** A connection that broke in the middle of a call: the call goes on for a while, in case the client resumes the stream. */
  function onBroken(entry: InFlight): void {
    clearTimeout(entry.timer)
    if (entry.running) entry.timer = setTimeout(() => entry.controller.abort(), settings.resumeMs)
  }

  function track(session: Session, request: Posted, onClose: () => void): void {
    const { response } = request
    session.open.set(response, request)
    response.once('close', () => {
      session.open.delete(response)
      session.lastSeen = clock.now()
      onClose()
    })
  }

  async function pass(session: Session, request: Posted): Promise<void> {
    await posted.run(request, () => session.transport.handleRequest(request.request, request.response, request.body))
  }

  async function handleGet(session: Session, request: Posted): Promise<void> {
    const { response } = request
    const lastEventId = request.request.headers['last-event-id']
    const stream = typeof lastEventId === 'string' ? session.ring.streamOf(lastEventId) : STANDALONE_STREAM
    const resumed = [...session.inFlight.values()].filter((entry) => entry.stream === stream)
    for (const entry of resumed) clearTimeout(entry.timer)
    track(session, request, () => {
      if (session.standalone?.response === response) session.standalone = undefined
      for (const entry of resumed) onBroken(entry)
    })
    if (stream === STANDALONE_STREAM && session.standalone === undefined)
      session.standalone = { response, full: createBacklog(response, settings.maxBacklogBytes) }
    await pass(session, request)
  }

  async function handlePost(session: Session, request: Posted): Promise<void> {
    const { body, response } = request
    const id = idOf(body)
    if (typeof id !== 'string' && typeof id !== 'number') return pass(session, request)
    if (typeof body?.['method'] !== 'string') {
      // An answer to a request that was never made could be meant for somebody else's.
      if (!session.asked.delete(id)) return sendError(response, 400, null, INVALID_REQUEST, 'No request with this id waits for an answer')
      return pass(session, request)
    }
    if (session.inFlight.has(id)) return sendError(response, 400, id, INVALID_REQUEST, 'A request with this id is still being answered')
    const entry: InFlight = { controller: new AbortController(), running: false, stream: undefined, timer: undefined }
    session.inFlight.set(id, entry)
    track(session, request, () => {
      if (!entry.running) session.inFlight.delete(id)
      else if (!response.writableFinished) onBroken(entry)
    })
    await pass(session, { ...request, entry })
  }

  async function handleInitialize(request: Posted): Promise<void> {
    if (!makeRoom(request.principal.id))
      return sendError(request.response, 429, idOf(request.body), -32000, 'Too many sessions of this agent; close one', 'RATE_LIMITED')
    const session = await open(request.principal)
    await handlePost(session, request)
    if (session.transport.sessionId === undefined) end(session)
  }

  return {
    of,

    async handle(request) {
      const id = request.request.headers['mcp-session-id']
      if (id === undefined) {
        if (request.body?.['method'] === 'initialize') return handleInitialize(request)
        return sendError(request.response, 400, idOf(request.body), -32000, 'Mcp-Session-Id is required: initialize first')
      }
      const session = typeof id === 'string' ? sessions.get(id) : undefined
      // Another agent's session is answered like one that doesn't exist.
      if (session === undefined || session.agent !== request.principal.id)
        return sendError(request.response, 404, idOf(request.body), -32001, 'Session not found')
      session.lastSeen = clock.now()
      if (request.request.method === 'GET') return handleGet(session, request)
      if (request.request.method === 'POST') return handlePost(session, request)
      return pass(session, request)
    },

    notify(agent, id, method, params) {
      for (const session of sessions.values()) {
        if ((agent !== undefined && session.agent !== agent) || (id !== undefined && session.id !== id)) continue
        // A reader who doesn't read is cut off; its client resumes from the last event it got.
        if (session.standalone?.full(weigh(params ?? {}) + 100)) session.standalone.response.destroy()
        session.notify(method, params)
      }
    },

    open: () =>
      [...sessions.values()].flatMap((session) =>
        [...session.open].map(([response, { bearer }]) => ({ response, bearer, agent: session.agent })),
      ),

    endAll(agent) {
      for (const session of of(agent)) end(session)
    },

    sweep(now) {
      for (const session of sessions.values()) {
        if (!isBusy(session) && now - session.lastSeen > settings.sessionIdleMs) end(session)
      }
    },

    async close() {
      for (const session of sessions.values()) end(session)
    },
  }
}
