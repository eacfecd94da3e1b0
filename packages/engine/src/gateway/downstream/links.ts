/** Connections to tool servers as the door uses them: wired once each, so that what a server says reaches the right agent and only it. */
import { Fault } from '@ephor/contract'
import type { Broker, JudgedServerRequest } from '@ephor/engine/broker'
import type { JsonObject, Logger } from '@ephor/engine/kernel'
import { ProtocolError } from '@modelcontextprotocol/server'
import { UpstreamError } from '../upstream/upstream-error.ts'
import type { CallOrigin, ServerQuestion, Upstream, Upstreams } from '../upstream/upstreams.ts'
import { SERVER_REQUESTS, canAsk } from './caller.ts'
import type { Caller, ServerRequestMethod } from './caller.ts'

/** What the door does with a notification that belongs to no request. */
export type OnNotification = (agent: string, server: string, method: string, params: JsonObject) => void

export type Links = {
  connect(server: string, agent: string): Promise<Upstream>
  /** @throws Fault UPSTREAM_TIMEOUT when it takes longer than `ms`; the connecting goes on. */
  connectWithin(server: string, agent: string, ms: number): Promise<Upstream>
  /** Runs `work` while `caller` counts as the one whom the server works for. */
  during<T>(caller: Caller, server: string, work: () => Promise<T>): Promise<T>
  /** The callers whom a server works for right now on behalf of an agent, the latest of each origin. */
  callers(agent: string, server: string): Caller[]
  /** True while any of them is quiet: nobody can say which of its calls a server speaks of. */
  isQuiet(agent: string, server: string): boolean
}

type Ask = { method: ServerRequestMethod; params: JsonObject; key?: string }
type Permitted = Extract<JudgedServerRequest, { permitted: true }>

const METHOD_NOT_FOUND = -32601
/** The code clients use for "the user rejected it" (client/sampling and client/elicitation of the specification). */
const REJECTED = -1

function isServerRequest(method: string): method is ServerRequestMethod {
  return SERVER_REQUESTS.some((known) => known === method)
}

export function createLinks(
  upstreams: Pick<Upstreams, 'connect'>,
  broker: Pick<Broker, 'judgeServerRequest'>,
  log: Logger,
  onNotification: OnNotification,
): Links {
  const wired = new WeakSet<Upstream>()
  const working = new Map<string, Set<Caller>>()
  const keyOf = (agent: string, server: string) => `${server} ${agent}`

  function callers(agent: string, server: string): Caller[] {
    const latest = new Map<string, Caller>()
    for (const caller of working.get(keyOf(agent, server)) ?? []) latest.set(caller.origin, caller)
    return [...latest.values()]
  }

  /** Each is decided and sealed by itself; all are permitted or none is asked. */
  async function decide(server: string, caller: Caller, asks: Ask[]): Promise<Permitted[]> {
    const { principal, session, clientCapabilities } = caller
    const judged = await Promise.all(
      asks.map(({ method, params }) => broker.judgeServerRequest({ server, method, agent: principal.id, session, params })),
    )
    const permitted = judged.filter((one) => one.permitted)
    const refused = judged.find((one) => !one.permitted)
    const impossible = asks.find(({ method, params }) => !canAsk(clientCapabilities, method, params))
    if (refused === undefined && impossible === undefined) return permitted
    await Promise.all(permitted.map((one) => one.seal('failed')))
    if (refused !== undefined) throw new UpstreamError(REJECTED, `Refused (${refused.fault}): ${refused.detail}`)
    throw new UpstreamError(METHOD_NOT_FOUND, `The client does not offer ${impossible?.method}`)
  }

  async function askClient(permitted: Permitted, caller: Caller, { method, params, key }: Ask, signal: AbortSignal): Promise<JsonObject> {
    try {
      const result = await caller.ask(method, params, signal, key)
      await permitted.seal('succeeded', result)
      return result
    } catch (error) {
      await permitted.seal(signal.aborted ? 'unknown' : 'failed')
      // What the client answered is for the server; what broke on the way is not.
      if (error instanceof ProtocolError) throw new UpstreamError(error.code, error.message)
      throw new UpstreamError(REJECTED, 'The client did not answer')
    }
  }

  /** Decided by policy first, then asked of the one client whose call the server works on. */
  async function answer(server: string, questions: ServerQuestion[], origin: CallOrigin, signal: AbortSignal): Promise<JsonObject[]> {
    const asks = questions.map(({ method, ...rest }) => {
      if (!isServerRequest(method)) throw new UpstreamError(METHOD_NOT_FOUND, `${method} is not offered`)
      return { method, ...rest }
    })
    const caller = callers(origin.agent, server).find((candidate) => candidate.origin === origin.session)
    if (caller === undefined) throw new UpstreamError(REJECTED, 'No client is waiting for this server')
    const permitted = await decide(server, caller, asks)
    /** One that fails withdraws the others: the server gets all answers or none. */
    const others = new AbortController()
    const until = AbortSignal.any([signal, caller.signal, others.signal])
    // In one go: a stateless client gets them in one result.
    const answers = asks.flatMap((ask, i) => {
      const one = permitted[i]
      return one === undefined ? [] : [askClient(one, caller, ask, AbortSignal.any([until, AbortSignal.timeout(one.timeoutMs)]))]
    })
    try {
      return await Promise.all(answers)
    } catch (error) {
      others.abort()
      await Promise.allSettled(answers)
      throw error
    }
  }

  async function connect(server: string, agent: string): Promise<Upstream> {
    const upstream = await upstreams.connect(server, agent)
    if (!wired.has(upstream)) {
      wired.add(upstream)
      upstream.onServerRequest((questions, origin, signal) => answer(server, questions, origin, signal))
      upstream.onNotification((method, params) => {
        try {
          onNotification(agent, server, method, params)
        } catch (error) {
          log.error({ server, method, err: error }, 'a notification could not be passed on')
        }
      })
    }
    return upstream
  }

  return {
    connect,
    callers,
    isQuiet: (agent, server) => [...(working.get(keyOf(agent, server)) ?? [])].some(({ quiet }) => quiet === true),
    connectWithin(server, agent, ms) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Fault('UPSTREAM_TIMEOUT', `${server} did not connect within ${ms} ms`)), ms)
        connect(server, agent)
          .then(resolve, reject)
          .finally(() => clearTimeout(timer))
      })
    },
    async during(caller, server, work) {
      const key = keyOf(caller.principal.id, server)
      const set = working.get(key) ?? new Set()
      working.set(key, set.add(caller))
      try {
        return await work()
      } finally {
        set.delete(caller)
        if (set.size === 0 && working.get(key) === set) working.delete(key)
      }
    },
  }
}
