/** One HTTP request at the door after its checks, and where the code that the SDK calls back finds it. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AgentPrincipal } from '@ephor/contract'
import type { Json, JsonObject } from '@ephor/engine/kernel'

export type Posted = {
  principal: AgentPrincipal
  bearer: string
  request: IncomingMessage
  response: ServerResponse
  /** The parsed message; undefined for GET and DELETE. */
  body: JsonObject | undefined
  /** A request of a session: its entry there. */
  entry?: InFlight
}

/** A request of a session from its arrival until its answer is sent. */
export type InFlight = {
  controller: AbortController
  running: boolean
  /** The SDK's name of the stream that the answer goes out on, once it is known. */
  stream: string | undefined
  /** Runs while the connection is broken and may still be resumed. */
  timer: NodeJS.Timeout | undefined
}

/** The SDK's handlers don't see the HTTP response they answer on; this context does, with types. */
export const posted = new AsyncLocalStorage<Posted>()

/**
 * True when more than `maxBytes` would wait for a reader who doesn't read. Once a response says that it needs to drain,
 * the SDK's streams pile up behind it; what is sent from then on is counted until it has drained.
 */
export function createBacklog(response: ServerResponse, maxBytes: number): (bytes: number) => boolean {
  let waiting = 0
  response.on('drain', () => {
    waiting = 0
  })
  return (bytes) => {
    if (!response.writableNeedDrain) waiting = 0
    else waiting += bytes
    return waiting > maxBytes
  }
}

/** What a message weighs on the wire, about. */
export function weigh(params: Json): number {
  return JSON.stringify(params).length
}
