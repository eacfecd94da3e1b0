/** The registry over HTTP: for people, with secrets kept, ETags honoured and every list paged. */
import type { Principal } from '@ephor/contract'
import { Fault } from '@ephor/contract'
import { sendFault } from '@ephor/engine/kernel'
import fastify from 'fastify'
import type { FastifyInstance, InjectOptions } from 'fastify'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { mountRegistry } from './index.ts'
import { openWorld, PERSON } from './test-world.ts'
import type { World } from './test-world.ts'

const VALUE = 'correct-horse-battery-staple'
const draft = {
  name: 'github',
  transport: { type: 'http', url: 'https://example.com/mcp', headers: { Authorization: `Bearer ${VALUE}` } },
}
const definition = (name: string) => ({ name, description: `Tool\u001b[2J ${name}`, inputSchema: { type: 'object' } })

let world: World
let app: FastifyInstance
let principal: Principal
let kept: Map<string, string>
let inspect: (server: string) => Promise<void>

beforeEach(async () => {
  world = await openWorld()
  principal = { kind: 'person', id: PERSON, session: 'ses_x' }
  kept = new Map()
  inspect = (server) => world.registry.observeTools(server, [definition('one'), definition('two/three'), definition('zwei')])
  app = fastify({ routerOptions: { maxParamLength: 500 } })
  app.setErrorHandler((error, _, reply) => sendFault(reply, error))
  mountRegistry(app, world.registry, {
    authenticate: () => Promise.resolve(principal),
    inspect: (server) => inspect(server),
    intake: (name, value, by) => Promise.resolve(void kept.set(`${by} ${name}`, value)),
  })
})
afterEach(() => world.end())

async function call(method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, body?: object, headers: Record<string, string> = {}) {
  const options: InjectOptions = { method, url, headers, ...(body ? { payload: body } : {}) }
  const answer = await app.inject(options)
  return {
    status: answer.statusCode,
    etag: String(answer.headers['etag']),
    text: answer.body,
    body: answer.json<Record<string, unknown>>(),
  }
}

test('a server is proposed with its secrets in the vault, shown without them, accepted as seen, and removed', async () => {
  const made = await call('POST', '/v1/servers', draft)
  expect(made).toMatchObject({
    status: 201,
    body: {
      name: 'github',
      state: 'proposed',
      tools: { proposed: 3 },
      transport: { headers: { Authorization: 'secret:github.Authorization' } },
    },
  })
  expect([...kept]).toEqual([[`${PERSON} github.Authorization`, `Bearer ${VALUE}`]])
  const shown = await call('GET', '/v1/servers/github')
  expect(shown.etag).toBe(`"${String(shown.body['digest'])}"`)
  expect(shown.body['list']).toMatchObject([
    { name: 'one', description: 'Tool[2J one', definition: { name: 'one' } },
    { name: 'two/three' },
    { name: 'zwei' },
  ])
  const diff = await call('GET', '/v1/servers/github/diff')
  expect(diff.body).toMatchObject({ digest: shown.body['digest'], findings: [], tools: [{ tool: 'one', state: 'proposed' }, {}, {}] })
  const digest = shown.body['digest']
  expect((await call('POST', '/v1/servers/github/accept', { digest: `sha256:${'0'.repeat(64)}` })).status).toBe(409)
  expect((await call('POST', '/v1/servers/github/accept', { digest }, { 'if-match': '"old"' })).status).toBe(412)
  expect((await call('POST', '/v1/servers/github/accept', {})).status).toBe(400)
  const tools = { one: { kind: 'read', risk: 'low' } }
  expect(await call('POST', '/v1/servers/github/accept', { digest, tools }, { 'if-match': shown.etag })).toMatchObject({
    status: 200,
    body: { state: 'accepted', tools: { accepted: 3 } },
  })
  expect(await call('DELETE', '/v1/servers/github')).toMatchObject({ status: 200, body: { state: 'removed' } })
  expect((await call('GET', '/v1/servers/github')).body).toMatchObject({ code: 'SERVER_UNKNOWN' })
  expect(made.text + shown.text + diff.text).not.toContain(VALUE)
})

test('proposing another server under a taken name does not touch the secrets of the first', async () => {
  await call('POST', '/v1/servers', draft)
  const other = { ...draft, transport: { ...draft.transport, url: 'https://evil.example/mcp', headers: { Authorization: 'evil' } } }
  expect((await call('POST', '/v1/servers', other)).status).toBe(409)
  expect([...kept.values()]).toEqual([`Bearer ${VALUE}`])
})

test('a server that cannot be reached is proposed with its error', async () => {
  inspect = () => Promise.reject(new Fault('UPSTREAM_UNAVAILABLE', 'it did not start'))
  expect((await call('POST', '/v1/servers', draft)).body).toMatchObject({ state: 'proposed', error: 'it did not start' })
  inspect = () => Promise.reject(new Error(`password ${VALUE}`))
  expect((await call('POST', '/v1/servers', { ...draft, name: 'other' })).body).toMatchObject({ error: 'it could not be reached' })
})

test('a tool is classified under its own ETag, also when its name has a slash', async () => {
  await call('POST', '/v1/servers', draft)
  const url = '/v1/tools/github/two%2Fthree'
  const as = { kind: 'money', risk: 'critical', paths: ['/file'] }
  const first = await call('PUT', url, as)
  expect(first).toMatchObject({ status: 200, body: { name: 'two/three', kind: 'money', risk: 'critical', paths: ['/file'] } })
  expect((await call('PUT', url, { ...as, risk: 'low' }, { 'if-match': first.etag })).status).toBe(200)
  expect((await call('PUT', url, as, { 'if-match': first.etag })).status).toBe(412)
  expect((await call('PUT', '/v1/tools/github/nope', as)).body).toMatchObject({ code: 'TOOL_UNKNOWN' })
  expect((await call('PUT', url, { kind: 'harmless', risk: 'low', paths: [] })).status).toBe(400)
})

test('lists are paged to their end, each item once', async () => {
  for (const name of ['a', 'b', 'c']) await call('POST', '/v1/servers', { ...draft, name })
  const seen: unknown[] = []
  let url: string | undefined = '/v1/tools?limit=4'
  for (let pages = 0; url !== undefined && pages < 9; pages++) {
    const { body } = await call('GET', url)
    seen.push(...(body['items'] as { server: string; name: string }[]).map(({ server, name }) => `${server}/${name}`))
    url = typeof body['next'] === 'string' ? `/v1/tools?limit=4&cursor=${encodeURIComponent(body['next'])}` : undefined
  }
  expect(new Set(seen).size).toBe(9)
  expect(seen).toHaveLength(9)
  expect((await call('GET', '/v1/servers?limit=2')).body).toMatchObject({ items: [{ name: 'a' }, { name: 'b' }], next: 'b' })
  expect((await call('GET', '/v1/tools?server=b')).body['items']).toHaveLength(3)
})

test('agents are registered, shown, extended and retired under their ETags', async () => {
  const made = await call('POST', '/v1/agents', { name: 'helper', purpose: 'mail' })
  expect(made).toMatchObject({ status: 201, body: { owner: PERSON, state: 'active' } })
  const url = `/v1/agents/${String(made.body['id'])}`
  expect((await call('GET', url)).etag).toBe(made.etag)
  const expiresAt = new Date(world.clock.now() + 86_400_000).toISOString()
  expect((await call('POST', `${url}/extend`, { expiresAt }, { 'if-match': made.etag })).body).toMatchObject({ expiresAt })
  expect((await call('POST', `${url}/retire`, undefined, { 'if-match': made.etag })).status).toBe(412)
  expect((await call('POST', `${url}/retire`)).body).toMatchObject({ state: 'retired' })
  expect((await call('GET', '/v1/agents')).body['items']).toHaveLength(1)
  expect((await call('GET', '/v1/agents/agt_nope')).status).toBe(404)
})

test('agents may not read or change any of it', async () => {
  principal = { kind: 'agent', id: 'agt_x', credential: 'crd_x' }
  expect((await call('GET', '/v1/servers')).body).toMatchObject({ code: 'FORBIDDEN' })
  expect((await call('POST', '/v1/servers', draft)).body).toMatchObject({ code: 'FORBIDDEN' })
  expect((await call('POST', '/v1/agents', { name: 'me', purpose: 'more' })).body).toMatchObject({ code: 'FORBIDDEN' })
  expect(kept.size).toBe(0)
})
