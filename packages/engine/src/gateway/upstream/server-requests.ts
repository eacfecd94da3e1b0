/** Requests that a tool server sends to us (sampling, elicitation, roots): attributed to one call's origin or refused. */
import { Fault } from '@ephor/contract'
import { UpstreamError } from './upstream-error.ts'
import type { Json, JsonObject } from '@ephor/engine/kernel'
import type { CallOrigin, ServerRequestHandler } from './upstreams.ts'

/** Of one server at a time; a flood of questions must not become a flood of work. */
export const MAX_OPEN = 16
const KNOWN = new Set(['sampling/createMessage', 'elicitation/create', 'roots/list'])

type RpcId = string | number
type Open = { origin: CallOrigin; abort: AbortController }

function sameOrigin(a: CallOrigin, b: CallOrigin): boolean {
  return a.agent === b.agent && a.session === b.session
}

function errorOf(error: unknown): JsonObject {
  if (error instanceof UpstreamError) {
    return { code: error.code, message: error.message, ...(error.data === undefined ? {} : { data: error.data }) }
  }
  // What failed inside Ephor is not the tool server's to know.
  const message = error instanceof Fault ? error.message : 'The request could not be answered'
  return { code: -32603, message }
}

export class ServerRequests {
  handler: ServerRequestHandler | undefined
  readonly #send: (message: JsonObject) => Promise<void>
  readonly #origins: () => CallOrigin[]
  readonly #open = new Map<RpcId, Open>()

  /** @param origins those of the calls in flight now, one for each call. */
  constructor(send: (message: JsonObject) => Promise<void>, origins: () => CallOrigin[]) {
    this.#send = send
    this.#origins = origins
  }

  receive(id: RpcId, method: string, params: JsonObject): void {
    if (method === 'ping') return this.#answer(id, { result: {} })
    if (!KNOWN.has(method)) return this.#refuse(id, -32601, `${method.slice(0, 80)} is not offered`)
    const origin = this.#theOrigin()
    if (origin === undefined) return this.#refuse(id, -32600, 'No single call is in flight that this could belong to')
    if (this.handler === undefined) return this.#refuse(id, -32601, `${method} is not offered`)
    if (this.#open.has(id)) return this.#refuse(id, -32600, 'This id is in use')
    if (this.#open.size >= MAX_OPEN) return this.#refuse(id, -32600, 'Too many requests are open')
    const abort = new AbortController()
    this.#open.set(id, { origin, abort })
    this.handler([{ method, params }], origin, abort.signal).then(
      ([result = {}]) => this.#finish(id, { result }),
      (error: unknown) => this.#finish(id, { error: errorOf(error) }),
    )
  }

  cancel(id: Json | undefined): void {
    if (typeof id === 'string' || typeof id === 'number') this.#open.get(id)?.abort.abort()
  }

  /** A call settled: what was asked on its behalf has nobody left to answer. */
  originsChanged(): void {
    if (this.#open.size === 0) return
    const origins = this.#origins()
    for (const { origin, abort } of this.#open.values()) {
      if (!origins.some((left) => sameOrigin(left, origin))) abort.abort()
    }
  }

  close(): void {
    for (const { abort } of this.#open.values()) abort.abort()
    this.#open.clear()
  }

  #theOrigin(): CallOrigin | undefined {
    const [first, ...others] = this.#origins()
    return first !== undefined && others.every((other) => sameOrigin(first, other)) ? first : undefined
  }

  #refuse(id: RpcId, code: number, message: string): void {
    this.#answer(id, { error: { code, message } })
  }

  #finish(id: RpcId, answer: JsonObject): void {
    if (this.#open.delete(id)) this.#answer(id, answer)
  }

  #answer(id: RpcId, answer: JsonObject): void {
    this.#send({ jsonrpc: '2.0', id, ...answer }).catch(() => {})
  }
}
