/** All pages of a server's tool list, each definition as it came. */
import { Fault } from '@ephor/contract'
import { isObject } from './peer.ts'
import type { JsonObject } from '../../kernel/index.ts'
import type { UpstreamLimits } from './limits.ts'
import type { Upstream } from './upstreams.ts'

export type ToolDefinition = { name: string; inputSchema: JsonObject; [field: string]: unknown } & JsonObject

/**
 * @throws Fault UPSTREAM_ERROR for a list that can't be pinned: a tool without name or schema, one name twice, pages without end.
 *   A list with one bad tool is refused whole: to skip it would let a server choose what an operator gets to see.
 */
export async function listTools(upstream: Upstream, limits: UpstreamLimits, signal: AbortSignal): Promise<ToolDefinition[]> {
  if (!isObject(upstream.capabilities['tools'])) return []
  const tools = new Map<string, ToolDefinition>()
  let cursor: string | undefined
  for (let page = 0; page < limits.maxListPages; page++) {
    const params: JsonObject = cursor === undefined ? {} : { cursor }
    const result = await upstream.request('tools/list', params, { signal, timeoutMs: limits.startTimeoutMs })
    if (!Array.isArray(result['tools'])) throw new Fault('UPSTREAM_ERROR', 'its tool list is not a list')
    for (const tool of result['tools']) {
      if (!isObject(tool) || typeof tool['name'] !== 'string' || tool['name'] === '' || !isObject(tool['inputSchema'])) {
        throw new Fault('UPSTREAM_ERROR', 'its tool list holds a tool without a name or an input schema')
      }
      const { name } = tool
      if (tools.has(name)) throw new Fault('UPSTREAM_ERROR', `its tool list names ${JSON.stringify(name.slice(0, 80))} twice`)
      tools.set(name, tool as ToolDefinition)
      if (tools.size > limits.maxTools) throw new Fault('UPSTREAM_ERROR', `its tool list holds more than ${limits.maxTools} tools`)
    }
    const next = result['nextCursor']
    if (typeof next !== 'string' || next === '') return [...tools.values()]
    if (next === cursor) break
    cursor = next
  }
  throw new Fault('UPSTREAM_ERROR', 'its tool list does not end')
}
