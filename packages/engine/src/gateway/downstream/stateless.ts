/** Revision 2026-07-28: each request stands alone. */
import { ProtocolErrorCode, SERVER_INFO_META_KEY } from '@modelcontextprotocol/server'
import type { Json, JsonObject, Logger } from '@ephor/engine/kernel'
import { SERVER_INFO } from './answer-session.ts'
import { LogLevelSchema, META_CLIENT_CAPABILITIES, META_LOG_LEVEL, isAtLeast, objectAt } from './caller.ts'
import type { Caller } from './caller.ts'
import { checkParamHeaders } from './check-headers.ts'
import { Rejection } from './check-request.ts'
import { SHARED_METHODS, dispatch } from './dispatch.ts'
import { createListening } from './listening.ts'
import type { Listening } from './listening.ts'
import { createParkedCalls } from './parked-calls.ts'
import type { Continuation } from './parked-calls.ts'
import type { CallDeps } from './perform-call.ts'
import type { Posted } from './posted.ts'
import { META_SESSION, errorOf } from './replies.ts'
import { Reply } from './reply.ts'
import type { GatewaySettings } from './settings.ts'
import type { Subscriptions } from './subscriptions.ts'
import { TASKS_EXTENSION, TASK_METHODS, answerTask2026, declaresTasks, onHeld2026, withoutTasks } from './task-methods.ts'
import type { Tasks } from './tasks.ts'
import { sendError } from './wire-errors.ts'

const METHOD_NOT_FOUND = -32601
/** Older servers' "resource not found", which this revision calls invalid params (server/resources, Error Handling). */
const RESOURCE_NOT_FOUND = -32002
const INVALID_PARAMS = -32602
const MISSING_CAPABILITY: number = ProtocolErrorCode.MissingRequiredClientCapability

export type Stateless = Omit<Listening, 'discover' | 'listen'> & { handle(request: Posted): Promise<void> }

export type StatelessDeps = CallDeps & {
  subscriptions: Subscriptions
  tasks: Tasks
  log: Logger
  settings: GatewaySettings
  now: () => number
  id: () => string
}

const paramsOf = ({ body }: Posted): JsonObject => objectAt(body, 'params') ?? {}

const declaredBy = (request: Posted): JsonObject => objectAt(objectAt(paramsOf(request), '_meta'), META_CLIENT_CAPABILITIES) ?? {}

/** The token's session, else the one the agent names, else one for all calls of the credential: forgetting a name washes nothing off. */
function sessionOf(request: Posted): string {
  const { principal } = request
  if (principal.session !== undefined) return principal.session
  const named = objectAt(paramsOf(request), '_meta')?.[META_SESSION]
  return typeof named === 'string' && /^[\x21-\x7e]{1,128}$/.test(named) ? `${principal.credential}/${named}` : principal.credential
}

function callerOf(deps: StatelessDeps, request: Posted, reply: Reply, signal: AbortSignal): Caller {
  const meta = objectAt(paramsOf(request), '_meta')
  const level = LogLevelSchema.safeParse(meta?.[META_LOG_LEVEL])
  return {
    principal: request.principal,
    bearer: request.bearer,
    session: sessionOf(request),
    origin: deps.id(),
    signal,
    stateless: true,
    clientCapabilities: withoutTasks(declaredBy(request)),
    ...(declaresTasks(declaredBy(request)) ? { onHeld: onHeld2026(deps.tasks) } : {}),
    notify(method, params) {
      if (method === 'notifications/message' && !(level.success && isAtLeast(params['level'], level.data))) return
      reply.send({ jsonrpc: '2.0', method, params }, true)
    },
    ask: () => Promise.reject(new Error('a stateless client is asked through its result')),
    logLevel: () => (level.success ? level.data : undefined),
  }
}

/** Answers are results of the client's own; what looks like a message of JSON-RPC is none. */
function continuationOf({ requestState, inputResponses }: JsonObject): Continuation {
  const given = Object.entries(objectAt({ inputResponses: inputResponses ?? {} }, 'inputResponses') ?? {})
  const responses = Object.fromEntries(given.filter(([, answer]) => isAnswer(answer)))
  return { state: typeof requestState === 'string' ? requestState : undefined, responses }
}

const isAnswer = (value: unknown) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !('method' in value) && !('result' in value)

function missingTasks(id: Json): Rejection {
  const data = { requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } }
  return new Rejection(400, MISSING_CAPABILITY, 'Declare the tasks extension to use its methods', { id, data })
}

/** What the revision wants in every result. */
function complete(result: JsonObject): JsonObject {
  const meta = objectAt(result, '_meta')
  return { resultType: 'complete', ...result, _meta: { [SERVER_INFO_META_KEY]: SERVER_INFO, ...meta } }
}

export function createStateless(deps: StatelessDeps): Stateless {
  const { settings } = deps
  const parked = createParkedCalls(settings.inputWaitMs, settings.sessionsPerAgent)
  const listening = createListening(deps, sessionOf)

  async function answer(request: Posted, method: string): Promise<void> {
    const id = request.body?.['id'] ?? null
    const controller = new AbortController()
    request.response.once('close', () => controller.abort())
    const reply = new Reply(request.response, settings)
    const caller = callerOf(deps, request, reply, controller.signal)
    const { requestState, inputResponses, ...params } = paramsOf(request)
    const continuation = continuationOf({ requestState: requestState ?? null, inputResponses: inputResponses ?? null })
    const { _meta: _ignored, ...asked } = params
    if (TASK_METHODS.has(method) && !declaresTasks(declaredBy(request))) throw missingTasks(id)
    const { name } = params
    if (method === 'tools/call' && typeof name === 'string')
      checkParamHeaders(request.request, request.body ?? {}, deps.catalog.markedSchema(request.principal, name))
    try {
      const result = await parked.serve(caller, method, asked, continuation, (current) =>
        TASK_METHODS.has(method) ? answerTask2026(deps.tasks, current, method, params) : dispatch(deps, current, method, params),
      )
      reply.end({ jsonrpc: '2.0', id, result: complete(result) })
    } catch (thrown) {
      const failure = errorOf(thrown)
      const error = failure.code === RESOURCE_NOT_FOUND ? { ...failure, code: INVALID_PARAMS } : failure
      reply.end({ jsonrpc: '2.0', id, error }, failure.code === MISSING_CAPABILITY ? 400 : 200)
    }
  }

  return {
    ...listening,

    async handle(request) {
      const { body, response } = request
      const method = body?.['method']
      // Nothing that a client of this revision may notify of is for Ephor.
      if (body?.['id'] === undefined) return void response.writeHead(202).end()
      if (method === 'server/discover') return listening.discover(request)
      if (method === 'subscriptions/listen') return listening.listen(request)
      // The revision wants 404 for a method that doesn't exist (basic/transports).
      if (typeof method !== 'string' || !(SHARED_METHODS.has(method) || TASK_METHODS.has(method)))
        return sendError(response, 404, body['id'], METHOD_NOT_FOUND, 'Method not found')
      await answer(request, method)
    },

    endAll(agent) {
      parked.close(agent)
      listening.endAll(agent)
    },

    async close() {
      parked.close()
      await listening.close()
    },
  }
}
