/** JSON-RPC with one tool server: requests matched to answers, time-outs, cancellation, and whatever else a hostile server may send. */
import { Fault } from '@ephor/contract'
import { checkMessage } from './check-message.ts'
import { RateLimit } from './rate-limit.ts'
import { ServerRequests } from './server-requests.ts'
import { UpstreamError } from './upstream-error.ts'
import type { Json, JsonObject, Logger } from '@ephor/engine/kernel'
import type { UpstreamLimits } from './limits.ts'
import type { CallOrigin, ServerRequestHandler } from './upstreams.ts'
import type { SendOptions, Wire } from './wire.ts'

export type PeerRequest = {
  signal?: AbortSignal
  /** No time-out when undefined: a subscription stream. */
  timeoutMs?: number
  onProgress?: (params: JsonObject) => void
  origin?: CallOrigin
  headers?: Record<string, string>
}

type Pending = PeerRequest & { method: string; settle: (outcome: JsonObject | Error) => void; stream: AbortController }

const MAX_TIMER_MS = 2 ** 31 - 1

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export class Peer {
  /** 2026-07-28: closing a request's own stream cancels it, and servers ask nothing outside results. */
  stateless = false
  readonly #wire: Wire
  readonly #limits: UpstreamLimits
  readonly #log: Logger
  readonly #pending = new Map<number, Pending>()
  readonly #listeners = new Set<(method: string, params: JsonObject) => void>()
  readonly #closeListeners = new Set<(reason: string) => void>()
  readonly #notifications: RateLimit
  readonly #noiseLog = new RateLimit(1)
  readonly #serverRequests: ServerRequests
  #nextId = 1
  #dropped = 0
  #closed: string | undefined

  constructor(wire: Wire, limits: UpstreamLimits, log: Logger) {
    this.#wire = wire
    this.#limits = limits
    this.#log = log
    this.#notifications = new RateLimit(limits.notificationsPerSecond)
    this.#serverRequests = new ServerRequests(
      (message) => this.#send(message),
      () => [...this.#pending.values()].flatMap((pending) => pending.origin ?? []),
    )
  }

  get inFlight(): number {
    return this.#pending.size
  }

  get closed(): string | undefined {
    return this.#closed
  }

  async open(): Promise<void> {
    await this.#wire.open({
      message: (message) => this.#receive(message),
      close: (reason) => this.#end(reason),
      tooLarge: (id) => this.#withhold(id),
      noise: (what) => this.#noise(what),
    })
  }

  setProtocolVersion(version: string): void {
    this.#wire.setProtocolVersion(version)
  }

  onNotification(listener: (method: string, params: JsonObject) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  onClose(listener: (reason: string) => void): void {
    if (this.#closed === undefined) this.#closeListeners.add(listener)
    else listener(this.#closed)
  }

  onServerRequest(handler: ServerRequestHandler): void {
    this.#serverRequests.handler = handler
  }

  /** @throws what `Upstream.request` says. */
  async request(method: string, params: JsonObject, options: PeerRequest = {}): Promise<JsonObject> {
    if (this.#closed !== undefined) throw new Fault('UPSTREAM_UNAVAILABLE', `the tool server is gone: ${this.#closed}`)
    if (options.signal?.aborted) throw new Fault('CALL_CANCELLED', 'cancelled before it was sent')
    if (this.#pending.size >= this.#limits.maxInFlight)
      throw new Fault('UPSTREAM_UNAVAILABLE', 'too many calls in flight to this tool server')
    const id = this.#nextId++
    const stream = new AbortController()
    const outcome = await new Promise<JsonObject | Error>((settle) => {
      this.#pending.set(id, { ...options, method, settle, stream })
      this.#watch(id, options)
      const message = { jsonrpc: '2.0', id, method, params: withToken(params, options.onProgress === undefined ? undefined : id) }
      const onStreamEnd = (): void => this.#settle(id, new Fault('UPSTREAM_DIED', 'the server closed the stream without an answer'))
      const headers = options.headers === undefined ? {} : { headers: options.headers }
      this.#send(message, { signal: stream.signal, onStreamEnd, ...headers }, (error) => this.#settle(id, error)).catch(() => {})
    })
    if (outcome instanceof Error) throw outcome
    return outcome
  }

  async notify(method: string, params: JsonObject): Promise<void> {
    if (this.#closed !== undefined) throw new Fault('UPSTREAM_UNAVAILABLE', `the tool server is gone: ${this.#closed}`)
    await this.#send({ jsonrpc: '2.0', method, params })
  }

  /** What was not taken gets its own answer first; then, when that showed that the wire is gone, all else in flight is unknown. */
  async #send(message: JsonObject, options?: SendOptions, onFailure?: (error: Error) => void): Promise<void> {
    try {
      await this.#wire.send(message, options)
    } catch (error) {
      onFailure?.(error instanceof Error ? error : new Error(String(error)))
      if (this.#wire.gone !== undefined) this.#end(this.#wire.gone)
      throw error
    }
  }

  async close(reason = 'it was closed'): Promise<void> {
    this.#end(reason)
    await this.#wire.close()
  }

  /** Arms the time-out and the caller's signal; both tell the server too, and both are disarmed when the request settles. */
  #watch(id: number, { signal, timeoutMs }: PeerRequest): void {
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    const giveUp = (fault: Fault): void => {
      if (this.#pending.has(id)) this.#cancel(id, fault)
    }
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => giveUp(new Fault('UPSTREAM_TIMEOUT', `no answer within ${timeoutMs} ms`)), Math.min(timeoutMs, MAX_TIMER_MS))
    const onAbort = (): void => giveUp(new Fault('CALL_CANCELLED', 'the caller cancelled; the tool server was told'))
    signal?.addEventListener('abort', onAbort, { once: true })
    const settle = pending.settle
    pending.settle = (outcome) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      settle(outcome)
    }
  }

  #cancel(id: number, fault: Fault): void {
    const pending = this.#pending.get(id)
    this.#settle(id, fault)
    const streamCancels = this.stateless && this.#wire.kind === 'http'
    // "initialize" must not be cancelled (2025-11-25, cancellation).
    if (streamCancels || pending?.method === 'initialize') return pending?.stream.abort()
    const params = { requestId: id, reason: fault.code === 'UPSTREAM_TIMEOUT' ? 'timed out' : 'cancelled by the caller' }
    this.notify('notifications/cancelled', params)
      .catch(() => {})
      .finally(() => pending?.stream.abort())
  }

  #settle(id: number, outcome: JsonObject | Error): void {
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    this.#pending.delete(id)
    pending.settle(outcome)
    this.#serverRequests.originsChanged()
  }

  #end(reason: string): void {
    if (this.#closed !== undefined) return
    this.#closed = reason
    for (const id of this.#pending.keys()) this.#settle(id, new Fault('UPSTREAM_DIED', `the tool server is gone: ${reason}`))
    this.#serverRequests.close()
    for (const listener of this.#closeListeners) listener(reason)
    this.#closeListeners.clear()
    this.#listeners.clear()
  }

  #withhold(id: number | undefined): void {
    const fault = new Fault('UPSTREAM_RESULT_TOO_LARGE', `an answer of more than ${this.#limits.maxMessageBytes} bytes was withheld`)
    if (id !== undefined && this.#pending.has(id)) return this.#settle(id, fault)
    // It can't be told whose answer it was: nobody may wait for one that will never come.
    this.#noise('a message larger than the limit')
    for (const pending of this.#pending.keys()) this.#settle(pending, fault)
  }

  #noise(what: string): void {
    this.#dropped++
    if (!this.#noiseLog.take()) return
    this.#log.warn({ dropped: this.#dropped, what }, 'the tool server sent what could not be used')
    this.#dropped = 0
  }

  #receive(message: Json): void {
    if (this.#closed !== undefined) return
    if (!isObject(message)) return this.#noise(Array.isArray(message) ? 'a batch' : 'a message that is not an object')
    const { id, method } = message
    const wrong = checkMessage(message, this.#limits.maxDepth)
    if (typeof method === 'string') {
      if (wrong !== undefined) return this.#noise(`${method.slice(0, 80)}: ${wrong}`)
      const params = isObject(message['params']) ? message['params'] : {}
      if (id === undefined) return this.#notified(method, params)
      if (typeof id !== 'string' && typeof id !== 'number') return this.#noise('a request with an id of the wrong type')
      // 2026-07-28: a server asks only inside results, and a client writes no responses.
      if (this.stateless) return this.#noise(`a request (${method.slice(0, 80)}) where the revision has none`)
      return this.#serverRequests.receive(id, method, params)
    }
    if (typeof id !== 'number' || !this.#pending.has(id)) return this.#noise('a response to no request of ours')
    this.#settle(id, wrong === undefined ? answerIn(message) : new Fault('UPSTREAM_ERROR', `its answer is not acceptable: ${wrong}`))
  }

  #notified(method: string, params: JsonObject): void {
    if (!this.#notifications.take()) return this.#noise('more notifications than are passed on')
    if (method === 'notifications/cancelled') return this.#serverRequests.cancel(params['requestId'])
    if (method === 'notifications/progress') {
      const token = params['progressToken']
      if (typeof token === 'number') this.#pending.get(token)?.onProgress?.(params)
      return
    }
    for (const listener of this.#listeners) listener(method, params)
  }
}

/** Our own progress token in place of the caller's: tokens of several callers must not meet on one wire. */
function withToken(params: JsonObject, token: number | undefined): JsonObject {
  const meta = isObject(params['_meta']) ? params['_meta'] : undefined
  if (token === undefined && meta?.['progressToken'] === undefined) return params
  const { progressToken: _, ...rest } = meta ?? {}
  return { ...params, _meta: token === undefined ? rest : { ...rest, progressToken: token } }
}

function answerIn(message: JsonObject): JsonObject | Error {
  const { result, error } = message
  if (isObject(result) && error === undefined) return result
  if (isObject(error) && typeof error['code'] === 'number' && typeof error['message'] === 'string') {
    return new UpstreamError(error['code'], error['message'], error['data'])
  }
  return new Fault('UPSTREAM_ERROR', 'its answer is neither a result nor an error')
}
