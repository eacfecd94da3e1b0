/** What all connections together promise: who may connect, what is listed, what servers may ask, what a change of the registry ends. */
import { expect, test } from 'vitest'
import { stdioServer } from '@ephor/testkit'
import { UpstreamError } from './upstream-error.ts'
import { alive, calling, stdio, textOf, until, world } from './fixtures/world.ts'

const hostile = (...args: string[]) => stdio(stdioServer('hostile', ...args))
const call = (name: string, args = {}) => ({ name, arguments: args })
const origin = { agent: 'agt_1', session: 's1' }

test('only an accepted server is connected for an agent, a proposed one is only looked at', async () => {
  const { upstreams, setServer, observed } = world({ a: hostile() })
  await expect(upstreams.connect('nobody', 'agt_1')).rejects.toMatchObject({ code: 'SERVER_UNKNOWN' })
  setServer('a', { state: 'proposed' })
  await expect(upstreams.connect('a', 'agt_1')).rejects.toMatchObject({ code: 'SERVER_NOT_ACCEPTED' })
  await upstreams.inspect('a')
  expect(observed[0]?.length).toBeGreaterThan(10)
  setServer('a', { state: 'removed' })
  await expect(upstreams.inspect('a')).rejects.toMatchObject({ code: 'SERVER_UNKNOWN' })
})

test('a server that is removed or moved loses its connections', async () => {
  const { upstreams, setServer } = world({ a: hostile() })
  const pid = async () => Number(textOf(await (await upstreams.connect('a', 'agt_1')).request('tools/call', call('pid'), calling())))
  const first = await pid()
  setServer('a', { folders: ['/tmp'] })
  expect(await pid()).toBe(first)
  setServer('a', { transport: hostile('--size', '1') })
  const second = await pid()
  expect(second).not.toBe(first)
  await until(() => !alive(first))
  setServer('a', { state: 'removed' })
  await until(() => !alive(second))
})

test('release ends the connections of one owner', async () => {
  const { upstreams } = world({ a: hostile() })
  const pid = async (owner: string) =>
    Number(textOf(await (await upstreams.connect('a', owner)).request('tools/call', call('pid'), calling())))
  const [one, two] = await Promise.all([pid('agt_1'), pid('agt_2')])
  await upstreams.release('agt_1')
  expect([alive(one), alive(two)]).toEqual([false, true])
  await upstreams.close()
  expect(alive(two)).toBe(false)
  await expect(upstreams.connect('a', 'agt_2')).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
  await expect(upstreams.inspect('a')).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
})

test.each(['rug-pull-description', 'rug-pull-schema'])('changed definitions are reported when the server says so (%s)', async (mode) => {
  const { upstreams, observed } = world({ a: hostile('--mode', mode) })
  await upstreams.inspect('a')
  await until(() => observed.length > 1)
  expect(observed[0]).toEqual([{ name: 'echo', description: 'Says what it is given', inputSchema: { type: 'object' } }])
  expect(observed[1]).not.toEqual(observed[0])
})

test('names that look alike or stand twice are reported as they are, for the registry to judge', async () => {
  const { upstreams, observed } = world({ look: hostile('--mode', 'lookalike'), twice: hostile('--mode', 'duplicate') })
  await upstreams.inspect('look')
  await upstreams.inspect('twice')
  expect(observed.map((tools) => tools.map(({ name }) => name))).toEqual([
    ['echo', '\u0435cho', 'ec\u200bho'],
    ['echo', 'echo'],
  ])
})

test.each([
  ['endless-list', 'does not end'],
  ['garbage-list', 'not a list'],
  ['crash', 'ended with code 1'],
])('tools that cannot be listed (%s) are a failure with its reason', async (mode, reason) => {
  const { upstreams, observed, failures } = world({ a: hostile('--mode', mode) })
  await expect(upstreams.inspect('a')).rejects.toMatchObject({ message: expect.stringContaining(reason) as string })
  expect(failures[0]).toContain(reason)
  expect(observed).toEqual([])
})

test('a server that died is listed again once it is back', async () => {
  const { upstreams, observed } = world({ a: hostile() })
  await upstreams.inspect('a')
  const system = await upstreams.connect('a', 'ephor')
  await expect(system.request('tools/call', call('die'), calling())).rejects.toMatchObject({ code: 'UPSTREAM_DIED' })
  await until(() => observed.length > 1)
})

test('what a server asks within a call is put to the handler with the origin of that call', async () => {
  const { upstreams } = world({ a: hostile() })
  const upstream = await upstreams.connect('a', 'agt_1')
  const asked: unknown[] = []
  upstream.onServerRequest(async ([question], from) => {
    const method = question?.method
    asked.push([method, from])
    if (method === 'sampling/createMessage') throw new UpstreamError(-1, 'Refused by policy', { why: 'default' })
    if (method === 'elicitation/create') throw new Error('an inner detail')
    return [{ roots: [] }]
  })
  const answers = JSON.parse(textOf(await upstream.request('tools/call', call('ask'), calling({ origin })))) as unknown
  expect(asked).toEqual([
    ['sampling/createMessage', origin],
    ['elicitation/create', origin],
    ['roots/list', origin],
  ])
  expect(answers).toEqual([
    { code: -1, message: 'Refused by policy', data: { why: 'default' } },
    { code: -32603, message: 'The request could not be answered' },
    { roots: [] },
    { code: -32601, message: 'shell/run is not offered' },
  ])
})

test('what a server asks is refused when no call, or calls of two sessions, are in flight', async () => {
  const { upstreams } = world({ a: hostile() })
  const upstream = await upstreams.connect('a', 'agt_1')
  let asked = 0
  upstream.onServerRequest(async () => [{ asked: ++asked }])
  const refused = { code: -32600, message: 'No single call is in flight that this could belong to' }
  const none = JSON.parse(textOf(await upstream.request('tools/call', call('ask'), calling()))) as unknown[]
  expect(none.slice(0, 3)).toEqual([refused, refused, refused])
  const other = upstream.request('tools/call', call('ignore_cancel', { ms: 500 }), calling({ origin: { ...origin, session: 's2' } }))
  const ambiguous = JSON.parse(textOf(await upstream.request('tools/call', call('ask'), calling({ origin })))) as unknown[]
  expect(ambiguous.slice(0, 3)).toEqual([refused, refused, refused])
  await other
  expect(asked).toBe(0)
})

test('a question is dropped when the call that it belongs to is over', async () => {
  const { upstreams } = world({ a: hostile() })
  const upstream = await upstreams.connect('a', 'agt_1')
  const dropped = new Promise<boolean>((resolve) => {
    upstream.onServerRequest(
      (_questions, _origin, signal) =>
        new Promise((_, reject) =>
          signal.addEventListener('abort', () => {
            resolve(true)
            reject(new Error('dropped'))
          }),
        ),
    )
  })
  await expect(upstream.request('tools/call', call('ask'), calling({ origin, timeoutMs: 300 }))).rejects.toMatchObject({
    code: 'UPSTREAM_TIMEOUT',
  })
  expect(await dropped).toBe(true)
})

test('the reserved keys of an agent of the newer revision stay behind, the rest of its metadata passes', async () => {
  const { upstreams } = world({ a: hostile() })
  const upstream = await upstreams.connect('a', 'agt_1')
  const seen: unknown[] = []
  const params = { ...call('progress'), _meta: { 'io.modelcontextprotocol/clientInfo': { name: 'x' }, traceparent: 'kept' } }
  await upstream.request('tools/call', params, calling({ onProgress: (progress) => seen.push(progress) }))
  expect(seen).toHaveLength(2)
  await expect(upstream.notify('notifications/roots/list_changed', {})).resolves.toBeUndefined()
})

test('a call that was cancelled before it was sent is never sent', async () => {
  const { upstreams } = world({ a: hostile() })
  const upstream = await upstreams.connect('a', 'agt_1')
  const signal = AbortSignal.abort()
  await expect(upstream.request('tools/call', call('echo'), calling({ signal }))).rejects.toMatchObject({ code: 'CALL_CANCELLED' })
})

test('calls in flight are bounded', async () => {
  const { upstreams } = world({ a: hostile() }, { limits: { maxInFlight: 2 } })
  const upstream = await upstreams.connect('a', 'agt_1')
  const slow = [1, 2].map(() => upstream.request('tools/call', call('ignore_cancel'), calling()))
  await expect(upstream.request('tools/call', call('echo'), calling())).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' })
  await Promise.all(slow)
})
