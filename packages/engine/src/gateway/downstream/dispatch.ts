/** What each MCP method does, in either revision: lists from the catalog, deeds through the broker. */
import type { JsonObject } from '@ephor/engine/kernel'
import { ProtocolError } from '@modelcontextprotocol/server'
import { objectAt } from './caller.ts'
import type { Caller } from './caller.ts'
import type { Catalog } from './catalog.ts'
import { performCall } from './perform-call.ts'
import type { CallDeps } from './perform-call.ts'
import { asProtocolError, invalidParams } from './replies.ts'

/** Methods that both revisions share and that the door answers itself. Compared as they are: case matters. */
export const SHARED_METHODS: ReadonlySet<string> = new Set([
  'tools/list',
  'tools/call',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'prompts/list',
  'prompts/get',
  'completion/complete',
])

const METHOD_NOT_FOUND = -32601

/** List results are for the principal they were made for, and stale as soon as a policy changes. */
const FRESHNESS = { ttlMs: 0, cacheScope: 'private' } as const

/** Definitions as this revision's clients can read them. How a server itself supports tasks is not for them: it is never asked for any. */
function fitting({ execution: _own, outputSchema, ...tool }: JsonObject, stateless: boolean): JsonObject {
  const isKnown = stateless || objectAt({ outputSchema: outputSchema ?? null }, 'outputSchema')?.['type'] === 'object'
  return { ...tool, ...(outputSchema === undefined || !isKnown ? {} : { outputSchema }) }
}

async function listed(catalog: Catalog, caller: Caller, method: string, params: JsonObject): Promise<JsonObject> {
  // Lists come whole, so no cursor was ever handed out.
  if (params['cursor'] !== undefined) throw invalidParams('params/cursor: this cursor is not known')
  const { principal, signal } = caller
  if (method === 'tools/list') return { tools: catalog.tools(principal).map((tool) => fitting(tool, caller.stateless)) }
  if (method === 'resources/list') return { resources: await catalog.list(principal, 'resources', signal) }
  if (method === 'prompts/list') return { prompts: await catalog.list(principal, 'prompts', signal) }
  return { resourceTemplates: await catalog.list(principal, 'templates', signal) }
}

/** @throws ProtocolError, always: nothing else leaves the door. */
export async function dispatch(deps: CallDeps, caller: Caller, method: string, params: JsonObject): Promise<JsonObject> {
  try {
    switch (method) {
      case 'tools/list':
      case 'resources/list':
      case 'resources/templates/list':
      case 'prompts/list': {
        const result = await listed(deps.catalog, caller, method, params)
        return caller.stateless ? { ...result, ...FRESHNESS } : result
      }
      case 'tools/call':
      case 'resources/read':
      case 'prompts/get':
      case 'completion/complete':
        return (await performCall(deps, caller, method, params)).result
      default:
        throw new ProtocolError(METHOD_NOT_FOUND, 'Method not found')
    }
  } catch (error) {
    throw asProtocolError(error)
  }
}
