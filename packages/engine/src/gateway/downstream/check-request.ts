/** The checks that every HTTP request to the door passes before any of its content is believed. Hostile bytes stop here. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { Fault } from '@ephor/contract'
import type { FaultCode } from '@ephor/contract'
import { parseJson } from '@ephor/engine/kernel'
import type { Json, JsonObject } from '@ephor/engine/kernel'
import { isJsonContentType, localhostAllowedHostnames, validateHostHeader, validateOriginHeader } from '@modelcontextprotocol/server'
import { JsonObjectSchema } from './caller.ts'

/** A request that goes no further: the HTTP status and the JSON-RPC error that say why. */
export class Rejection extends Error {
  readonly status: number
  readonly code: number
  readonly id: Json | undefined
  readonly fault: FaultCode | undefined
  /** More for the client's program, where the specification has it. */
  readonly data: unknown

  constructor(status: number, code: number, message: string, options: { id?: Json | undefined; fault?: FaultCode; data?: unknown } = {}) {
    super(message)
    this.status = status
    this.code = code
    this.id = options.id
    this.fault = options.fault
    this.data = options.data
  }
}

const PARSE_ERROR = -32700
const INVALID_REQUEST = -32600
const SERVER_ERROR = -32000

/**
 * DNS rebinding: a page in the user's browser whose name now resolves to this address still sends its own name in Host
 * and Origin (basic/transports, Security Warning).
 * @throws Rejection 403
 */
export function checkHost(headers: IncomingHttpHeaders, allowedHosts: readonly string[]): void {
  const allowed = [...localhostAllowedHostnames(), ...allowedHosts]
  const host = validateHostHeader(headers.host, allowed)
  if (!host.ok) throw new Rejection(403, SERVER_ERROR, host.message, { fault: 'HOST_REFUSED' })
  const origin = validateOriginHeader(headers.origin, allowed)
  if (!origin.ok) throw new Rejection(403, SERVER_ERROR, origin.message, { fault: 'HOST_REFUSED' })
}

/** Headers that decide something: two of them are two stories, one for us and one for whoever stands in front. */
const ONCE: ReadonlySet<string> = new Set([
  'host',
  'origin',
  'authorization',
  'content-type',
  'mcp-session-id',
  'mcp-protocol-version',
  'mcp-method',
  'mcp-name',
  'last-event-id',
])

/** @throws Rejection 400 */
export function checkHeadersOnce({ rawHeaders }: IncomingMessage): void {
  const seen = new Set<string>()
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase()
    if (!ONCE.has(name) && !name.startsWith('mcp-param-')) continue
    if (seen.has(name)) throw new Rejection(400, INVALID_REQUEST, `The header ${name} stands twice`)
    seen.add(name)
  }
}

/** @throws Rejection 406 when the client does not say that it can read both kinds of answer (basic/transports, Sending Messages). */
export function checkAccept(method: string, accept: string | undefined): void {
  const offered = (accept ?? '').toLowerCase()
  if (method === 'GET' && !offered.includes('text/event-stream'))
    throw new Rejection(406, SERVER_ERROR, 'Accept must name text/event-stream')
  if (method === 'POST' && !(offered.includes('text/event-stream') && offered.includes('application/json')))
    throw new Rejection(406, SERVER_ERROR, 'Accept must name application/json and text/event-stream')
}

/** @throws Rejection 415 */
export function checkContentType(headers: IncomingHttpHeaders): void {
  if (!isJsonContentType(headers['content-type'] ?? null))
    throw new Rejection(415, SERVER_ERROR, 'Content-Type must be application/json', { fault: 'CONTENT_TYPE_UNSUPPORTED' })
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity')
    throw new Rejection(415, SERVER_ERROR, 'Content-Encoding is not supported', { fault: 'CONTENT_TYPE_UNSUPPORTED' })
}

/** The token of `Authorization: Bearer`, or undefined. */
export function bearerOf(authorization: string | undefined): string | undefined {
  return /^Bearer +([\x21-\x7e]{1,8192}) *$/i.exec(authorization ?? '')?.[1]
}

function isId(value: Json | undefined): boolean {
  return typeof value === 'string' ? value.length <= 256 : Number.isSafeInteger(value)
}

const MEMBERS: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'method', 'params', 'result', 'error'])

/** What is wrong with the shape of a message, if anything (JSON-RPC 2.0; MCP forbids null ids). */
function shapeTrouble(message: JsonObject): string | undefined {
  const { jsonrpc, id, method, params, result, error } = message
  if (jsonrpc !== '2.0') return 'jsonrpc must be "2.0"'
  if (id !== undefined && !isId(id)) return 'id must be a string or an integer'
  const stray = Object.keys(message).find((key) => !MEMBERS.has(key))
  if (stray !== undefined) return `unknown member ${JSON.stringify(stray.slice(0, 80))}`
  if (method !== undefined) {
    if (typeof method !== 'string' || method.length > 256) return 'method must be a string'
    if (result !== undefined || error !== undefined) return 'a message is a request or a response, not both'
    if (params !== undefined && !JsonObjectSchema.safeParse(params).success) return 'params must be an object'
    return undefined
  }
  if (id === undefined) return 'a message without method and id is nothing'
  if ((result === undefined) === (error === undefined)) return 'a response has either result or error'
  return undefined
}

/**
 * One JSON-RPC message out of untrusted bytes.
 * @throws Rejection 400 or 413: not acceptable JSON (-32700), a batch or another shape than JSON-RPC's (-32600).
 */
export function readMessage(bytes: Uint8Array, limits: { maxBytes: number; maxDepth: number }): JsonObject {
  let value: Json
  try {
    value = parseJson(bytes, limits)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    throw new Rejection(error.status, error.code === 'JSON_INVALID' ? PARSE_ERROR : INVALID_REQUEST, error.message, { fault: error.code })
  }
  if (Array.isArray(value)) throw new Rejection(400, INVALID_REQUEST, 'Batches are not accepted: send one message a request')
  const message = JsonObjectSchema.safeParse(value)
  if (!message.success) throw new Rejection(400, INVALID_REQUEST, 'The body is not a JSON-RPC message')
  const trouble = shapeTrouble(message.data)
  if (trouble !== undefined) throw new Rejection(400, INVALID_REQUEST, trouble, { id: message.data['id'] })
  return message.data
}
