/** What an upstream connection may use before Ephor refuses it more: all in bytes, milliseconds and counts. */

export type UpstreamLimits = {
  /** One message from a server, in bytes. */
  maxMessageBytes: number
  /** Arrays and objects inside one another in a message. */
  maxDepth: number
  /** From spawning or the first request to the end of the handshake. */
  startTimeoutMs: number
  /** How long a stdio server may leave `server/discover` unanswered before `initialize` is tried too. */
  probeTimeoutMs: number
  /** A connection without a call for this long is closed; the system's own stays. */
  idleMs: number
  /** From closing a child's standard input to SIGTERM, and from SIGTERM to SIGKILL. */
  graceMs: number
  /** Pause after the first failure; doubles with each further one. */
  backoffBaseMs: number
  backoffMaxMs: number
  /** A connection that lived this long wipes the failures before it. */
  healthyMs: number
  /** Notifications passed on per second; what is above it is dropped and counted in the log. */
  notificationsPerSecond: number
  /** Requests in flight on one connection, in either direction. */
  maxInFlight: number
  /** Pages of one tool list, and tools in all of them. */
  maxListPages: number
  maxTools: number
}

export const DEFAULT_LIMITS: UpstreamLimits = {
  maxMessageBytes: 16 * 1024 * 1024,
  maxDepth: 128,
  startTimeoutMs: 30_000,
  probeTimeoutMs: 3_000,
  idleMs: 10 * 60_000,
  graceMs: 1_000,
  backoffBaseMs: 500,
  backoffMaxMs: 60_000,
  healthyMs: 60_000,
  notificationsPerSecond: 500,
  maxInFlight: 1_024,
  maxListPages: 64,
  maxTools: 4_096,
}
