/** The same calls to a conformant server on both transports in the stateless revision, and what only that revision has. */
import { expect, onTestFinished, test } from 'vitest'
import { httpServer, stdioServer } from '@ephor/testkit'
import type { Transport } from '@ephor/engine/registry'
import { calling, http, stdio, textOf, until, world } from './fixtures/world.ts'

const call = (name: string, args = {}) => ({ name, arguments: args })
const origin = { agent: 'agt_1', session: 's1' }

async function transportOf(kind: string): Promise<Transport> {
  if (kind === 'stdio') return stdio(stdioServer('conformant'))
  const server = await httpServer('conformant')
  onTestFinished(server.close)
  return http(server.url)
}

const BOTH = ['stdio', 'http']

test.each(BOTH)('the stateless revision is found and its results pass whole (%s)', async (kind) => {
  const { upstreams } = world({ a: await transportOf(kind) })
  const upstream = await upstreams.connect('a', 'agt_1')
  expect(upstream.protocolVersion).toBe('2026-07-28')
  expect(await upstream.request('tools/call', call('test_simple_text'), calling())).toMatchObject({ resultType: 'complete' })
  const list = await upstream.request('tools/list', {}, calling())
  expect(list).toMatchObject({ ttlMs: 0, cacheScope: 'private' })
  const seen: unknown[] = []
  await upstream.request('tools/call', call('test_tool_with_progress'), calling({ onProgress: (params) => seen.push(params) }))
  expect(seen).toMatchObject([{ progress: 0 }, { progress: 50 }, { progress: 100 }])
})

test.each(BOTH)('a question inside a result is passed on as it is, with the capabilities of the agent (%s)', async (kind) => {
  const { upstreams } = world({ a: await transportOf(kind) })
  const upstream = await upstreams.connect('a', 'agt_1')
  const declared = {
    'io.modelcontextprotocol/clientCapabilities': { elicitation: {} },
    'io.modelcontextprotocol/protocolVersion': '1999-01-01',
  }
  const params = { ...call('test_input_required_result_capabilities'), _meta: declared }
  const result = await upstream.request('tools/call', params, calling())
  expect(result).toMatchObject({ resultType: 'input_required', inputRequests: { user_name: { method: 'elicitation/create' } } })
  expect(Object.keys(result['inputRequests'] ?? {})).toEqual(['user_name'])
})

test.each(BOTH)('a question inside a result is answered through the handler for an agent of an older revision (%s)', async (kind) => {
  const { upstreams } = world({ a: await transportOf(kind) })
  const upstream = await upstreams.connect('a', 'agt_1')
  const asked: unknown[] = []
  upstream.onServerRequest(async (questions, from) =>
    questions.map(({ method, params }) => {
      asked.push({ method, from })
      return { action: 'accept', content: JSON.stringify(params).includes('color') ? { color: 'red' } : { name: 'Ada' } }
    }),
  )
  const result = await upstream.request('tools/call', call('test_input_required_result_multi_round'), calling({ origin, fulfil: true }))
  expect(textOf(result)).toBe('Ada likes red')
  expect(asked).toEqual([
    { method: 'elicitation/create', from: origin },
    { method: 'elicitation/create', from: origin },
  ])
})

test('a question inside a result without an origin or a handler fails the call', async () => {
  const { upstreams } = world({ a: stdio(stdioServer('conformant')) })
  const upstream = await upstreams.connect('a', 'agt_1')
  const asking = upstream.request('tools/call', call('test_input_required_result_elicitation'), calling({ origin, fulfil: true }))
  await expect(asking).rejects.toMatchObject({ code: 'UPSTREAM_ERROR', message: expect.stringContaining('not offered') as string })
})

test.each(BOTH)('a changed list is heard of on a subscription and listed again (%s)', async (kind) => {
  const { upstreams, observed } = world({ a: await transportOf(kind) })
  await upstreams.inspect('a')
  expect(observed).toHaveLength(1)
  const upstream = await upstreams.connect('a', 'ephor')
  const heard: [string, unknown][] = []
  upstream.onNotification((method, params) => heard.push([method, params['_meta']]))
  await expect
    .poll(async () => {
      await upstream.request('tools/call', call('test_trigger_tool_change'), calling())
      return heard.map(([method]) => method)
    })
    .toContain('notifications/tools/list_changed')
  expect(JSON.stringify(heard)).not.toContain('subscriptionId')
  await until(() => observed.length > 1)
})

test.each(BOTH)('what the stateless revision no longer has as a request is done for an older agent (%s)', async (kind) => {
  const { upstreams } = world({ a: await transportOf(kind) })
  const upstream = await upstreams.connect('a', 'agt_1')
  expect(await upstream.request('ping', {}, calling())).toEqual({})
  const logged: unknown[] = []
  upstream.onNotification((method, params) => {
    if (method === 'notifications/message') logged.push(params['level'])
  })
  await upstream.request('tools/call', call('test_logging_tool'), calling())
  expect(logged).toEqual([])
  expect(await upstream.request('logging/setLevel', { level: 'info' }, calling())).toEqual({})
  await upstream.request('tools/call', call('test_logging_tool'), calling())
  expect(logged).toEqual(['info'])
  expect(await upstream.request('resources/subscribe', { uri: 'test://watched-resource' }, calling())).toEqual({})
  expect(await upstream.request('resources/unsubscribe', { uri: 'test://watched-resource' }, calling())).toEqual({})
  expect(await upstream.request('resources/read', { uri: 'test://static-text' }, calling())).toHaveProperty('contents')
})

test('an argument that the schema marks is mirrored into its header', async () => {
  const transport = await transportOf('http')
  const region = { type: 'string', 'x-mcp-header': 'Region' }
  const definition = { name: 'test_x_mcp_header', inputSchema: { type: 'object', properties: { region } } }
  const accepted = {
    server: 'a',
    name: definition.name,
    state: 'accepted' as const,
    digest: '',
    kind: 'read' as const,
    risk: 'low' as const,
    paths: [],
    definition,
  }
  const { upstreams } = world({ a: transport }, {}, {}, () => accepted)
  const upstream = await upstreams.connect('a', 'agt_1')
  expect(textOf(await upstream.request('tools/call', call('test_x_mcp_header', { region: 'Zürich' }), calling()))).toBe('region=Zürich')
})

test('a stateless call over HTTP is cancelled by dropping its stream', async () => {
  const { upstreams } = world({ a: await transportOf('http') })
  const upstream = await upstreams.connect('a', 'agt_1')
  const abort = new AbortController()
  const cancelled = upstream.request('tools/call', call('test_tool_with_logging'), calling({ signal: abort.signal }))
  abort.abort()
  await expect(cancelled).rejects.toMatchObject({ code: 'CALL_CANCELLED' })
  expect(textOf(await upstream.request('tools/call', call('test_simple_text'), calling()))).toContain('simple text')
})
