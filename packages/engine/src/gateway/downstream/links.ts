/** Connections to tool servers as the door uses them: wired once each, so that what a server says reaches the right agent and only it. */
import { Fault } from '@ephor/contract'
import type { Broker } from '@ephor/engine/broker'
import type { JsonObject, Logger } from '@ephor/engine/kernel'
import { ProtocolError } from '@modelcontextprotocol/server'
import { UpstreamError } from '../upstream/upstream-error.ts'
import type { CallOrigin, Upstream, Upstreams } from '../upstream/upstreams.ts'
import { SERVER_REQUESTS, canAsk } from './caller.ts'
import type { Caller } from './caller.ts'

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
}

const METHOD_NOT_FOUND = -32601
/** The code clients use for "the user rejected it" (client/sampling and client/elicitation of the specification). */
const REJECTED = -1

function isServerRequest(method: string): method is (typeof SERVER_REQUESTS)[number] {
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

  /** Decided by policy first, then asked of the one client whose call the server works on. */
  async function answer(server: string, method: string, params: JsonObject, origin: CallOrigin, signal: AbortSignal): Promise<JsonObject> {
    if (!isServerRequest(method)) throw new UpstreamError(METHOD_NOT_FOUND, `${method} is not offered`)
    const caller = callers(origin.agent, server).find((candidate) => candidate.origin === origin.session)
    if (caller === undefined) throw new UpstreamError(REJECTED, 'No client is waiting for this server')
    const judged = await broker.judgeServerRequest({ server, method, agent: origin.agent, session: caller.session, params })
    if (!judged.permitted) throw new UpstreamError(REJECTED, `Refused (${judged.fault}): ${judged.detail}`)
    if (!canAsk(caller.clientCapabilities, method, params)) {
      await judged.seal('failed')
      throw new UpstreamError(METHOD_NOT_FOUND, `The client does not offer ${method}`)
    }
    try {
      const result = await caller.ask(method, params, AbortSignal.any([signal, caller.signal]))
      await judged.seal('succeeded', result)
      return result
    } catch (error) {
      await judged.seal(signal.aborted || caller.signal.aborted ? 'unknown' : 'failed')
      // What the client answered is for the server; what broke on the way is not.
      if (error instanceof ProtocolError) throw new UpstreamError(error.code, error.message)
      throw new UpstreamError(REJECTED, 'The client did not answer')
    }
  }

  async function connect(server: string, agent: string): Promise<Upstream> {
    const upstream = await upstreams.connect(server, agent)
    if (!wired.has(upstream)) {
      wired.add(upstream)
      upstream.onServerRequest((method, params, origin, signal) => answer(server, method, params, origin, signal))
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
