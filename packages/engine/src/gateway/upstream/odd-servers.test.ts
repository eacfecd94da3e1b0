/** Servers that are odd without being wrong, or wrong in ways that only a few lines of their own can show. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { json } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { stdioServer } from '@ephor/testkit'
import { UpstreamError } from './upstream-error.ts'
import { calling, http, stdio, until, world } from './fixtures/world.ts'

type Rpc = { id?: number; method?: string; params?: Record<string, unknown> }
type Answer = { status?: number; headers?: Record<string, string>; body?: unknown } | undefined

const GREETING = { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'odd', version: '1' } }

/** A server that answers `initialize` properly and everything else as told. */
async function serve(answer: (message: Rpc, request: IncomingMessage) => Answer): Promise<string> {
  const server = createServer((request, response) => void respond(request, response, answer))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  return `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}/mcp`
}

async function respond(request: IncomingMessage, response: ServerResponse, answer: (m: Rpc, r: IncomingMessage) => Answer): Promise<void> {
  const message = request.method === 'POST' ? ((await json(request)) as Rpc) : {}
  const proper = message.method === 'initialize' ? { body: { jsonrpc: '2.0', id: message.id, result: GREETING } } : undefined
  const {
    status,
    headers = {},
    body,
  }: NonNullable<Answer> = answer(message, request) ?? proper ?? { status: message.id === undefined ? 202 : 404 }
  response.writeHead(status ?? 200, { 'content-type': 'application/json', ...headers })
  response.end(body === undefined || body instanceof Uint8Array ? body : JSON.stringify(body))
}

const script = (source: string) => stdio({ command: process.execPath, args: ['-e', source] })

test('a redirect within the same origin is followed', async () => {
  const seen: string[] = []
  const url = await serve((_message, request) => {
    seen.push(request.url ?? '')
    return request.url === '/mcp' ? { status: 307, headers: { location: '/elsewhere' } } : undefined
  })
  const { upstreams } = world({ a: http(url) })
  expect((await upstreams.connect('a', 'agt_1')).protocolVersion).toBe('2025-11-25')
  expect(seen).toContain('/elsewhere')
})

test('an answer that is small on the wire and huge once unpacked is never unpacked', async () => {
  const url = await serve(({ id, method }) => {
    if (method !== 'tools/call') return undefined
    const bomb = gzipSync(JSON.stringify({ jsonrpc: '2.0', id, result: { content: [], x: 'x'.repeat(100_000) } }))
    return { headers: { 'content-encoding': 'gzip', 'content-length': String(bomb.byteLength) }, body: bomb }
  })
  const { upstreams } = world({ a: http(url) }, { limits: { maxMessageBytes: 10_000 } })
  const upstream = await upstreams.connect('a', 'agt_1')
  await expect(upstream.request('tools/call', { name: 'x' }, calling())).rejects.toMatchObject({
    code: 'UPSTREAM_ERROR',
    message: expect.stringContaining('compresses') as string,
  })
})

const asking = (count: number) => ({
  resultType: 'input_required',
  inputRequests: Object.fromEntries(Array.from({ length: count }, (_, i) => [`q${i}`, { method: 'roots/list', params: {} }])),
})

test.each([
  ['a flood of questions', asking(17), 'more than 16'],
  ['questions without end', asking(1), 'more than 10 times'],
  ['a question in no known form', { resultType: 'input_required', inputRequests: { q: 'your password' } }, 'no known form'],
  ['a result of a kind of its own', { resultType: 'invented' }, 'not known'],
])('%s in a result fails the call', async (_what, result, message) => {
  const url = await serve(({ id, method }) => ({
    body: {
      jsonrpc: '2.0',
      id,
      result: method === 'server/discover' ? { supportedVersions: ['2026-07-28'], capabilities: { tools: {} } } : result,
    },
  }))
  const { upstreams } = world({ a: http(url) })
  const upstream = await upstreams.connect('a', 'agt_1')
  let asked = 0
  upstream.onServerRequest(async (questions) => questions.map(() => ({ roots: [], asked: ++asked })))
  const origin = { agent: 'agt_1', session: 's' }
  await expect(upstream.request('tools/call', { name: 'x' }, calling({ origin, fulfil: true }))).rejects.toMatchObject({
    code: 'UPSTREAM_ERROR',
    message: expect.stringContaining(message) as string,
  })
  expect(asked).toBeLessThanOrEqual(10)
})

test('redirects in a circle, and redirects that would turn a call into a GET, are refused', async () => {
  const circle = await serve(() => ({ status: 308, headers: { location: '/mcp' } }))
  const seeOther = await serve(() => ({ status: 303, headers: { location: '/mcp' } }))
  const { upstreams } = world({ circle: http(circle), other: http(seeOther) })
  for (const name of ['circle', 'other']) {
    await expect(upstreams.connect(name, 'agt_1')).rejects.toMatchObject({ message: expect.stringContaining('redirect') as string })
  }
})

test('an error in the body of an HTTP error is the error of the call, any other HTTP error names its status', async () => {
  const url = await serve(({ id, method }) => {
    if (method === 'tools/call')
      return { status: 400, body: { jsonrpc: '2.0', id, error: { code: -32602, message: 'Bad arguments', data: [1] } } }
    return method === 'tools/list' ? { status: 500, body: { oops: true } } : undefined
  })
  const { upstreams } = world({ a: http(url) })
  const upstream = await upstreams.connect('a', 'agt_1')
  const error = await upstream.request('tools/call', { name: 'x' }, calling()).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(UpstreamError)
  expect(error).toMatchObject({ code: -32602, message: 'Bad arguments', data: [1] })
  await expect(upstream.request('tools/list', {}, calling())).rejects.toMatchObject({
    code: 'UPSTREAM_ERROR',
    message: 'the server answered HTTP 500',
  })
})

test('a page in place of an answer, and an answer without a result, are errors of the call', async () => {
  const url = await serve(({ id, method }) => {
    if (method === 'tools/call') return { headers: { 'content-type': 'text/html' }, body: '<html>' }
    return method === 'tools/list' ? { body: { jsonrpc: '2.0', id, error: { code: 'x' } } } : undefined
  })
  const { upstreams } = world({ a: http(url) })
  const upstream = await upstreams.connect('a', 'agt_1')
  await expect(upstream.request('tools/call', { name: 'x' }, calling())).rejects.toMatchObject({ code: 'UPSTREAM_ERROR' })
  await expect(upstream.request('tools/list', {}, calling())).rejects.toMatchObject({ code: 'UPSTREAM_ERROR' })
})

test('a server that repeats its credential in an error does not get it into the log or the reason', async () => {
  const url = await serve((_message, { headers }) => ({
    status: 400,
    body: { jsonrpc: '2.0', error: { code: -1, message: `bad ${headers.authorization}` } },
  }))
  const { upstreams, logged } = world({ a: http(url, { authorization: 'secret:token' }) }, {}, { token: 'Bearer sk-0123456789' })
  const reason = await upstreams.connect('a', 'agt_1').then(
    () => '',
    (error: unknown) => (error as Error).message,
  )
  expect(reason).toContain('[redacted]')
  expect(`${reason}${logged()}`).not.toContain('sk-0123456789')
})

test('a server of an unknown revision is refused', async () => {
  const url = await serve(({ id, method }) =>
    method === 'initialize' ? { body: { jsonrpc: '2.0', id, result: { ...GREETING, protocolVersion: '1999-01-01' } } } : undefined,
  )
  const { upstreams } = world({ a: http(url) })
  await expect(upstreams.connect('a', 'agt_1')).rejects.toMatchObject({
    code: 'UPSTREAM_UNAVAILABLE',
    message: expect.stringContaining('no revision') as string,
  })
})

test('a stateless server that is slow to start is not taken for an older one', async () => {
  const source = `setTimeout(() => require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method } = JSON.parse(line)
    const answer = method === 'server/discover'
      ? { result: { supportedVersions: ['2026-07-28'], capabilities: {}, resultType: 'complete' } }
      : { error: { code: -32022, message: 'Unsupported protocol version', data: { supported: ['2026-07-28'] } } }
    console.log(JSON.stringify({ jsonrpc: '2.0', id, ...answer }))
  }), 600)`
  const { upstreams } = world({ a: script(source) }, { limits: { probeTimeoutMs: 100 } })
  expect((await upstreams.connect('a', 'agt_1')).protocolVersion).toBe('2026-07-28')
})

test('a server that leaves the probe unanswered is an older one', async () => {
  const source = `require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method } = JSON.parse(line)
    if (method === 'initialize') console.log(JSON.stringify({ jsonrpc: '2.0', id, result: ${JSON.stringify(GREETING)} }))
  })`
  const { upstreams } = world({ a: script(source) }, { limits: { probeTimeoutMs: 100 } })
  expect((await upstreams.connect('a', 'agt_1')).protocolVersion).toBe('2025-11-25')
})

test('a server that stops reading does not make its input pile up', async () => {
  const source = `require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method } = JSON.parse(line)
    if (method === 'initialize') console.log(JSON.stringify({ jsonrpc: '2.0', id, result: ${JSON.stringify(GREETING)} }))
    else if (method === 'server/discover') console.log(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32601, message: 'no' } }))
    else for (;;);
  })`
  const { upstreams } = world({ a: script(source) }, { limits: { maxMessageBytes: 1_000_000 } })
  const upstream = await upstreams.connect('a', 'agt_1')
  const text = 'x'.repeat(600_000)
  const outcomes = await Promise.allSettled(
    Array.from({ length: 6 }, () => upstream.request('tools/call', { name: 'x', arguments: { text } }, calling({ timeoutMs: 500 }))),
  )
  const codes = outcomes.map((outcome) => (outcome.status === 'rejected' ? (outcome.reason as { code: string }).code : 'answered'))
  expect(codes).toContain('UPSTREAM_TIMEOUT')
  expect(codes).toContain('UPSTREAM_UNAVAILABLE')
})

test('a server that asked may withdraw its question', async () => {
  const source = `const say = (message) => console.log(JSON.stringify({ jsonrpc: '2.0', ...message }))
  require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method, error } = JSON.parse(line)
    if (method === 'initialize') say({ id, result: ${JSON.stringify(GREETING)} })
    else if (method === 'server/discover') say({ id, error: { code: -32601, message: 'no' } })
    else if (method === 'tools/call') {
      globalThis.call = id
      say({ id: 'q', method: 'roots/list' })
      say({ id: 'q', method: 'roots/list' })
      for (let i = 0; i < 20; i++) say({ id: 'more' + i, method: 'roots/list' })
      say({ id: 'p', method: 'ping' })
      setTimeout(() => say({ method: 'notifications/cancelled', params: { requestId: 'q' } }), 100)
    } else if (id === 'q' && error && error.code === -32603) say({ id: globalThis.call, result: { content: [] } })
  })`
  const { upstreams } = world({ a: script(source) })
  const upstream = await upstreams.connect('a', 'agt_1')
  let asked = 0
  upstream.onServerRequest((_questions, _origin, signal) => {
    asked++
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('withdrawn'))))
  })
  const origin = { agent: 'agt_1', session: 's' }
  expect(await upstream.request('tools/call', { name: 'x' }, calling({ origin }))).toEqual({ content: [] })
  // The second with the same id and what is above the limit were refused without being put to anybody.
  expect(asked).toBe(16)
})

test('an operator who corrects how a server is started is not made to wait for its failures', async () => {
  const { upstreams, observed, failures, setServer } = world(
    { a: stdio(stdioServer('hostile', '--mode', 'crash')) },
    { limits: { backoffBaseMs: 60_000 } },
  )
  await expect(upstreams.inspect('a')).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' })
  await expect(upstreams.inspect('a')).rejects.toMatchObject({ message: expect.stringContaining('tried again at') as string })
  expect(failures).toHaveLength(2)
  setServer('a', { transport: stdio(stdioServer('hostile')) })
  await upstreams.inspect('a')
  expect(observed).toHaveLength(1)
})

test('a server whose tools were listed is tried with pauses after it died, until they can be listed again', async () => {
  const broken = join(await mkdtemp(join(tmpdir(), 'odd-')), 'broken')
  onTestFinished(() => rm(dirname(broken), { recursive: true }))
  const source = `const fs = require('fs')
  if (fs.existsSync(${JSON.stringify(broken)})) process.exit(1)
  require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method } = JSON.parse(line)
    const result = method === 'initialize' ? ${JSON.stringify(GREETING)} : method === 'tools/list' ? { tools: [] } : undefined
    if (method === 'tools/call') { fs.writeFileSync(${JSON.stringify(broken)}, ''); process.exit(1) }
    if (id) console.log(JSON.stringify({ jsonrpc: '2.0', id, ...(result ? { result } : { error: { code: -32601, message: 'no' } }) }))
  })`
  const { upstreams, observed, failures } = world({ a: script(source) })
  await upstreams.inspect('a')
  const system = await upstreams.connect('a', 'ephor')
  await expect(system.request('tools/call', { name: 'x' }, calling())).rejects.toMatchObject({ code: 'UPSTREAM_DIED' })
  await until(() => failures.length >= 2, 10_000)
  expect(observed).toHaveLength(1)
  await rm(broken)
  await until(() => observed.length > 1, 10_000)
})
