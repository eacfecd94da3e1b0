/** A JSON-RPC error that a tool server answered with, kept as it came so that the agent sees what the server said. */
import type { Json } from '@ephor/engine/kernel'

export class UpstreamError extends Error {
  readonly code: number
  readonly data: Json | undefined

  constructor(code: number, message: string, data?: Json) {
    super(message)
    this.name = 'UpstreamError'
    this.code = code
    this.data = data
  }
}
