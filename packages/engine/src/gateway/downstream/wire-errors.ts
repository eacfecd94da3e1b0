/** Errors at the door, before any MCP server object sees the message: an HTTP status with a JSON-RPC error body. */
import type { ServerResponse } from 'node:http'
import { FAULTS } from '@ephor/contract'
import type { FaultCode } from '@ephor/contract'
import type { Json } from '@ephor/engine/kernel'

/** Error responses carry the id of their request when it could be read, otherwise null (JSON-RPC 2.0 section 5). */
function errorBody(id: Json | undefined, code: number, message: string, fault?: FaultCode, more?: unknown): string {
  const data = fault === undefined ? (more === undefined ? {} : { data: more }) : { data: { code: fault, advice: FAULTS[fault].advice } }
  const echoed = typeof id === 'string' || typeof id === 'number' ? id : null
  return JSON.stringify({ jsonrpc: '2.0', id: echoed, error: { code, message, ...data } })
}

export function sendError(
  response: ServerResponse,
  status: number,
  id: Json | undefined,
  code: number,
  message: string,
  fault?: FaultCode,
  headers: Record<string, string> = {},
  data?: unknown,
): void {
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers })
  response.end(errorBody(id, code, message, fault, data))
}
