/** What is kept of one session of a client. */
import type { ServerResponse } from 'node:http'
import type { JsonObject } from '@ephor/engine/kernel'
import type { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node'
import type { LogLevel } from './caller.ts'
import type { EventRing } from './event-ring.ts'
import type { InFlight, Posted } from './posted.ts'

export type Session = {
  readonly id: string
  readonly agent: string
  readonly transport: NodeStreamableHTTPServerTransport
  readonly ring: EventRing
  /** Requests being answered, by their JSON-RPC id. */
  readonly inFlight: Map<string | number, InFlight>
  /** Ids of our requests to the client that wait for its answer. */
  readonly asked: Set<string | number>
  /** Open responses: streams that keep the session alive. */
  readonly open: Map<ServerResponse, Posted>
  /** The stream for what belongs to no request, and how much waits there. */
  standalone: { response: ServerResponse; full: (bytes: number) => boolean } | undefined
  lastSeen: number
  logLevel: LogLevel | undefined
  /** Sends a notification that belongs to no request. */
  notify: (method: string, params?: JsonObject) => void
}
