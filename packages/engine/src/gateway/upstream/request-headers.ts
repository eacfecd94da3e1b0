/** The headers of revision 2026-07-28 that repeat what stands in the body, so that what stands in front of a server can route by them. */
import { PROTOCOL_VERSION_META_KEY } from '@modelcontextprotocol/client'
import type { JsonObject } from '@ephor/engine/kernel'
import { encodeHeader } from './param-headers.ts'
import { isObject } from './peer.ts'

/** The member of `params` that `Mcp-Name` repeats (basic/transports, Standard Request Headers). */
const NAMED_BY: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
}

/** Empty for messages without the envelope of that revision. */
export function requestHeaders({ method, params, id }: JsonObject): Record<string, string> {
  if (typeof method !== 'string' || id === undefined || !isObject(params) || !isObject(params['_meta'])) return {}
  const version = params['_meta'][PROTOCOL_VERSION_META_KEY]
  if (typeof version !== 'string') return {}
  const field = NAMED_BY[method]
  const name = field === undefined ? undefined : params[field]
  return {
    'mcp-protocol-version': version,
    'mcp-method': method,
    ...(typeof name === 'string' ? { 'mcp-name': encodeHeader(name) } : {}),
  }
}
