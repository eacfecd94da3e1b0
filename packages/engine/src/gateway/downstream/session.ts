/** What is kept of one session of a client. */
import type { ServerResponse } from 'node:http'
import type { JsonObject } from '@ephor/engine/kernel'
import type { LogLevel } from './caller.ts'
import type { EventRing } from './event-ring.ts'
import type { Posted } from './posted.ts'
import type { Reply } from './reply.ts'

/** A request of a session from its arrival until it is answered. */
export type InFlight = {
  readonly id: string | number
  controller: AbortController
  reply: Reply
  /** Runs while the connection is broken and may still be resumed. */
  timer: NodeJS.Timeout | undefined
}

export type Session = {
  readonly id: string
  readonly agent: string
  /** The revision agreed on. */
  readonly revision: string
  readonly clientCapabilities: JsonObject
  readonly ring: EventRing
  /** Requests being answered, by their JSON-RPC id. */
  readonly inFlight: Map<string | number, InFlight>
  /** Our requests to the client that wait for its answer, by the id that we gave them. */
  readonly asked: Map<string, (answer: JsonObject) => void>
  /** Open responses: streams that keep the session alive. */
  readonly open: Map<ServerResponse, Posted>
  /** The stream for what belongs to no request. */
  readonly standalone: Reply
  lastSeen: number
  logLevel: LogLevel | undefined
}
