/** A tool server over Streamable HTTP, of any revision since 2025-03-26, with the configured headers and no others. */
import { Fault } from '@ephor/contract'
import type { Json, JsonObject } from '@ephor/engine/kernel'
import { readEventStream } from './event-stream.ts'
import { headerOf, httpExchange, mediaTypeOf, textOf } from './http-exchange.ts'
import type { Answer, Exchange, HttpExchange } from './http-exchange.ts'
import type { UpstreamLimits } from './limits.ts'
import { requestHeaders } from './request-headers.ts'
import { UpstreamError } from './upstream-error.ts'
import type { SendOptions, Wire, WireEvents } from './wire.ts'

export type HttpOptions = { url: string; headers: Record<string, string>; limits: UpstreamLimits; hide: (text: string) => string }

/** The request that a stream answers; undefined: the stream for what belongs to no request. */
type Streamed = { id: Json | undefined; options: SendOptions }

const RESUME = { firstMs: 1_000, mostMs: 30_000, leastMs: 500, attempts: 5 }
const NOT_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'])
const POSTED = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }

/** A JSON-RPC error in the body of an HTTP error, as servers of either revision send it. */
function rpcErrorIn(text: string): UpstreamError | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: { code?: unknown; message?: unknown; data?: Json } }
    if (typeof error?.code !== 'number' || typeof error.message !== 'string') return undefined
    return new UpstreamError(error.code, error.message, error.data)
  } catch {
    return undefined
  }
}

const isResponse = (message: Json) => typeof message === 'object' && message !== null && ('result' in message || 'error' in message)

export class HttpWire implements Wire {
  readonly kind = 'http'
  readonly #options: HttpOptions
  readonly #http: HttpExchange = httpExchange()
  readonly #configured: Record<string, string>
  readonly #timers = new Set<NodeJS.Timeout>()
  #url: URL | undefined
  #events: WireEvents | undefined
  #session: string | undefined
  #version: string | undefined
  gone: string | undefined

  constructor(options: HttpOptions) {
    this.#options = options
    this.#configured = Object.fromEntries(Object.entries(options.headers).map(([name, value]) => [name.toLowerCase(), value]))
  }

  async open(events: WireEvents): Promise<void> {
    const { url } = this.#options
    if (!URL.canParse(url)) throw new Fault('UPSTREAM_UNAVAILABLE', 'its address is not a URL')
    this.#url = new URL(url)
    this.#events = events
  }

  setProtocolVersion(version: string): void {
    this.#version = version
  }

  async send(message: JsonObject, options: SendOptions = {}): Promise<void> {
    const isHandshake = message['method'] === 'initialize'
    try {
      const answer = await this.#exchange({
        method: 'POST',
        headers: { ...this.#headers(isHandshake), ...options.headers, ...requestHeaders(message), ...POSTED },
        body: JSON.stringify(message),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      })
      if (answer.statusCode < 200 || answer.statusCode > 299) throw await this.#refused(answer)
      if (isHandshake) this.#session = headerOf(answer, 'mcp-session-id')
      if (message['method'] !== undefined && message['id'] !== undefined)
        return await this.#answered(answer, { id: message['id'], options })
      await answer.body.dump()
      if (message['method'] === 'notifications/initialized') this.#listen()
    } catch (error) {
      throw this.#meaning(error)
    }
  }

  #headers(isHandshake = false): Record<string, string> {
    return {
      ...this.#configured,
      ...(this.#session === undefined || isHandshake ? {} : { 'mcp-session-id': this.#session }),
      ...(this.#version === undefined ? {} : { 'mcp-protocol-version': this.#version }),
    }
  }

  async #exchange(request: Exchange): Promise<Answer> {
    if (this.#url === undefined || this.gone !== undefined) throw new Fault('UPSTREAM_UNAVAILABLE', 'the connection is closed')
    return this.#http.exchange(this.#url, request)
  }

  async #answered(answer: Answer, streamed: Streamed): Promise<void> {
    const type = mediaTypeOf(answer)
    if (type === 'text/event-stream') return void this.#follow(answer, streamed)
    if (type !== 'application/json') {
      await answer.body.dump()
      throw new Fault('UPSTREAM_ERROR', 'the server answered with something that is not MCP')
    }
    const parsed = JSON.parse(await textOf(answer, this.#options.limits.maxMessageBytes)) as Json
    // Revision 2025-03-26 still has batches.
    for (const message of Array.isArray(parsed) ? parsed : [parsed]) this.#events?.message(message)
  }

  /** Reads a stream to its end. One that ends early is resumed when the server gave an event id, for as long as it can be. */
  async #follow(answer: Answer, streamed: Streamed, after?: string): Promise<void> {
    let last = after
    let answered = false
    let pauseMs: number | undefined
    try {
      await readEventStream(answer, this.#options.limits.maxMessageBytes, {
        message: (data) => {
          const message = this.#parsed(data)
          if (message === undefined) return
          answered ||= isResponse(message)
          this.#events?.message(message)
        },
        id: (id) => (last = id),
        retry: (ms) => (pauseMs = ms),
      })
    } catch (error) {
      if (this.#isOver(streamed)) return
      if (error instanceof Fault) return this.#events?.tooLarge(typeof streamed.id === 'number' ? streamed.id : undefined)
      this.#noise('a stream broke')
    }
    if (this.#isOver(streamed)) return
    if (!answered && (last !== undefined || streamed.id === undefined)) return this.#resumeLater(streamed, last, 0, pauseMs)
    streamed.options.onStreamEnd?.()
  }

  #parsed(data: string): Json | undefined {
    try {
      return JSON.parse(data) as Json
    } catch {
      this.#noise('an event that is not JSON')
      return undefined
    }
  }

  #isOver({ options }: Streamed): boolean {
    return this.gone !== undefined || options.signal?.aborted === true
  }

  #noise(what: string): void {
    this.#events?.noise(this.#options.hide(what).slice(0, 200))
  }

  /** The stream for what belongs to no request; a server may have none (405). */
  #listen(): void {
    void this.#get({ id: undefined, options: {} }, undefined, 0)
  }

  /** The server may ask for any pause, zero included: it is held to between half a second and half a minute. */
  #resumeLater(streamed: Streamed, after: string | undefined, attempt: number, askedMs?: number): void {
    if (attempt >= RESUME.attempts) {
      this.#noise('a stream could not be resumed')
      return streamed.options.onStreamEnd?.()
    }
    const pause = Math.min(RESUME.mostMs, Math.max(RESUME.leastMs, askedMs ?? RESUME.firstMs * 2 ** attempt))
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      void this.#get(streamed, after, attempt)
    }, pause)
    this.#timers.add(timer.unref())
  }

  async #get(streamed: Streamed, after: string | undefined, attempt: number): Promise<void> {
    if (this.#isOver(streamed)) return
    const { signal } = streamed.options
    try {
      const answer = await this.#exchange({
        method: 'GET',
        headers: { ...this.#headers(), accept: 'text/event-stream', ...(after === undefined ? {} : { 'last-event-id': after }) },
        ...(signal === undefined ? {} : { signal }),
      })
      if (answer.statusCode === 200 && mediaTypeOf(answer) === 'text/event-stream') return await this.#follow(answer, streamed, after)
      await answer.body.dump()
      if (answer.statusCode === 405) return streamed.options.onStreamEnd?.()
      this.#noise(`HTTP ${answer.statusCode} where a stream was asked for`)
    } catch (error) {
      if (this.#isOver(streamed)) return
      this.#noise(`a stream could not be opened: ${error instanceof Error ? error.message : 'unknown'}`)
    }
    this.#resumeLater(streamed, after, attempt + 1)
  }

  /** An HTTP status that is no success: never taken, or refused. */
  async #refused(answer: Answer): Promise<Error> {
    const { statusCode } = answer
    const text = await textOf(answer, this.#options.limits.maxMessageBytes)
    if (statusCode === 404 && this.#session !== undefined) {
      this.gone = 'its session ended'
      return new Fault('UPSTREAM_UNAVAILABLE', 'the server ended the session; it did not take this call')
    }
    if (statusCode === 401 || statusCode === 403) return new Fault('UPSTREAM_UNAVAILABLE', `the server refuses Ephor (HTTP ${statusCode})`)
    return rpcErrorIn(text) ?? new Fault('UPSTREAM_ERROR', `the server answered HTTP ${statusCode}`)
  }

  /** What a failed POST means for the call: never taken, refused, or unknown. */
  #meaning(error: unknown): Error {
    if (error instanceof Fault || error instanceof UpstreamError) return error
    if (error instanceof SyntaxError) return new Fault('UPSTREAM_ERROR', 'the server answered with something that is not MCP')
    const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
    if (NOT_SENT.has(code)) {
      this.gone = 'it cannot be reached'
      return new Fault('UPSTREAM_UNAVAILABLE', `the server cannot be reached (${code})`)
    }
    // One broken stream says nothing of the session; a server that is gone shows on the next request.
    return new Fault('UPSTREAM_DIED', `the connection broke during the call${code === '' ? '' : ` (${code})`}`)
  }

  async close(): Promise<void> {
    const wasGone = this.gone !== undefined
    for (const timer of this.#timers) clearTimeout(timer)
    if (!wasGone && this.#session !== undefined && this.#url !== undefined) {
      // A courtesy (2025-11-25, session management); a server that does not answer it is not waited for.
      const farewell = this.#exchange({ method: 'DELETE', headers: this.#headers() }).then((answer) => answer.body.dump())
      this.gone = 'it was closed'
      const patience = new Promise((resolve) => setTimeout(resolve, this.#options.limits.graceMs).unref())
      await Promise.race([farewell.catch(() => {}), patience])
    }
    this.gone ??= 'it was closed'
    await this.#http.close()
  }
}
