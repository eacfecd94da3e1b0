/** Requests of a session: those of its own revision here, all others handed to what both revisions share. */
import { ProtocolError } from '@modelcontextprotocol/server'
import type { AgentPrincipal } from '@ephor/contract'
import type { JsonObject, Logger } from '@ephor/engine/kernel'
import { z } from 'zod'
import { JsonObjectSchema, LogLevelSchema, objectAt } from './caller.ts'
import type { Caller } from './caller.ts'
import { dispatch } from './dispatch.ts'
import type { CallDeps } from './perform-call.ts'
import type { Posted } from './posted.ts'
import { invalidParams } from './replies.ts'
import type { GatewaySettings } from './settings.ts'
import type { InFlight, Session } from './session.ts'
import type { Subscriptions } from './subscriptions.ts'
import { TASKS_CAPABILITY, TASKS_REVISION, answerTask2025, callAsTask, withoutTasks } from './task-methods.ts'
import type { Tasks } from './tasks.ts'

/** Revisions with sessions that clients may speak; the first is offered to a client that asks for another. */
export const SESSION_REVISIONS: readonly string[] = ['2025-11-25', '2025-06-18', '2025-03-26']

export const SERVER_INFO = { name: 'ephor', title: 'Ephor', version: '0.1.0' }

/** Told to every client: tool servers' own instructions are not passed on, since nobody has accepted them. */
export const INSTRUCTIONS =
  'Every call goes through Ephor: it is permitted, held for the approval of a person, or refused, and recorded. A held call answers with a handle; make exactly the same call again after the approval. Do not try to get around a refusal.'

export type SessionDeps = CallDeps & {
  subscriptions: Subscriptions
  tasks: Tasks
  log: Logger
  settings: GatewaySettings
  now: () => number
  /** Tells the tool servers of an agent how much to log, when the level of one of its sessions changes. */
  onLogLevel: (agent: string) => Promise<void>
}

/** How long a client may take to answer a request of a tool server, in ms; the call's own time-out comes first. */
const ASK_MS = 10 * 60_000

const INTERNAL_ERROR = -32603

const UriParams = z.looseObject({ uri: z.string().min(1).max(8192) })
const LevelParams = z.looseObject({ level: LogLevelSchema })
const InitializeParams = z.looseObject({
  protocolVersion: z.string().max(64),
  capabilities: JsonObjectSchema,
  clientInfo: z.looseObject({ name: z.string(), version: z.string() }),
})

/** What a client asks for when it opens a session. @throws ProtocolError -32602 */
export function readInitialize(params: JsonObject): { revision: string; clientCapabilities: JsonObject } {
  const parsed = InitializeParams.safeParse(params)
  if (!parsed.success) throw invalidParams('initialize needs protocolVersion, capabilities and clientInfo')
  const { protocolVersion, capabilities } = parsed.data
  const [latest = ''] = SESSION_REVISIONS
  const revision = SESSION_REVISIONS.includes(protocolVersion) ? protocolVersion : latest
  return { revision, clientCapabilities: withoutTasks(capabilities) }
}

let questions = 0

/** Asks the client on the stream of the request that the question belongs to; a withdrawn question is cancelled there. */
function ask(session: Session, { reply }: InFlight, method: string, params: JsonObject, signal: AbortSignal): Promise<JsonObject> {
  const id = `ask-${++questions}`
  if (signal.aborted) return Promise.reject(new ProtocolError(INTERNAL_ERROR, 'The question was withdrawn'))
  return new Promise<JsonObject>((resolve, reject) => {
    const withdraw = (): void => {
      settle()
      reply.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id, reason: 'withdrawn' } })
      reject(new ProtocolError(INTERNAL_ERROR, 'The question was withdrawn'))
    }
    const timer = setTimeout(withdraw, ASK_MS)
    function settle(): void {
      clearTimeout(timer)
      session.asked.delete(id)
      signal.removeEventListener('abort', withdraw)
    }
    signal.addEventListener('abort', withdraw, { once: true })
    session.asked.set(id, (answer) => {
      settle()
      const { code, message, data } = objectAt(answer, 'error') ?? {}
      if (answer['error'] === undefined) return resolve(objectAt(answer, 'result') ?? {})
      reject(new ProtocolError(typeof code === 'number' ? code : INTERNAL_ERROR, typeof message === 'string' ? message : '', data))
    })
    reply.send({ jsonrpc: '2.0', id, method, params })
  })
}

function callerOf(session: Session, entry: InFlight, { principal, bearer }: Posted): Caller {
  return {
    principal,
    bearer,
    session: session.id,
    origin: session.id,
    signal: entry.controller.signal,
    stateless: false,
    clientCapabilities: session.clientCapabilities,
    notify: (method, params) => entry.reply.send({ jsonrpc: '2.0', method, params }, true),
    ask: (method, params, signal) => ask(session, entry, method, params, signal),
    logLevel: () => session.logLevel ?? 'debug',
  }
}

async function subscribe(deps: SessionDeps, session: Session, caller: Caller, method: string, params: JsonObject): Promise<JsonObject> {
  const parsed = UriParams.safeParse(params)
  if (!parsed.success) throw invalidParams('params/uri: must be a URI')
  if (method === 'resources/subscribe') return deps.subscriptions.subscribe(caller, session.id, parsed.data.uri)
  return deps.subscriptions.unsubscribe(caller.principal, session.id, parsed.data.uri, caller.signal)
}

/** @throws ProtocolError what the client gets instead of a result, or a fault before anything was decided. */
export async function answerRequest(
  deps: SessionDeps,
  session: Session,
  entry: InFlight,
  posted: Posted,
  method: string,
): Promise<JsonObject> {
  const params = objectAt(posted.body, 'params') ?? {}
  const caller = callerOf(session, entry, posted)
  const hasTasks = session.revision === TASKS_REVISION
  switch (method) {
    case 'ping':
      return {}
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      return subscribe(deps, session, caller, method, params)
    case 'logging/setLevel': {
      const parsed = LevelParams.safeParse(params)
      if (!parsed.success) throw invalidParams('params/level: not a log level')
      session.logLevel = parsed.data.level
      await deps.onLogLevel(session.agent)
      return {}
    }
    case 'tools/list': {
      const { tools } = await dispatch(deps, caller, method, params)
      const offers = hasTasks && Array.isArray(tools)
      return {
        tools: offers ? tools.map((tool) => ({ ...JsonObjectSchema.parse(tool), execution: { taskSupport: 'optional' } })) : (tools ?? []),
      }
    }
    case 'tools/call':
      if (!hasTasks || objectAt(params, 'task') === undefined) return dispatch(deps, caller, method, params)
      return callAsTask(deps.tasks, caller, deps.now(), (asTask) => dispatch(deps, asTask, method, params))
    default:
      return (hasTasks ? await answerTask2025(deps.tasks, caller, method, params) : undefined) ?? dispatch(deps, caller, method, params)
  }
}

/** The answer to `initialize`: what the tool servers that this agent may see offer. */
export async function greet({ catalog }: SessionDeps, principal: AgentPrincipal, revision: string): Promise<JsonObject> {
  const offered = await catalog.capabilities(principal)
  const capabilities = revision === TASKS_REVISION ? { ...offered, tasks: TASKS_CAPABILITY } : offered
  return { protocolVersion: revision, capabilities, serverInfo: SERVER_INFO, instructions: INSTRUCTIONS }
}
