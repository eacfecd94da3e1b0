/** What the official client sees through the door, in both revisions: everything the tool servers offer, and a receipt. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '@ephor/engine/kernel'
import { eventually, openDoor, toolOf } from './door.fixture.ts'
import type { Door, DoorOptions, TestServer } from './door.fixture.ts'

let door: Door
const clients: Client[] = []
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
  await door.close()
})

const REVISIONS = ['2025-11-25', '2026-07-28'] as const
type Revision = (typeof REVISIONS)[number]

async function connect(
  options: DoorOptions,
  revision: Revision,
  capabilities: JsonObject = {},
  prepare: (client: Client) => void = () => undefined,
) {
  door = await openDoor(options)
  const client = new Client(
    { name: 'test', version: '1' },
    { capabilities, versionNegotiation: { mode: revision === '2026-07-28' ? { pin: revision } : 'legacy' } },
  )
  prepare(client)
  clients.push(client)
  await client.connect(
    new StreamableHTTPClientTransport(new URL(door.url), { requestInit: { headers: { authorization: 'Bearer alice' } } }),
  )
  return client
}

const capabilities = {
  tools: {},
  resources: { subscribe: true, listChanged: true },
  prompts: { listChanged: true },
  completions: {},
  logging: {},
}

const library: TestServer = {
  tools: [
    toolOf('library', 'find', { title: 'Find', outputSchema: { type: 'object' }, annotations: { readOnlyHint: true }, _meta: { x: 1 } }),
  ],
  capabilities,
  async handler(method, params, options, upstream) {
    switch (method) {
      case 'resources/list':
        return params['cursor'] === undefined
          ? { resources: [{ uri: 'book://1', name: 'one' }], nextCursor: 'p2' }
          : { resources: [{ uri: 'shared://x', name: 'x' }] }
      case 'resources/templates/list':
        return { resourceTemplates: [{ uriTemplate: 'book://{id}', name: 'book' }] }
      case 'prompts/list':
        return { prompts: [{ name: 'summarise', arguments: [{ name: 'book' }] }] }
      case 'resources/read':
        return { contents: [{ uri: params['uri'] ?? '', text: 'text' }] }
      case 'prompts/get':
        return { messages: [{ role: 'user', content: { type: 'text', text: JSON.stringify(params['arguments']) } }] }
      case 'completion/complete':
        return { completion: { values: [JSON.stringify(params['ref'])], total: 1 } }
      case 'tools/call':
        options.onProgress?.({ progressToken: 99, progress: 1, total: 2, message: 'half' })
        upstream.say('notifications/message', { level: 'warning', data: 'careful' })
        return { content: [{ type: 'text', text: 'found' }], structuredContent: { n: 1 }, _meta: { upstream: 'kept' } }
      default:
        return {}
    }
  },
}
const silent: TestServer = {
  tools: [toolOf('silent', 'find')],
  capabilities: { tools: {}, resources: {} },
  handler: async (method) => (method === 'resources/list' ? { resources: [{ uri: 'shared://x', name: 'x' }] } : { content: [] }),
}
const broken: TestServer = {
  tools: [],
  capabilities: { resources: {}, prompts: {} },
  handler: async () => Promise.reject(new Error('broken')),
}

describe.each(REVISIONS)('revision %s', (revision) => {
  test('tools are listed under the name of their server, with their accepted definition', async () => {
    const client = await connect({ servers: { library, silent }, visible: (_, server) => server !== 'silent' }, revision)
    const { tools } = await client.listTools()
    expect(tools).toEqual([
      expect.objectContaining({ name: 'library__find', title: 'Find', annotations: { readOnlyHint: true }, _meta: { x: 1 } }),
    ])
    expect(client.getServerVersion()?.name).toBe('ephor')
  })

  test('where results are examined before they are passed on, nothing goes past them', async () => {
    const obligations = [{ kind: 'redact' as const, category: 'ssn', policy: 'p' }]
    const client = await connect({ servers: { library }, obligations }, revision)
    const heard: unknown[] = []
    client.setNotificationHandler('notifications/message', (message) => void heard.push(message))
    await client.callTool({ name: 'library__find' }, { onprogress: (update) => heard.push(update) })
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(heard).toEqual([])
  })

  test('a call goes to its tool, and its result comes back whole, with a receipt', async () => {
    const client = await connect({ servers: { library } }, revision)
    const progress: unknown[] = []
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const result = await client.callTool(
      { name: 'library__find', arguments: { q: 'a' }, _meta: { traceparent, smuggled: 'no' } },
      { onprogress: (update) => progress.push(update) },
    )
    expect(result).toMatchObject({ structuredContent: { n: 1 }, content: [{ type: 'text', text: 'found' }] })
    expect(result._meta).toMatchObject({ upstream: 'kept', 'dev.ephor/receipt': { decision: 'dec_1', origin: 'test', seq: 7 } })
    expect(progress).toEqual([{ progress: 1, total: 2, message: 'half' }])
    const { requests } = await door.upstreamOf('library')
    const sent = requests.find(({ method }) => method === 'tools/call')
    expect(sent?.params).toMatchObject({ name: 'find', arguments: { q: 'a' }, _meta: { traceparent } })
    expect(sent?.params['_meta']).not.toHaveProperty('smuggled')
    expect(door.calls[0]).toMatchObject({
      door: 'mcp',
      bearer: 'alice',
      method: 'tools/call',
      server: 'library',
      name: 'find',
      input: { q: 'a' },
      trace: traceparent,
    })
  })

  test('resources of all servers are merged, read from their own server, and named without doubt where two share a URI', async () => {
    const client = await connect({ servers: { library, silent, broken } }, revision)
    const { resources } = await client.listResources()
    expect(resources.map(({ uri }) => uri).toSorted()).toEqual(['book://1', 'ephor+library:shared://x', 'ephor+silent:shared://x'])
    expect((await client.listResourceTemplates()).resourceTemplates).toMatchObject([{ uriTemplate: 'book://{id}' }])
    for (const uri of ['book://1', 'book://77', 'ephor+library:shared://x']) await client.readResource({ uri })
    expect(door.calls.map(({ server, name }) => `${server} ${name}`)).toEqual([
      'library book://1',
      'library book://77',
      'library shared://x',
    ])
    await expect(client.readResource({ uri: 'shared://x' })).rejects.toMatchObject({ code: -32602 })
    expect(door.calls.at(-1)).toMatchObject({ method: 'resources/read', server: '', name: 'shared://x' })
  })

  test('prompts and completions go to their server under its own names', async () => {
    const client = await connect({ servers: { library, broken } }, revision)
    expect((await client.listPrompts()).prompts).toMatchObject([{ name: 'library__summarise' }])
    expect((await client.getPrompt({ name: 'library__summarise', arguments: { book: '1' } })).messages[0]?.content).toMatchObject({
      text: '{"book":"1"}',
    })
    const completed = await client.complete({
      ref: { type: 'ref/prompt', name: 'library__summarise' },
      argument: { name: 'book', value: 'a' },
    })
    expect(completed.completion.values).toEqual(['{"type":"ref/prompt","name":"summarise"}'])
    await client.complete({ ref: { type: 'ref/resource', uri: 'book://{id}' }, argument: { name: 'id', value: '1' } })
    expect(door.calls.at(-1)).toMatchObject({ method: 'completion/complete', server: 'library', name: 'book://{id}' })
  })

  test('an unknown tool is a protocol error, and on record', async () => {
    const client = await connect({ servers: { library } }, revision)
    for (const name of ['library__nothing', 'nobody__find', 'find'])
      await expect(client.callTool({ name })).rejects.toMatchObject({ code: -32602 })
    expect(door.calls).toHaveLength(3)
  })

  test('an error of the tool server keeps its code, message and data', async () => {
    const handler = async () => Promise.reject(Object.assign(new Error('no such book'), { code: -32050, data: { shelf: 3 } }))
    const client = await connect({ servers: { library: { ...library, handler } } }, revision)
    await expect(client.callTool({ name: 'library__find' })).rejects.toMatchObject({
      code: -32050,
      message: expect.stringContaining('no such book'),
      data: { shelf: 3, 'dev.ephor/receipt': { decision: 'dec_1', seq: 7 } },
    })
  })

  test('a held call says why, for whom, until when and how to go on', async () => {
    const held = {
      kind: 'held' as const,
      decision: 'dec_1',
      receipt: { origin: 'test', seq: 1, leafHash: '00' },
      reasons: [{ policy: 'p', text: 'It deletes data' }],
      approval: { id: 'apr_01k9v3aaaaaaaaaaaaaaaaaaaa', expiresAt: Date.UTC(2026, 0, 1), state: 'pending' as const },
    }
    const client = await connect({ servers: { library }, perform: async () => held }, revision)
    const result = await client.callTool({ name: 'library__find' })
    expect(result.isError).toBe(true)
    const text = JSON.stringify(result.content)
    for (const part of ['It deletes data', 'a person who may approve', '2026-01-01T00:00:00.000Z', held.approval.id, 'dev.ephor/approval'])
      expect(text).toContain(part)
    expect(result._meta).toMatchObject({ 'dev.ephor/approval': { id: held.approval.id }, 'dev.ephor/receipt': { decision: 'dec_1' } })
    await expect(client.readResource({ uri: 'ephor+library:book://1' })).rejects.toMatchObject({ data: { code: 'APPROVAL_REQUIRED' } })
  })

  test('a refused call says which fault, why and what to do', async () => {
    const refused = {
      kind: 'refused' as const,
      decision: 'dec_1',
      receipt: { origin: 'test', seq: 1, leafHash: '00' },
      reasons: [{ policy: 'p', text: 'Outside its folder' }],
      fault: 'POLICY_DENIED' as const,
      detail: '',
    }
    const client = await connect({ servers: { library }, perform: async () => refused }, revision)
    const result = await client.callTool({ name: 'library__find' })
    expect(result).toMatchObject({
      isError: true,
      _meta: { 'dev.ephor/fault': { code: 'POLICY_DENIED', reasons: [{ text: 'Outside its folder' }] } },
    })
    expect(JSON.stringify(result.content)).toMatch(/POLICY_DENIED.*Outside its folder.*What to do/)
    await expect(client.getPrompt({ name: 'library__summarise' })).rejects.toMatchObject({
      data: { code: 'POLICY_DENIED', reasons: [{ policy: 'p' }] },
    })
  })

  const asking: TestServer = {
    tools: [toolOf('asking', 'ask')],
    async handler(_method, _params, { origin, signal }, upstream) {
      const schema = { type: 'object', properties: { name: { type: 'string' } } }
      const answer = await upstream.ask('elicitation/create', { message: 'Who?', requestedSchema: schema, mode: 'form' }, origin, signal)
      return { content: [{ type: 'text', text: JSON.stringify(answer) }] }
    },
  }
  const prepare = (client: Client) =>
    client.setRequestHandler('elicitation/create', async () => ({ action: 'accept' as const, content: { name: 'Ada' } }))

  test('a question of a tool server that a policy permits reaches the client that made the call, and its answer comes back', async () => {
    const client = await connect({ servers: { asking }, permitServerRequests: true }, revision, { elicitation: { form: {} } }, prepare)
    const result = await client.callTool({ name: 'asking__ask' })
    expect(JSON.stringify(result.content)).toContain('Ada')
    expect(door.judged).toEqual(['elicitation/create', 'succeeded'])
    expect(door.calls).toHaveLength(1)
  })

  test('a question that no policy permits is refused, and the client never hears of it', async () => {
    let asked = 0
    const client = await connect({ servers: { asking } }, revision, { elicitation: { form: {} } }, (it) =>
      it.setRequestHandler('elicitation/create', async () => {
        asked++
        return { action: 'decline' as const }
      }),
    )
    await expect(client.callTool({ name: 'asking__ask' })).rejects.toMatchObject({ message: expect.stringContaining('POLICY_NO_PERMIT') })
    expect(asked).toBe(0)
  })

  test('a client that did not declare that it can be asked is not asked', async () => {
    const client = await connect({ servers: { asking }, permitServerRequests: true }, revision)
    await expect(client.callTool({ name: 'asking__ask' })).rejects.toMatchObject({ message: expect.stringContaining('does not offer') })
    expect(door.judged).toEqual(['elicitation/create', 'failed'])
  })

  test('cancelling a call stops it at the tool server', async () => {
    let stopped = false
    const handler: TestServer['handler'] = (_method, _params, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          stopped = true
          reject(new Error('stopped'))
        })
      })
    const client = await connect({ servers: { library: { tools: library.tools, handler } } }, revision)
    const controller = new AbortController()
    const result = client.callTool({ name: 'library__find' }, { signal: controller.signal })
    await eventually(() => door.calls.length === 1)
    controller.abort()
    await expect(result).rejects.toThrow(/abort/i)
    await eventually(() => stopped)
  })
})

describe('notifications', () => {
  test('a session hears of changed lists, updated resources and log messages of its own agent only', async () => {
    const client = await connect({ servers: { library } }, '2025-11-25')
    const heard: string[] = []
    client.fallbackNotificationHandler = async ({ method, params }) =>
      void heard.push(`${method} ${JSON.stringify(params?.['uri'] ?? params?.['data'] ?? '')}`)
    await client.listResources()
    await client.subscribeResource({ uri: 'book://1' })
    await client.setLoggingLevel('warning')
    const mine = await door.upstreamOf('library')
    expect(mine.requests.filter(({ method }) => method === 'logging/setLevel').map(({ params }) => params)).toEqual([{ level: 'warning' }])
    await new Promise((resolve) => setTimeout(resolve, 100))
    mine.say('notifications/resources/updated', { uri: 'book://1' })
    mine.say('notifications/resources/updated', { uri: 'book://2' })
    mine.say('notifications/resources/list_changed')
    mine.say('notifications/prompts/list_changed')
    mine.say('notifications/message', { level: 'info', data: 'quiet' })
    mine.say('notifications/message', { level: 'error', data: 'loud' })
    mine.say('notifications/invented', {})
    door.policyChanged()
    await eventually(() => heard.length >= 7)
    expect(heard.toSorted()).toEqual([
      'notifications/message "loud"',
      // Of the server, and because other policies show other lists.
      'notifications/prompts/list_changed ""',
      'notifications/prompts/list_changed ""',
      'notifications/resources/list_changed ""',
      'notifications/resources/list_changed ""',
      'notifications/resources/updated "book://1"',
      'notifications/tools/list_changed ""',
    ])
    expect(door.calls.at(-1)).toMatchObject({ method: 'resources/subscribe', server: 'library', name: 'book://1' })
    await client.unsubscribeResource({ uri: 'book://1' })
    expect(mine.requests.at(-1)).toMatchObject({ method: 'resources/unsubscribe', params: { uri: 'book://1' } })
  })

  test('a stateless client listens with subscriptions/listen, for what the broker permits', async () => {
    const client = await connect({ servers: { library } }, '2026-07-28')
    const heard: string[] = []
    client.fallbackNotificationHandler = async ({ method, params }) => void heard.push(`${method} ${JSON.stringify(params?.['uri'] ?? '')}`)
    await client.listResources()
    const subscription = await client.listen({ toolsListChanged: true, resourceSubscriptions: ['book://1', 'nobody://1'] })
    expect(door.calls.map(({ method, name }) => `${method} ${name}`)).toEqual([
      'resources/subscribe book://1',
      'resources/subscribe nobody://1',
    ])
    const mine = await door.upstreamOf('library')
    mine.say('notifications/resources/updated', { uri: 'book://1' })
    door.registryChanged()
    await eventually(() => heard.length >= 2)
    expect(heard.toSorted()).toEqual(['notifications/resources/updated "book://1"', 'notifications/tools/list_changed ""'])
    await subscription.close()
    await eventually(() => mine.requests.some(({ method }) => method === 'resources/unsubscribe'))
  })
})
