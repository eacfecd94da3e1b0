/** Headers of revision 2026-07-28 repeat what the body says: whoever stands in front may have decided by them, so both must agree. */
import type { IncomingMessage } from 'node:http'
import { PROTOCOL_VERSION_META_KEY, UnsupportedProtocolVersionError, classifyInboundRequest } from '@modelcontextprotocol/server'
import type { JsonObject } from '@ephor/engine/kernel'
import { markedArguments } from '../upstream/param-headers.ts'
import { STATELESS_REVISION, nameIn } from '../upstream/request-headers.ts'
import { SESSION_REVISIONS } from './answer-session.ts'
import { objectAt } from './caller.ts'
import { Rejection } from './check-request.ts'

const HEADER_MISMATCH = -32020

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(', ') : value?.trim()
}

const BASE64 = /^=\?base64\?((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)\?=$/

/** The text that a header value stands for; undefined when it is encoded wrongly. */
function decode(value: string): string | undefined {
  if (!value.startsWith('=?base64?') || !value.endsWith('?=')) return value
  const encoded = BASE64.exec(value)?.[1]
  if (encoded === undefined) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(encoded, 'base64'))
  } catch {
    return undefined
  }
}

function mismatch(name: string, body: JsonObject): Rejection {
  return new Rejection(400, HEADER_MISMATCH, `The header ${name} and the body do not agree`, { id: body['id'], data: { header: name } })
}

/** Presence and `Mcp-Name`; that the values of the others agree was checked with the envelope. @throws Rejection -32020 */
function checkStandardHeaders(request: IncomingMessage, body: JsonObject): void {
  for (const name of ['mcp-protocol-version', 'mcp-method']) if (request.headers[name] === undefined) throw mismatch(name, body)
  const { method } = body
  const expected = typeof method === 'string' ? nameIn(method, objectAt(body, 'params') ?? {}) : undefined
  const given = header(request, 'mcp-name')
  if (expected !== undefined && (given === undefined || decode(given) !== expected)) throw mismatch('mcp-name', body)
}

/**
 * Whether a message belongs to a session or stands alone, by its envelope, with its headers checked against it.
 * @throws Rejection -32020 and others
 */
export function classify(request: IncomingMessage, body: JsonObject | undefined): 'session' | 'stateless' {
  const version = header(request, 'mcp-protocol-version')
  // Nothing says that it is of the newer revision: most requests, and the SDK's schemas need not look at them again.
  const claims = objectAt(objectAt(body, 'params'), '_meta')?.[PROTOCOL_VERSION_META_KEY] !== undefined
  if (!claims && (version === undefined || SESSION_REVISIONS.includes(version))) return 'session'
  const method = header(request, 'mcp-method')
  const outcome = classifyInboundRequest({
    httpMethod: request.method ?? 'POST',
    ...(version === undefined ? {} : { protocolVersionHeader: version }),
    ...(method === undefined ? {} : { mcpMethodHeader: method }),
    ...(body === undefined ? {} : { body }),
  })
  if (outcome.kind === 'reject')
    throw new Rejection(outcome.httpStatus, outcome.code, outcome.message, { id: body?.['id'], data: outcome.data })
  if (outcome.kind === 'legacy' || body === undefined) return 'session'
  const { revision } = outcome.classification
  if (revision !== STATELESS_REVISION) {
    const { code, message, data } = new UnsupportedProtocolVersionError({ supported: [STATELESS_REVISION], requested: revision ?? '' })
    throw new Rejection(400, code, message, { id: body['id'], data })
  }
  if (body['id'] !== undefined) checkStandardHeaders(request, body)
  return 'stateless'
}

/**
 * `Mcp-Param-*`: arguments that the tool's schema wants in headers. Numbers are compared as numbers.
 * @throws Rejection -32020 when one is missing, wrongly encoded or says something else
 */
export function checkParamHeaders(request: IncomingMessage, body: JsonObject, inputSchema: JsonObject | undefined): void {
  if (inputSchema === undefined) return
  const args = objectAt(objectAt(body, 'params'), 'arguments') ?? {}
  for (const [name, expected] of markedArguments(inputSchema, args)) {
    const value = header(request, name.toLowerCase())
    const given = value === undefined ? undefined : decode(value)
    const agrees =
      typeof expected === 'number' && /^-?\d+(\.\d+)?$/.test(given ?? '') ? Number(given) === expected : given === String(expected)
    if (!agrees) throw mismatch(name, body)
  }
}
