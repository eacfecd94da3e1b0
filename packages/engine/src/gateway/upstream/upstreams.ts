/** What the gateway may ask of tool servers: live connections, kept apart by owner, whichever transport and revision a server speaks. */
import type { JsonObject } from '@ephor/engine/kernel'

/** On whose behalf a request is in flight: what a server-to-client request is attributed to. */
export type CallOrigin = { agent: string; session: string }

export type UpstreamRequestOptions = {
  signal: AbortSignal
  /** How long the server may take, in milliseconds; progress does not extend it. */
  timeoutMs: number
  /** Asks the server for progress; gets the params of each `notifications/progress` as sent. */
  onProgress?: (params: JsonObject) => void
  origin?: CallOrigin
  /**
   * A stateless server (2026-07-28) asks for input inside its result (`resultType: 'input_required'`). Such a result is passed on as it
   * is, for an agent of the same revision; with `fulfil` it is answered through `onServerRequest` and the call repeated, for an older one.
   */
  fulfil?: boolean
}

/** What a server asks of the agent's client. `key`: what the server calls it, where several are asked in one result. */
export type ServerQuestion = { method: string; params: JsonObject; key?: string }

/** Answers questions that were asked together, in their order; one that is refused rejects them all. */
export type ServerRequestHandler = (questions: ServerQuestion[], origin: CallOrigin, signal: AbortSignal) => Promise<JsonObject[]>

export interface Upstream {
  readonly server: string
  readonly capabilities: JsonObject
  readonly instructions?: string
  readonly protocolVersion: string
  /**
   * The raw JSON-RPC result, nothing dropped. A JSON-RPC error rejects as an `UpstreamError` with code, message and data kept;
   * otherwise a Fault: UPSTREAM_TIMEOUT, UPSTREAM_DIED, UPSTREAM_RESULT_TOO_LARGE, UPSTREAM_UNAVAILABLE, UPSTREAM_ERROR, CALL_CANCELLED.
   */
  request(method: string, params: JsonObject, options: UpstreamRequestOptions): Promise<JsonObject>
  notify(method: string, params: JsonObject): Promise<void>
  onNotification(listener: (method: string, params: JsonObject) => void): () => void
  /** Server-to-client requests; attributed to the one in-flight `origin`, refused (JSON-RPC error) when it is ambiguous or there is none. */
  onServerRequest(handler: ServerRequestHandler): void
}

export interface Upstreams {
  /**
   * A live connection to an accepted server, one per (server, owner) where owner is an agent id, so that agents never share a tool
   * server's state. Starts it if needed; Fault UPSTREAM_UNAVAILABLE during backoff. Ask for it before each use: it may have died since.
   */
  connect(server: string, owner: string): Promise<Upstream>
  /** Connects as the system (owner 'ephor'), lists tools, tells registry.observeTools; keeps listening to tools/list_changed. */
  inspect(server: string): Promise<void>
  /** Closes every connection of this owner. */
  release(owner: string): Promise<void>
  close(): Promise<void>
}
