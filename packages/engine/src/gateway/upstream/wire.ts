/** One way to exchange JSON-RPC messages with a tool server; the peer above it does not know which. */
import type { Json, JsonObject } from '@ephor/engine/kernel'

export type SendOptions = {
  /** Aborting it drops this request's own stream, where the wire has one per request. */
  signal?: AbortSignal
  /** That stream ended without being aborted; a response may have come before. */
  onStreamEnd?: () => void
  /** Extra HTTP headers of this message. */
  headers?: Record<string, string>
}

export type WireEvents = {
  /** A parsed JSON value of bounded size; anything else about it is unchecked. */
  message: (message: Json) => void
  /** The wire is gone, with a sentence that says how. Called once. */
  close: (reason: string) => void
  /** A message larger than the limit was discarded; the request it answered, when that could be told. */
  tooLarge: (id: number | undefined) => void
  /** Something that is not a message arrived and was dropped. */
  noise: (what: string) => void
}

export interface Wire {
  readonly kind: 'stdio' | 'http'
  /** How it ended, when a message that was not taken showed that it had. */
  readonly gone: string | undefined
  /** @throws Fault UPSTREAM_UNAVAILABLE when it cannot be opened. */
  open(events: WireEvents): Promise<void>
  /** @throws Fault or UpstreamError when the message was not taken. */
  send(message: JsonObject, options?: SendOptions): Promise<void>
  setProtocolVersion(version: string): void
  /** Ends it and everything it started; resolves when that is so. */
  close(): Promise<void>
}
