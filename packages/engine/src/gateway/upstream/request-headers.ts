/** The headers of revision 2026-07-28 that repeat what stands in the body, so that what stands in front of a server can route by them. */
import { PROTOCOL_VERSION_META_KEY } from '@modelcontextprotocol/client'
import type { JsonObject } from '@ephor/engine/kernel'
import { encodeHeader } from './param-headers.ts'
import { isObject } from './peer.ts'

export const STATELESS_REVISION = '2026-07-28'

/** The member of `params` that `Mcp-Name` repeats (basic/transports, Standard Request Headers). */
const NAMED_BY: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
])

/** What `Mcp-Name` has to say of a request, if anything. */
export function nameIn(method: string, params: JsonObject): string | undefined {
  const field = NAMED_BY.get(method)
  const name = field === undefined ? undefined : params[field]
  return typeof name === 'string' ? name : undefined
}

/** Empty for messages without the envelope of that revision. */
export function requestHeaders({ method, params, id }: JsonObject): Record<string, string> {
  if (typeof method !== 'string' || id === undefined || !isObject(params) || !isObject(params['_meta'])) return {}
  const version = params['_meta'][PROTOCOL_VERSION_META_KEY]
  if (typeof version !== 'string') return {}
  const name = nameIn(method, params)
  return {
    'mcp-protocol-version': version,
    'mcp-method': method,
    ...(name === undefined ? {} : { 'mcp-name': encodeHeader(name) }),
  }
}
