/** Takes the requests that do something through the broker: name to server, decide, run upstream, answer with the receipt. */
import { Fault, isId } from '@ephor/contract'
import type { Broker, Call, CallMethod, Performed, Run } from '@ephor/engine/broker'
import type { JsonObject } from '@ephor/engine/kernel'
import { ProtocolError } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { answerOf, recordedError } from './answer-of.ts'
import { JsonObjectSchema, META_CLIENT_CAPABILITIES, META_LOG_LEVEL, objectAt } from './caller.ts'
import type { Caller } from './caller.ts'
import type { Catalog } from './catalog.ts'
import type { Links } from './links.ts'
import { isSuspicious } from './names.ts'
import { META_APPROVAL, asProtocolError, invalidParams } from './replies.ts'

/** What of a client's `_meta` reaches the tool server: the trace. The rest is in no digest, so an approval would not cover it. */
const TRACE_KEYS = ['traceparent', 'tracestate', 'baggage'] as const

const Name = z.string().min(1).max(1024)
const Uri = z.string().min(1).max(8192)
const Meta = z.looseObject({}).optional()
const PARAMS = {
  'tools/call': z.object({ name: Name, arguments: JsonObjectSchema.optional(), _meta: Meta }),
  'prompts/get': z.object({ name: Name, arguments: JsonObjectSchema.optional(), _meta: Meta }),
  'resources/read': z.object({ uri: Uri, _meta: Meta }),
  'resources/subscribe': z.object({ uri: Uri, _meta: Meta }),
  'completion/complete': z.object({
    ref: z.union([z.object({ type: z.literal('ref/prompt'), name: Name }), z.object({ type: z.literal('ref/resource'), uri: Uri })]),
    argument: JsonObjectSchema,
    context: JsonObjectSchema.optional(),
    _meta: Meta,
  }),
} as const

/** A call whose server is known: what the broker decides on, and what the server is sent if it runs. */
type Target = { server: string; name: string; input: JsonObject; params: JsonObject; suspicious: boolean }

export type CallDeps = { broker: Pick<Broker, 'perform' | 'visible'>; catalog: Catalog; links: Links }

type Answer = { result: JsonObject; target: { server: string; name: string } }

function parse<M extends CallMethod>(method: M, params: JsonObject): z.output<(typeof PARAMS)[M]> {
  const parsed = PARAMS[method].safeParse(params)
  if (parsed.success) return parsed.data as z.output<(typeof PARAMS)[M]>
  const issue = parsed.error.issues[0]
  throw invalidParams(`params/${(issue?.path ?? []).map(String).join('/')}: ${issue?.message ?? 'not valid'}`)
}

async function targetOf({ catalog, broker }: CallDeps, caller: Caller, method: CallMethod, params: JsonObject): Promise<Target> {
  /** A URI that no visible server offers goes to the broker with the server '': refused, and on record. */
  const route = async (uri: string) => (await catalog.route(caller.principal, uri, caller.signal)) ?? { server: '', uri }
  if (method === 'tools/call') {
    const { name: exposed, arguments: input = {} } = parse(method, params)
    const { server, name } = catalog.split(caller.principal, exposed)
    const isKnown = () =>
      broker.visible(caller.principal).some((seen) => seen.server === server && seen.tools.some((tool) => tool.name === name))
    const suspicious = isSuspicious(exposed, false) && isSuspicious(exposed, isKnown())
    return { server, name, input, params: { name, arguments: input }, suspicious }
  }
  if (method === 'prompts/get') {
    const { name: exposed, arguments: input } = parse(method, params)
    const { server, name } = catalog.split(caller.principal, exposed)
    return { server, name, input: input ?? {}, params: { name, ...(input === undefined ? {} : { arguments: input }) }, suspicious: false }
  }
  if (method === 'completion/complete') {
    const { ref, argument, context } = parse(method, params)
    const rest = { argument, ...(context === undefined ? {} : { context }) }
    if (ref.type === 'ref/prompt') {
      const { server, name } = catalog.split(caller.principal, ref.name)
      return { server, name, input: { ref: { ...ref, name }, ...rest }, params: { ref: { ...ref, name }, ...rest }, suspicious: false }
    }
    const { server, uri } = await route(ref.uri)
    return { server, name: uri, input: { ref: { ...ref, uri }, ...rest }, params: { ref: { ...ref, uri }, ...rest }, suspicious: false }
  }
  const { server, uri } = await route(parse(method, params).uri)
  return { server, name: uri, input: { uri }, params: { uri }, suspicious: false }
}

function traceOf(meta: JsonObject | undefined): JsonObject {
  const trace: JsonObject = {}
  for (const key of TRACE_KEYS) {
    const value = meta?.[key]
    if (typeof value === 'string' && value.length <= 8192) trace[key] = value
  }
  return trace
}

/** A stateless server asks only for what the agent's own client can give, and logs only what it wants to hear. */
function envelopeOf(caller: Caller): JsonObject {
  const level = caller.stateless ? caller.logLevel() : undefined
  return { [META_CLIENT_CAPABILITIES]: caller.clientCapabilities, ...(level === undefined ? {} : { [META_LOG_LEVEL]: level }) }
}

/** JSON-RPC errors of the server carry an integer code; our own faults a word. */
function protocolErrorOf(error: unknown): ProtocolError | undefined {
  if (!(error instanceof Error) || !('code' in error) || !Number.isSafeInteger(error.code)) return undefined
  return new ProtocolError(Number(error.code), error.message, 'data' in error ? error.data : undefined)
}

/** Sends the call to its server, with progress and trace. */
function runner({ links }: CallDeps, caller: Caller, method: CallMethod, target: Target, meta: JsonObject | undefined): Run {
  const progressToken = meta?.['progressToken']
  const params = { ...target.params, _meta: { ...traceOf(meta), ...envelopeOf(caller) } }
  return async ({ timeoutMs, obligations }, signal) => {
    if (target.suspicious) throw new Fault('TOOL_NAME_SUSPICIOUS', 'the name is not plain')
    const upstream = await links.connect(target.server, caller.principal.id)
    const origin = { agent: caller.principal.id, session: caller.origin }
    const quiet = obligations.some(({ kind }) => kind === 'redact')
    const onProgress =
      !quiet && (typeof progressToken === 'string' || typeof progressToken === 'number')
        ? { onProgress: (progress: JsonObject) => caller.notify('notifications/progress', { ...progress, progressToken }) }
        : {}
    try {
      const value = await links.during(quiet ? { ...caller, quiet } : caller, target.server, () =>
        upstream.request(method, params, { signal, timeoutMs, origin, fulfil: true, ...onProgress }),
      )
      return { isError: value['isError'] === true, value }
    } catch (error) {
      const refused = protocolErrorOf(error)
      if (refused === undefined) throw error
      return { isError: true, value: recordedError(refused) }
    }
  }
}

/**
 * Decides, runs and answers one request.
 * @throws ProtocolError what the client gets instead of a result.
 */
export async function performCall(deps: CallDeps, caller: Caller, method: CallMethod, params: JsonObject): Promise<Answer> {
  const meta = objectAt(params, '_meta')
  const target = await targetOf(deps, caller, method, params)
  const approval = meta?.[META_APPROVAL]
  const trace = meta?.['traceparent']
  const call: Call = {
    door: 'mcp',
    bearer: caller.bearer,
    method,
    server: target.server,
    name: target.name,
    input: target.input,
    session: caller.session,
    ...(typeof approval === 'string' && isId('apr', approval) ? { approval } : {}),
    ...(typeof trace === 'string' ? { trace } : {}),
    signal: caller.signal,
  }
  let performed: Performed
  try {
    performed = await deps.broker.perform(call, runner(deps, caller, method, target, meta))
  } catch (error) {
    throw asProtocolError(error)
  }
  if (performed.kind === 'held' && caller.onHeld !== undefined) return { result: caller.onHeld(performed), target }
  // The name itself is the reason, whatever else the broker found wrong with it.
  const shown = target.suspicious && performed.kind === 'refused' ? { ...performed, fault: 'TOOL_NAME_SUSPICIOUS' as const } : performed
  return { result: answerOf(caller, method, shown), target }
}
