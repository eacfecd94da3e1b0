/** A stdio client behind the bridge: what the door offers arrives, and a server that is away or comes back is dealt with. */
import { PassThrough } from 'node:stream'
import { createInterface } from 'node:readline'
import { afterEach, expect, test } from 'vitest'
import type { JsonObject } from '@ephor/engine/kernel'
import { bridgeStdio } from './stdio-bridge.ts'
import { eventually, initialize, openDoor, toolOf } from './door.fixture.ts'
import type { Door, TestServer } from './door.fixture.ts'

let door: Door | undefined
let finish: (() => Promise<void>) | undefined
afterEach(async () => {
  await finish?.()
  await door?.close()
  finish = undefined
  door = undefined
})

function startBridge(url: string, credential: string | (() => string) = 'alice') {
  const input = new PassThrough()
  const output = new PassThrough()
  const received: JsonObject[] = []
  const logged: string[] = []
  createInterface({ input: output }).on('line', (line) => received.push(JSON.parse(line) as JsonObject))
  const ended = bridgeStdio({ url, credential, input, output, log: (line) => logged.push(line), retryMs: 20 })
  finish = async () => {
    input.end()
    await ended
  }
  const send = (message: JsonObject | string) => input.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`)
  const answerTo = async (id: number | string): Promise<JsonObject> => {
    await eventually(() => received.some((message) => message['id'] === id), 6000)
    return received.find((message) => message['id'] === id) ?? {}
  }
  return { send, received, logged, answerTo }
}

const call = (id: number, args: JsonObject = {}) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: 'echo__say', arguments: args },
})
const echo: TestServer = {
  tools: [toolOf('echo', 'say')],
  handler: async (_method, params) => ({ content: [{ type: 'text', text: JSON.stringify(params['arguments']) }] }),
}

async function handshake(bridge: ReturnType<typeof startBridge>): Promise<void> {
  bridge.send(initialize())
  expect(await bridge.answerTo(0)).toMatchObject({ result: { serverInfo: { name: 'ephor' }, protocolVersion: '2025-11-25' } })
  bridge.send({ jsonrpc: '2.0', method: 'notifications/initialized' })
}

test('calls, big ones too, and notifications pass in both directions', async () => {
  door = await openDoor({ servers: { echo } })
  const bridge = startBridge(door.url, () => 'alice')
  await handshake(bridge)
  const text = 'ü'.repeat(300_000)
  bridge.send(call(1, { text }))
  bridge.send('not json')
  bridge.send({ jsonrpc: '2.0', id: 2, method: 'server/discover' })
  expect(JSON.stringify(await bridge.answerTo(1))).toContain(text)
  expect(await bridge.answerTo(2)).toMatchObject({ error: { code: -32601 } })
  expect(bridge.received).toContainEqual(expect.objectContaining({ id: null, error: expect.objectContaining({ code: -32700 }) }))
  await new Promise((resolve) => setTimeout(resolve, 100))
  door.registryChanged()
  await eventually(() => bridge.received.some(({ method }) => method === 'notifications/tools/list_changed'))
})

test('cancelling a call reaches the tool server', async () => {
  let stopped = false
  const slow: TestServer = {
    tools: [toolOf('echo', 'say')],
    handler: (_method, _params, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          stopped = true
          reject(new Error('stopped'))
        })
      }),
  }
  const here = await openDoor({ servers: { echo: slow } })
  door = here
  const bridge = startBridge(here.url)
  await handshake(bridge)
  bridge.send(call(1))
  await eventually(() => here.calls.length === 1)
  bridge.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } })
  await eventually(() => stopped)
  expect(here.calls).toHaveLength(1)
})

test('a server that does not run is an error for the client and one line for the person', async () => {
  const bridge = startBridge('http://127.0.0.1:1/mcp')
  bridge.send(initialize())
  expect(await bridge.answerTo(0)).toMatchObject({ error: { data: { code: 'SERVER_UNREACHABLE' } } })
  bridge.send(call(1))
  expect(await bridge.answerTo(1)).toMatchObject({ error: { message: expect.stringContaining('does not answer') } })
  expect(bridge.logged).toEqual([expect.stringContaining('Start it with ephor up')])
})

test('a credential that opens nothing is an error that says so', async () => {
  door = await openDoor({ servers: { echo } })
  const bridge = startBridge(door.url, 'mallory')
  bridge.send(initialize())
  expect(await bridge.answerTo(0)).toMatchObject({ error: { data: { code: 'UNAUTHENTICATED' } } })
})

test('after a restart of the server the client goes on as if nothing had been', async () => {
  const first = await openDoor({ servers: { echo } })
  door = first
  const bridge = startBridge(first.url)
  await handshake(bridge)
  bridge.send(call(1, { n: 1 }))
  await bridge.answerTo(1)
  await first.close()
  bridge.send(call(2))
  expect(await bridge.answerTo(2)).toMatchObject({ error: { data: { code: 'SERVER_UNREACHABLE' } } })
  door = await openDoor({ servers: { echo }, port: first.port })
  bridge.send(call(3, { n: 3 }))
  expect(JSON.stringify(await bridge.answerTo(3))).toContain('\\"n\\":3')
  expect(bridge.logged[0]).toContain('does not answer')
  expect(bridge.logged.at(-1)).toContain('answers again')
})
