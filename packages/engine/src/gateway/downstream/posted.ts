/** One HTTP request at the door after its checks. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AgentPrincipal } from '@ephor/contract'
import type { JsonObject } from '@ephor/engine/kernel'

export type Posted = {
  principal: AgentPrincipal
  bearer: string
  request: IncomingMessage
  response: ServerResponse
  /** The parsed message; undefined for GET and DELETE. */
  body: JsonObject | undefined
}
