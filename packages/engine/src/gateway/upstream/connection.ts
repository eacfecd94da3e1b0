/** One live connection to a tool server behind the `Upstream` interface, the differences between revisions kept inside. */
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  LOG_LEVEL_META_KEY,
  PROTOCOL_VERSION_META_KEY,
  SUBSCRIPTION_ID_META_KEY,
} from '@modelcontextprotocol/client'
import { Fault } from '@ephor/contract'
import { envelope } from './negotiate.ts'
import { paramHeaders } from './param-headers.ts'
import { isObject } from './peer.ts'
import { MAX_OPEN } from './server-requests.ts'
import { Subscription } from './subscription.ts'
import type { JsonObject } from '@ephor/engine/kernel'
import type { Greeting } from './negotiate.ts'
import type { Peer } from './peer.ts'
import type { ServerRequestHandler, Upstream, UpstreamRequestOptions } from './upstreams.ts'

export type ConnectionOptions = {
  server: string
  peer: Peer
  greeting: Greeting
  clientInfo: JsonObject
  /** The accepted schema of a tool, for headers that mirror its arguments. */
  inputSchema: (tool: string) => JsonObject | undefined
  onUse: () => void
}

/** Rounds of questions within one call; a server that never has enough is given up. */
const MAX_ROUNDS = 10

function metaOf(params: JsonObject): JsonObject {
  return isObject(params['_meta']) ? params['_meta'] : {}
}

export class Connection implements Upstream {
  readonly server: string
  readonly capabilities: JsonObject
  declare readonly instructions?: string
  readonly protocolVersion: string
  readonly #options: ConnectionOptions
  readonly #subscription: Subscription | undefined
  #logLevel: string | undefined
  #handler: ServerRequestHandler | undefined

  constructor(options: ConnectionOptions) {
    const { peer, greeting } = options
    this.#options = options
    this.server = options.server
    this.capabilities = greeting.capabilities
    if (greeting.instructions !== undefined) this.instructions = greeting.instructions
    this.protocolVersion = greeting.protocolVersion
    if (greeting.stateless) this.#subscription = new Subscription(peer, envelope(options.clientInfo), greeting.capabilities)
  }

  /** Whether one of the peer's requests in flight is the subscription stream and not a call. */
  get listening(): boolean {
    return this.#subscription?.open === true
  }

  async request(method: string, params: JsonObject, options: UpstreamRequestOptions): Promise<JsonObject> {
    this.#options.onUse()
    try {
      if (!this.#options.greeting.stateless) return await this.#options.peer.request(method, this.#stateful(params), options)
      const emulated = this.#emulate(method, params)
      if (emulated !== undefined) return emulated
      const result = await this.#stateless(method, params, options)
      return options.fulfil === true ? await this.#fulfil(method, params, options, result) : result
    } finally {
      this.#options.onUse()
    }
  }

  async notify(method: string, params: JsonObject): Promise<void> {
    const { peer, greeting } = this.#options
    await peer.notify(method, greeting.stateless ? params : this.#stateful(params))
  }

  onNotification(listener: (method: string, params: JsonObject) => void): () => void {
    return this.#options.peer.onNotification((method, params) => {
      if (method === 'notifications/subscriptions/acknowledged') return
      // The id of our own stream means nothing to anybody else.
      const { [SUBSCRIPTION_ID_META_KEY]: ours, ...meta } = metaOf(params)
      listener(method, ours === undefined ? params : { ...params, _meta: meta })
    })
  }

  onServerRequest(handler: ServerRequestHandler): void {
    this.#handler = handler
    this.#options.peer.onServerRequest(handler)
  }

  /** The reserved keys describe the agent's own connection, not this one, and name its software: they end here. */
  #stateful(params: JsonObject): JsonObject {
    if (!isObject(params['_meta'])) return params
    const {
      [PROTOCOL_VERSION_META_KEY]: _version,
      [CLIENT_INFO_META_KEY]: _info,
      [CLIENT_CAPABILITIES_META_KEY]: _capabilities,
      ...meta
    } = params['_meta']
    return { ...params, _meta: meta }
  }

  /** What the stateless revision no longer has as a request of its own. */
  #emulate(method: string, params: JsonObject): JsonObject | undefined {
    if (method === 'ping') return {}
    if (method === 'logging/setLevel') {
      this.#logLevel = typeof params['level'] === 'string' ? params['level'] : undefined
      return {}
    }
    if (method !== 'resources/subscribe' && method !== 'resources/unsubscribe') return undefined
    const uri = params['uri']
    if (typeof uri !== 'string') throw new Fault('REQUEST_INVALID', 'uri is not a string')
    if (method === 'resources/unsubscribe') this.#subscription?.delete(uri)
    else if (this.#subscription?.add(uri) !== true) throw new Fault('RATE_LIMITED', 'too many resources are watched on this connection')
    return {}
  }

  #stateless(method: string, params: JsonObject, options: UpstreamRequestOptions): Promise<JsonObject> {
    const { peer, clientInfo, inputSchema } = this.#options
    const given = metaOf(params)
    // The agent's declared capabilities hold, so that a server asks only for what that agent can answer.
    const reserved = envelope(clientInfo, given[CLIENT_CAPABILITIES_META_KEY])
    const logLevel = this.#logLevel === undefined ? {} : { [LOG_LEVEL_META_KEY]: this.#logLevel }
    const outgoing = { ...params, _meta: { ...logLevel, ...given, ...reserved } }
    const name = params['name']
    const schema = method === 'tools/call' && typeof name === 'string' ? inputSchema(name) : undefined
    const headers = schema === undefined ? {} : paramHeaders(schema, isObject(params['arguments']) ? params['arguments'] : {})
    return peer.request(method, outgoing, { ...options, headers })
  }

  /** Answers `input_required` through the handler for server requests, so that each question is decided and the call stays one call. */
  async #fulfil(method: string, params: JsonObject, options: UpstreamRequestOptions, first: JsonObject): Promise<JsonObject> {
    const deadline = performance.now() + options.timeoutMs
    let result = first
    for (let round = 0; result['resultType'] === 'input_required'; round++) {
      if (round === MAX_ROUNDS) throw new Fault('UPSTREAM_ERROR', `the tool server asked for input more than ${MAX_ROUNDS} times`)
      const { requestState } = result
      const inputResponses = await this.#answers(result, options)
      const left = deadline - performance.now()
      if (left <= 0) throw new Fault('UPSTREAM_TIMEOUT', `no result within ${options.timeoutMs} ms`)
      const next = { ...params, inputResponses, ...(requestState === undefined ? {} : { requestState }) }
      result = await this.#stateless(method, next, { ...options, timeoutMs: left })
    }
    const { resultType = 'complete' } = result
    if (resultType !== 'complete') throw new Fault('UPSTREAM_ERROR', 'its result is of a kind that is not known')
    return result
  }

  async #answers(result: JsonObject, { origin, signal }: UpstreamRequestOptions): Promise<JsonObject> {
    const asked = isObject(result['inputRequests']) ? Object.entries(result['inputRequests']) : []
    if (asked.length === 0) return {}
    if (asked.length > MAX_OPEN) throw new Fault('UPSTREAM_ERROR', `it asks more than ${MAX_OPEN} questions at once`)
    const questions = asked.map(([key, request]) => {
      if (!isObject(request) || typeof request['method'] !== 'string')
        throw new Fault('UPSTREAM_ERROR', 'it asks for input in no known form')
      return { key, method: request['method'], params: isObject(request['params']) ? request['params'] : {} }
    })
    if (origin === undefined || this.#handler === undefined) {
      const methods = questions.map(({ method }) => method).join(', ')
      throw new Fault('UPSTREAM_ERROR', `it asks for ${methods}, which is not offered`)
    }
    const answers = await this.#handler(questions, origin, signal)
    return Object.fromEntries(questions.map(({ key }, i) => [key, answers[i] ?? {}]))
  }
}
