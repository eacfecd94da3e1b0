/** Sessions and streams under attack and bad luck: broken connections, readers who don't read, ids used twice, credentials revoked. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import type { JsonObject } from '@ephor/engine/kernel'
import {
  ask,
  eventually,
  initialize,
  openDoor,
  openSession,
  parseAnswer,
  rawRequest,
  readUntil,
  sendRaw,
  stateless,
  toolOf,
} from './door.fixture.ts'
import type { Door, TestServer } from './door.fixture.ts'

let door: Door
afterEach(() => door.close())

const message = (id: number | string, method: string, params: JsonObject = {}) => JSON.stringify({ jsonrpc: '2.0', id, method, params })
const callSlow = (id: number | string) => message(id, 'tools/call', { name: 'slow__wait', arguments: {} })

/** A tool that ends when the test says so, or when it is stopped. */
function slowServer() {
  const state = { started: 0, stopped: 0, finish: (): void => undefined }
  const server: TestServer = {
    tools: [toolOf('slow', 'wait')],
    handler: (_method, _params, { signal }) =>
      new Promise((resolve, reject) => {
        state.started++
        state.finish = () => resolve({ content: [{ type: 'text', text: 'late' }] })
        signal.addEventListener('abort', () => {
          state.stopped++
          reject(new Error('stopped'))
        })
      }),
  }
  return { state, server }
}

async function openSocket(bytes: Buffer) {
  const socket = connect(door.port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(bytes)
  return socket
}

test('closing the connection in the middle of a stateless call cancels it', async () => {
  const { state, server } = slowServer()
  door = await openDoor({ servers: { slow: server } })
  const socket = await openSocket(rawRequest(stateless('tools/call', { name: 'slow__wait', arguments: {} })))
  await eventually(() => state.started === 1)
  socket.destroy()
  await eventually(() => state.stopped === 1)
  expect(state.started).toBe(1)
})

test('closing the connection in the middle of a call of a session cancels it, unless the client resumes in time', async () => {
  const { state, server } = slowServer()
  door = await openDoor({ servers: { slow: server }, settings: { resumeMs: 50 } })
  const headers = await openSession(door)
  const socket = await openSocket(rawRequest({ headers, body: callSlow(1) }))
  await eventually(() => state.started === 1)
  socket.destroy()
  await eventually(() => state.stopped === 1)
  expect(state.started).toBe(1)
})

test('a client that resumes the stream gets the answer it missed', async () => {
  const { state, server } = slowServer()
  door = await openDoor({ servers: { slow: server }, settings: { resumeMs: 400 } })
  const headers = await openSession(door)
  const socket = await openSocket(rawRequest({ headers, body: callSlow(1) }))
  const event = /^id: (\d+)$/m.exec(await readUntil(socket, /^id: \d+\n[\s\S]*\n\n/m))?.[1] ?? ''
  await eventually(() => state.started === 1)
  socket.destroy()
  const resumed = sendRaw(door.port, rawRequest({ method: 'GET', headers: { ...headers, 'last-event-id': event } }))
  await new Promise((resolve) => setTimeout(resolve, 600))
  expect(state.stopped).toBe(0)
  state.finish()
  expect(parseAnswer(await resumed).messages.at(-1)).toMatchObject({ id: 1, result: { content: [{ text: 'late' }] } })
})

test('an answer that comes at once is one JSON body; one that is waited for is a stream with something to resume from', async () => {
  const { state, server } = slowServer()
  door = await openDoor({ servers: { slow: server } })
  const headers = await openSession(door)
  const listed = await ask(door, { headers, body: message(1, 'tools/list') })
  expect(listed.headers).toMatchObject({ 'content-type': 'application/json', 'content-length': expect.stringMatching(/^\d+$/) as string })
  const call = ask(door, { headers, body: callSlow(2) })
  await new Promise((resolve) => setTimeout(resolve, 400))
  state.finish()
  const answer = await call
  expect(answer.headers['content-type']).toBe('text/event-stream')
  expect(answer.text).toMatch(/^id: \d+\nretry: \d+\ndata: \n\nevent: message\nid: \d+\ndata: \{/)
  expect(answer.messages).toMatchObject([{ id: 2, result: {} }])
})

test('a stream has one reader at a time', async () => {
  door = await openDoor({ servers: { slow: slowServer().server } })
  const headers = await openSession(door)
  const first = await openSocket(rawRequest({ method: 'GET', headers }))
  await readUntilOnce(first, /text\/event-stream/)
  expect((await ask(door, { method: 'GET', headers })).status).toBe(409)
  first.destroy()
})

test('an event id that nobody gave out, or of another session, replays nothing', async () => {
  door = await openDoor({ servers: { slow: slowServer().server } })
  const headers = await openSession(door)
  const answer = await ask(door, { method: 'GET', headers: { ...headers, 'last-event-id': '999' } })
  expect(answer.status).toBe(400)
})

test('an id that is still being answered cannot be used again, and can afterwards', async () => {
  const { state, server } = slowServer()
  door = await openDoor({ servers: { slow: server } })
  const headers = await openSession(door)
  const first = ask(door, { headers, body: callSlow('a') })
  await eventually(() => state.started === 1)
  const twice = await ask(door, { headers, body: callSlow('a') })
  expect(twice.status).toBe(400)
  expect(twice.messages[0]).toMatchObject({ id: 'a', error: { code: -32600 } })
  expect(door.calls).toHaveLength(1)
  state.finish()
  expect((await first).messages.at(-1)).toMatchObject({ id: 'a', result: {} })
  expect((await ask(door, { headers, body: message('a', 'tools/list') })).messages.at(-1)).toMatchObject({ id: 'a', result: {} })
})

test('a cancellation stops the call and ends its stream; one for an unknown id does nothing', async () => {
  const { state, server } = slowServer()
  door = await openDoor({ servers: { slow: server } })
  const headers = await openSession(door)
  const call = ask(door, { headers, body: callSlow(1) })
  await eventually(() => state.started === 1)
  const cancel = (requestId: number | string) =>
    JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } })
  for (const id of [2, '1', '__proto__']) await ask(door, { headers, body: cancel(id) })
  expect(state.stopped).toBe(0)
  await ask(door, { headers, body: cancel(1) })
  expect((await call).messages).toEqual([])
  expect(state.stopped).toBe(1)
})

test('ending a session stops its calls', async () => {
  const { state, server } = slowServer()
  door = await openDoor({ servers: { slow: server } })
  const headers = await openSession(door)
  const call = ask(door, { headers, body: callSlow(1) }).catch(() => undefined)
  await eventually(() => state.started === 1)
  await ask(door, { method: 'DELETE', headers })
  await eventually(() => state.stopped === 1)
  await call
  expect(state.started).toBe(1)
})

test('a retired agent keeps nothing: no call, no stream, no session, no connection to a tool server', async () => {
  const { state, server } = slowServer()
  door = await openDoor({ servers: { slow: server } })
  const [mine, bobs] = [await openSession(door), await openSession(door, 'bob')]
  const call = ask(door, { headers: mine, body: callSlow(1) }).catch(() => undefined)
  const bobsCall = ask(door, { headers: bobs, body: callSlow(1) })
  const stream = sendRaw(door.port, rawRequest({ method: 'GET', headers: mine })).catch(() => 'ended')
  const listen = stateless('subscriptions/listen', { notifications: { toolsListChanged: true } })
  const listening = await openSocket(rawRequest(listen))
  await readUntil(listening, /acknowledged/)
  await eventually(() => state.started === 2)
  door.retire('agt_alice')
  await Promise.all([call, stream])
  await eventually(() => listening.destroyed)
  expect(door.released).toEqual(['agt_alice'])
  expect((await ask(door, { headers: mine, body: message(2, 'tools/list') })).status).toBe(404)
  expect(state.stopped).toBe(1)
  // Coming back with what still names it shows nothing.
  const again = await openSession(door)
  expect((await ask(door, { headers: again, body: message(2, 'tools/list') })).messages.at(-1)).toMatchObject({ result: { tools: [] } })
  state.finish()
  expect((await bobsCall).messages.at(-1)).toMatchObject({ result: {} })
})

test('an agent has so many sessions and no more; the longest idle one gives way, busy ones do not', async () => {
  const { state, server } = slowServer()
  door = await openDoor({ servers: { slow: server }, settings: { sessionsPerAgent: 2 } })
  const first = await openSession(door)
  const second = await openSession(door)
  const third = await openSession(door)
  expect((await ask(door, { headers: first, body: message(1, 'ping') })).status).toBe(404)
  const calls = [second, third].map((headers) => ask(door, { headers, body: callSlow(1) }).catch(() => undefined))
  await eventually(() => state.started === 2)
  expect((await ask(door, { body: initialize() })).status).toBe(429)
  expect((await openSession(door, 'bob'))['mcp-session-id']).toMatch(/^ses_/)
  await door.gateway.close()
  await Promise.all(calls)
})

test('an idle session ends, and its agent’s connections with it', async () => {
  door = await openDoor({ servers: { slow: slowServer().server }, settings: { sessionIdleMs: 0 } })
  const headers = await openSession(door)
  await new Promise((resolve) => setTimeout(resolve, 20))
  await door.gateway.sweep()
  expect((await ask(door, { headers, body: message(1, 'ping') })).status).toBe(404)
  await new Promise((resolve) => setTimeout(resolve, 20))
  await door.gateway.sweep()
  expect(door.released).toContain('agt_alice')
})

test('a stream of a revoked credential is closed, in both revisions', async () => {
  door = await openDoor({ servers: { slow: slowServer().server } })
  const headers = await openSession(door)
  const get = await openSocket(rawRequest({ method: 'GET', headers }))
  const listen = await openSocket(rawRequest(stateless('subscriptions/listen', { notifications: { toolsListChanged: true } })))
  await readUntilOnce(get, /text\/event-stream/)
  await readUntilOnce(listen, /acknowledged/)
  await door.gateway.sweep()
  expect([get.closed, listen.closed]).toEqual([false, false])
  door.credentials.delete('alice')
  await door.gateway.sweep()
  await eventually(() => get.destroyed && listen.destroyed)
})

/** Reads without ending the socket. */
async function readUntilOnce(socket: Awaited<ReturnType<typeof openSocket>>, until: RegExp): Promise<void> {
  let text = ''
  socket.on('data', (chunk) => {
    text += String(chunk)
  })
  socket.on('error', () => undefined)
  await eventually(() => until.test(text))
}

test('a reader who does not read is cut off, and what waits for it stays bounded', async () => {
  door = await openDoor({
    servers: { slow: { ...slowServer().server, capabilities: { logging: {} } } },
    settings: { maxBacklogBytes: 64 * 1024 },
  })
  const headers = await openSession(door)
  const get = await openSocket(rawRequest({ method: 'GET', headers }))
  const listen = await openSocket(rawRequest(stateless('subscriptions/listen', { notifications: { resourcesListChanged: true } })))
  for (const socket of [get, listen]) socket.on('error', () => undefined)
  const upstream = await door.upstreamOf('slow')
  await new Promise((resolve) => setTimeout(resolve, 200))
  for (const socket of [get, listen]) socket.pause()
  const data = 'x'.repeat(64 * 1024)
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < 400 && !get.destroyed; i++) {
    upstream.say('notifications/message', { level: 'error', data })
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 * 1024 * 1024)
  get.resume()
  await eventually(() => get.destroyed)
  listen.destroy()
})

test('progress for a client that does not read is dropped, not kept', async () => {
  let sent = 0
  const chatty: TestServer = {
    tools: [toolOf('chatty', 'talk')],
    async handler(_method, _params, { onProgress }) {
      for (let i = 0; i < 300; i++) {
        onProgress?.({ progress: i, message: 'x'.repeat(64 * 1024) })
        sent++
        await new Promise((resolve) => setImmediate(resolve))
      }
      return { content: [] }
    },
  }
  door = await openDoor({ servers: { chatty }, settings: { maxBacklogBytes: 64 * 1024 } })
  const socket = await openSocket(rawRequest(stateless('tools/call', { name: 'chatty__talk', arguments: {} }, { progressToken: 'p' })))
  socket.pause()
  await eventually(() => sent === 300, 8000)
  socket.resume()
  const text = await readUntil(socket, /"resultType":"complete"/)
  expect(text).toContain('"resultType":"complete"')
  expect(text.length).toBeLessThan(16 * 1024 * 1024)
})

test('requestState serves once, only its own agent, and only the same request', async () => {
  const asking: TestServer = {
    tools: [toolOf('asking', 'ask')],
    async handler(_method, _params, { origin, signal }, upstream) {
      const answer = await upstream.ask(
        'elicitation/create',
        { message: 'Who?', mode: 'form', requestedSchema: { type: 'object', properties: {} } },
        origin,
        signal,
      )
      return { content: [{ type: 'text', text: JSON.stringify(answer) }] }
    },
  }
  door = await openDoor({ servers: { asking }, permitServerRequests: true })
  const meta = { 'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } } }
  const begin = async (): Promise<string> => {
    const answer = await ask(door, stateless('tools/call', { name: 'asking__ask', arguments: { a: 1 } }, meta))
    expect(answer.messages[0]).toMatchObject({
      result: { resultType: 'input_required', inputRequests: { q1: { method: 'elicitation/create' } } },
    })
    return /"requestState":"([^"]+)"/.exec(answer.text)?.[1] ?? ''
  }
  const retry = (requestState: string, args: JsonObject = { a: 1 }) =>
    stateless(
      'tools/call',
      { name: 'asking__ask', arguments: args, requestState, inputResponses: { q1: { action: 'accept', content: {} } } },
      meta,
    )
  const state = await begin()
  const stolen = retry(state)
  const invalid = { error: { code: -32602 } }
  expect((await ask(door, { ...stolen, headers: { ...stolen.headers, authorization: 'Bearer bob' } })).messages[0]).toMatchObject(invalid)
  expect((await ask(door, retry(state))).messages.at(-1)).toMatchObject({ result: { resultType: 'complete' } })
  expect((await ask(door, retry(state))).messages[0]).toMatchObject(invalid)
  expect((await ask(door, retry(await begin(), { a: 2 }))).messages[0]).toMatchObject(invalid)
  expect((await ask(door, retry('guess'))).messages[0]).toMatchObject(invalid)
})

test('nobody comes back with the input: the call is stopped', async () => {
  let stopped = false
  const asking: TestServer = {
    tools: [toolOf('asking', 'ask')],
    async handler(_method, _params, { origin, signal }, upstream) {
      signal.addEventListener('abort', () => {
        stopped = true
      })
      return upstream.ask('roots/list', {}, origin, signal)
    },
  }
  door = await openDoor({ servers: { asking }, permitServerRequests: true, settings: { inputWaitMs: 50 } })
  const meta = { 'io.modelcontextprotocol/clientCapabilities': { roots: {} } }
  const answer = await ask(door, stateless('tools/call', { name: 'asking__ask', arguments: {} }, meta))
  expect(answer.messages[0]).toMatchObject({ result: { resultType: 'input_required' } })
  await eventually(() => stopped)
  await eventually(() => door.judged.includes('unknown'))
})

test('the calls of a credential are one session, unless its token or the agent names one', async () => {
  door = await openDoor({ servers: { fast: { tools: [toolOf('fast', 'go')] } } })
  const go = (meta: JsonObject = {}) => ask(door, stateless('tools/call', { name: 'fast__go', arguments: {} }, meta))
  await go()
  await go({ 'dev.ephor/session': 'mine' })
  await go({ 'dev.ephor/session': 'not\u202egood' })
  door.credentials.set('alice', { kind: 'agent', id: 'agt_alice', credential: 'crd_alice', session: 'sid_token' })
  await go({ 'dev.ephor/session': 'mine' })
  expect(door.calls.map(({ session }) => session)).toEqual(['crd_alice', 'crd_alice/mine', 'crd_alice', 'sid_token'])
})
