/** Sessions of revisions 2025-03-26 to 2025-11-25, each bound to the agent that opened it (basic/transports, Streamable HTTP). */
import type { ServerResponse } from 'node:http'
import type { AgentPrincipal } from '@ephor/contract'
import type { Clock, JsonObject } from '@ephor/engine/kernel'
import { SESSION_REVISIONS, answerRequest, greet, readInitialize } from './answer-session.ts'
import type { SessionDeps } from './answer-session.ts'
import { objectAt } from './caller.ts'
import { Rejection } from './check-request.ts'
import { createEventRing } from './event-ring.ts'
import type { Posted } from './posted.ts'
import { errorOf } from './replies.ts'
import { Reply } from './reply.ts'
import type { InFlight, Session } from './session.ts'
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

export type SessionsOptions = SessionDeps & { clock: Clock; onClosed: (session: Session) => void }

const INVALID_REQUEST = -32600
const SERVER_ERROR = -32000
const SESSION_NOT_FOUND = -32001

/** Since this revision a client understands events without data. */
const PRIMES = '2025-11-25'

const idOf = (body: JsonObject | undefined) => body?.['id']

export function createSessions(options: SessionsOptions): Sessions {
  const { clock, settings, onClosed } = options
  const sessions = new Map<string, Session>()
  const of = (agent: string) => [...sessions.values()].filter((session) => session.agent === agent)
  const isBusy = (session: Session) => session.open.size > 0 || session.inFlight.size > 0

  function end(session: Session): void {
    if (!sessions.delete(session.id)) return
    for (const { controller, reply, timer } of session.inFlight.values()) {
      clearTimeout(timer)
      controller.abort()
      reply.end()
    }
    session.standalone.end()
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

  function begin({ id: agent }: AgentPrincipal, params: JsonObject): Session {
    const id = clock.id('ses')
    const ring = createEventRing()
    const standalone = new Reply(undefined, { ...settings, ring, headers: { 'mcp-session-id': id } })
    const session: Session = {
      ...readInitialize(params),
      id,
      agent,
      ring,
      standalone,
      inFlight: new Map(),
      asked: new Map(),
      open: new Map(),
      lastSeen: clock.now(),
      logLevel: undefined,
    }
    sessions.set(id, session)
    return session
  }

  /** A connection that broke in the middle of a call: the call goes on for a while, in case the client resumes the stream. */
  function onBroken(entry: InFlight): void {
    clearTimeout(entry.timer)
    entry.timer = setTimeout(() => entry.controller.abort(), settings.resumeMs)
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

  /** The stream of the session, or one that broke and is resumed. */
  function handleGet(session: Session, request: Posted): void {
    const { response } = request
    const last = request.request.headers['last-event-id']
    const found = typeof last === 'string' ? session.ring.after(last) : { stream: session.standalone.stream, missed: [] }
    if (found === undefined) return sendError(response, 400, null, SERVER_ERROR, 'This event is not kept, or never was')
    const { stream, missed } = found
    const entry = [...session.inFlight.values()].find(({ reply }) => reply.stream === stream)
    const live = entry?.reply ?? (stream === session.standalone.stream ? session.standalone : undefined)
    if (live?.isOpen === true) return sendError(response, 409, null, SERVER_ERROR, 'This stream has a connection already')
    clearTimeout(entry?.timer)
    track(session, request, () => {
      if (entry !== undefined && session.inFlight.has(entry.id)) onBroken(entry)
    })
    const reply = live ?? new Reply(undefined, { ...settings, headers: { 'mcp-session-id': session.id } })
    reply.resume(response, missed)
    // What came after the answer is nothing.
    if (live === undefined) reply.end()
  }

  /** Answers a request, unless the client cancelled it: then its stream ends without an answer (basic/utilities/cancellation). */
  async function answer(session: Session, request: Posted, produce: (entry: InFlight) => Promise<JsonObject>): Promise<void> {
    const id = idOf(request.body)
    if (typeof id !== 'string' && typeof id !== 'number') return
    const version = request.request.headers['mcp-protocol-version'] ?? session.revision
    const reply = new Reply(request.response, {
      ...settings,
      ring: session.ring,
      primes: typeof version === 'string' && version >= PRIMES,
      headers: { 'mcp-session-id': session.id },
    })
    const entry: InFlight = { id, controller: new AbortController(), reply, timer: undefined }
    session.inFlight.set(id, entry)
    track(session, request, () => {
      if (session.inFlight.get(id) === entry) onBroken(entry)
    })
    const message = await produce(entry).then(
      (result) => ({ jsonrpc: '2.0', id, result }),
      (error: unknown) => ({ jsonrpc: '2.0', id, error: errorOf(error) }),
    )
    clearTimeout(entry.timer)
    session.inFlight.delete(id)
    reply.end(entry.controller.signal.aborted ? undefined : message)
  }

  function accept({ response }: Posted): void {
    response.writeHead(202).end()
  }

  async function handlePost(session: Session, request: Posted): Promise<void> {
    const { body, response } = request
    const id = idOf(body)
    const method = body?.['method']
    if (id === undefined) {
      const cancelled = method === 'notifications/cancelled' ? objectAt(body, 'params')?.['requestId'] : undefined
      if (typeof cancelled === 'string' || typeof cancelled === 'number') session.inFlight.get(cancelled)?.controller.abort()
      return accept(request)
    }
    if (typeof method !== 'string') {
      const settle = typeof id === 'string' ? session.asked.get(id) : undefined
      // An answer to a request that was never made could be meant for somebody else's.
      if (settle === undefined) return sendError(response, 400, null, INVALID_REQUEST, 'No request with this id waits for an answer')
      settle(body ?? {})
      return accept(request)
    }
    if (method === 'initialize') return sendError(response, 400, id, INVALID_REQUEST, 'This session is initialized')
    if ((typeof id === 'string' || typeof id === 'number') && session.inFlight.has(id))
      return sendError(response, 400, id, INVALID_REQUEST, 'A request with this id is still being answered')
    await answer(session, request, (entry) => answerRequest(options, session, entry, request, method))
  }

  async function handleInitialize(request: Posted): Promise<void> {
    const { body, principal, response } = request
    if (!makeRoom(principal.id))
      return sendError(response, 429, idOf(body), SERVER_ERROR, 'Too many sessions of this agent; close one', 'RATE_LIMITED')
    let session: Session
    try {
      session = begin(principal, objectAt(body, 'params') ?? {})
    } catch (error) {
      const { code, message } = errorOf(error)
      throw new Rejection(400, code, message, { id: idOf(body) })
    }
    await answer(session, request, () => greet(options, principal, session.revision))
  }

  /** @throws Rejection 400, 404 */
  function find({ request, principal, body }: Posted): Session {
    const id = request.headers['mcp-session-id']
    const session = typeof id === 'string' ? sessions.get(id) : undefined
    if (id === undefined) throw new Rejection(400, SERVER_ERROR, 'Mcp-Session-Id is required: initialize first', { id: idOf(body) })
    // Another agent's session is answered like one that doesn't exist.
    if (session === undefined || session.agent !== principal.id)
      throw new Rejection(404, SESSION_NOT_FOUND, 'Session not found', { id: idOf(body) })
    const version = request.headers['mcp-protocol-version'] ?? session.revision
    if (typeof version !== 'string' || !SESSION_REVISIONS.includes(version))
      throw new Rejection(400, SERVER_ERROR, `Unsupported protocol version; sessions speak ${SESSION_REVISIONS.join(', ')}`, {
        id: idOf(body),
      })
    return session
  }

  return {
    of,

    async handle(request) {
      if (request.request.headers['mcp-session-id'] === undefined && request.body?.['method'] === 'initialize')
        return handleInitialize(request)
      const session = find(request)
      session.lastSeen = clock.now()
      if (request.request.method === 'GET') return handleGet(session, request)
      if (request.request.method === 'POST') return handlePost(session, request)
      end(session)
      request.response.writeHead(200).end()
    },

    notify(agent, id, method, params) {
      for (const session of sessions.values()) {
        if ((agent !== undefined && session.agent !== agent) || (id !== undefined && session.id !== id)) continue
        const { standalone } = session
        // A reader who doesn't read is cut off; its client resumes from the last event it got.
        if (standalone.waiting > settings.maxBacklogBytes) standalone.cut()
        standalone.send({ jsonrpc: '2.0', method, ...(params === undefined ? {} : { params }) })
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
