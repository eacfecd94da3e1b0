/** All pages of a server's tool list, each definition as it came: whether it can be pinned is the registry's to judge. */
import { Fault } from '@ephor/contract'
import type { JsonObject } from '@ephor/engine/kernel'
import { isObject } from './peer.ts'
import type { UpstreamLimits } from './limits.ts'
import type { Upstream } from './upstreams.ts'

/**
 * A list longer than the limit is cut off well above what the registry accepts, so that it is refused there and its tools with it.
 * @throws Fault UPSTREAM_ERROR for what is not a list, or does not end.
 */
export async function listTools(upstream: Upstream, limits: UpstreamLimits, signal: AbortSignal): Promise<JsonObject[]> {
  if (!isObject(upstream.capabilities['tools'])) return []
  const tools: JsonObject[] = []
  let cursor: string | undefined
  for (let page = 0; page < limits.maxListPages; page++) {
    const params: JsonObject = cursor === undefined ? {} : { cursor }
    const result = await upstream.request('tools/list', params, { signal, timeoutMs: limits.startTimeoutMs })
    if (!Array.isArray(result['tools'])) throw new Fault('UPSTREAM_ERROR', 'its tool list is not a list')
    for (const tool of result['tools']) tools.push(isObject(tool) ? tool : {})
    const next = result['nextCursor']
    if (typeof next !== 'string' || next === '' || tools.length > limits.maxTools) return tools
    if (next === cursor) break
    cursor = next
  }
  throw new Fault('UPSTREAM_ERROR', 'its tool list does not end')
}
