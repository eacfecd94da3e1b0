/** What an operator may set about the door that agents come in by, and the defaults. */

export type GatewaySettings = {
  /** Host names, without ports, that may stand in Host and Origin besides the loopback names. */
  allowedHosts: readonly string[]
  /** An agent that may see one server only gets its tools and prompts under their own names, without the server's part. */
  plainNames: boolean
  /** Bytes of one message at most. */
  maxBodyBytes: number
  /** Arrays and objects inside one another in a message at most. */
  maxBodyDepth: number
  /** Sessions (revision 2025-11-25) and open subscription streams (2026-07-28) an agent may have at once. */
  sessionsPerAgent: number
  /** After how long without a request, an open stream or a call in flight a session ends, in ms. */
  sessionIdleMs: number
  /** How long a call goes on after its connection broke, waiting for the client to resume the stream, in ms. */
  resumeMs: number
  /** How long a call waits for the client to come back with the input that the tool server asked for, in ms. */
  inputWaitMs: number
  /** How long one tool server may take to answer for a merged list, in ms. */
  listTimeoutMs: number
  /** How often idle streams get a comment, and credentials of open streams are checked again, in ms. */
  keepAliveMs: number
  /** Bytes that may wait for a reader who doesn't read before its stream is cut. */
  maxBacklogBytes: number
}

export const GATEWAY_DEFAULTS: GatewaySettings = {
  allowedHosts: [],
  plainNames: false,
  maxBodyBytes: 1024 * 1024,
  maxBodyDepth: 64,
  sessionsPerAgent: 256,
  sessionIdleMs: 30 * 60_000,
  resumeMs: 5_000,
  inputWaitMs: 5 * 60_000,
  listTimeoutMs: 10_000,
  keepAliveMs: 15_000,
  maxBacklogBytes: 1024 * 1024,
}
