/** A tool server over Streamable HTTP: the SDK's transport on a bounded fetch, with the configured headers and no others. */
import { SdkHttpError, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Fault } from '@ephor/contract'
import type { JSONRPCMessage } from '@modelcontextprotocol/client'
import { boundedFetch } from './bounded-fetch.ts'
import { UpstreamError } from './upstream-error.ts'
import type { Json, JsonObject } from '@ephor/engine/kernel'
import type { BoundedFetch } from './bounded-fetch.ts'
import type { UpstreamLimits } from './limits.ts'
import type { SendOptions, Wire, WireEvents } from './wire.ts'

export type HttpOptions = { url: string; headers: Record<string, string>; limits: UpstreamLimits; hide: (text: string) => string }

const RECONNECT = { initialReconnectionDelay: 1_000, maxReconnectionDelay: 30_000, reconnectionDelayGrowFactor: 2, maxRetries: 5 }

/** The server may ask for any pause before a stream is opened again, zero included: hold it to between half a second and half a minute. */
function reconnectLater(reconnect: () => void, delay: number): () => void {
  const timer = setTimeout(reconnect, Math.min(30_000, Math.max(500, delay)))
  timer.unref()
  return () => clearTimeout(timer)
}

/** A JSON-RPC error in the body of an HTTP error, as servers of either revision send it. */
function rpcErrorIn(text: unknown): UpstreamError | undefined {
  if (typeof text !== 'string') return undefined
  try {
    const { error } = JSON.parse(text) as { error?: { code?: unknown; message?: unknown; data?: Json } }
    if (typeof error?.code !== 'number' || typeof error.message !== 'string') return undefined
    return new UpstreamError(error.code, error.message, error.data)
  } catch {
    return undefined
  }
}

const NOT_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'])

function causeCode(error: unknown): string {
  const cause = error instanceof Error ? (error.cause as { code?: unknown } | undefined) : undefined
  return typeof cause?.code === 'string' ? cause.code : ''
}

export class HttpWire implements Wire {
  readonly kind = 'http'
  readonly #options: HttpOptions
  #fetch: BoundedFetch | undefined
  #transport: StreamableHTTPClientTransport | undefined
  gone: string | undefined

  constructor(options: HttpOptions) {
    this.#options = options
  }

  async open(events: WireEvents): Promise<void> {
    const { url, headers, limits, hide } = this.#options
    if (!URL.canParse(url)) throw new Fault('UPSTREAM_UNAVAILABLE', 'its address is not a URL')
    this.#fetch = boundedFetch(limits.maxMessageBytes, (id) => events.tooLarge(id))
    const transport = new StreamableHTTPClientTransport(new URL(url), {
      fetch: this.#fetch.fetch,
      requestInit: { headers },
      reconnectionOptions: RECONNECT,
      reconnectionScheduler: reconnectLater,
      onInsufficientScope: 'throw',
    })
    // The transport's interface has these properties and no events.
    // oxlint-disable-next-line unicorn/prefer-add-event-listener
    transport.onmessage = (message) => events.message(message as unknown as Json)
    // oxlint-disable-next-line unicorn/prefer-add-event-listener
    transport.onerror = (error) => events.noise(hide(error.message).slice(0, 200))
    this.#transport = transport
    await transport.start()
  }

  setProtocolVersion(version: string): void {
    this.#transport?.setProtocolVersion(version)
  }

  async send(message: JsonObject, options: SendOptions = {}): Promise<void> {
    if (this.#transport === undefined || this.gone !== undefined) throw new Fault('UPSTREAM_UNAVAILABLE', 'the connection is closed')
    try {
      await this.#transport.send(message as unknown as JSONRPCMessage, {
        ...(options.signal === undefined ? {} : { requestSignal: options.signal }),
        ...(options.onStreamEnd === undefined ? {} : { onRequestStreamEnd: options.onStreamEnd }),
        ...(options.headers === undefined ? {} : { headers: options.headers }),
      })
    } catch (error) {
      throw this.#meaning(error)
    }
  }

  /** What a failed POST means for the call: never taken, refused, or unknown. */
  #meaning(error: unknown): Error {
    if (error instanceof Fault) return error
    if (error instanceof SdkHttpError) {
      const { status, text } = error.data
      if (status === 404 && this.#transport?.sessionId !== undefined) {
        this.gone = 'its session ended'
        return new Fault('UPSTREAM_UNAVAILABLE', 'the server ended the session; it did not take this call')
      }
      if (status === 401 || status === 403) return new Fault('UPSTREAM_UNAVAILABLE', `the server refuses Ephor (HTTP ${status})`)
      return rpcErrorIn(text) ?? new Fault('UPSTREAM_ERROR', `the server answered HTTP ${status}`)
    }
    if (error instanceof Error && error.cause instanceof Fault) return error.cause
    const code = causeCode(error)
    if (NOT_SENT.has(code)) {
      this.gone = 'it cannot be reached'
      return new Fault('UPSTREAM_UNAVAILABLE', `the server cannot be reached (${code})`)
    }
    // One broken stream says nothing of the session; a server that is gone shows on the next request.
    if (error instanceof TypeError) {
      return new Fault('UPSTREAM_DIED', `the connection broke during the call${code === '' ? '' : ` (${code})`}`)
    }
    return new Fault('UPSTREAM_ERROR', 'the server answered with something that is not MCP')
  }

  async close(): Promise<void> {
    const transport = this.#transport
    if (transport === undefined) return
    const wasGone = this.gone !== undefined
    this.gone ??= 'it was closed'
    if (!wasGone && transport.sessionId !== undefined) {
      // A courtesy (2025-11-25, session management); a server that does not answer it is not waited for.
      const farewell = transport.terminateSession().catch(() => {})
      await Promise.race([farewell, new Promise((resolve) => setTimeout(resolve, this.#options.limits.graceMs).unref())])
    }
    await transport.close()
    await this.#fetch?.close()
  }
}
