/** Lets a client that only speaks stdio use the MCP endpoint: lines of JSON-RPC one way, Streamable HTTP with a session the other. */
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { FAULTS } from '@ephor/contract'
import type { Json, JsonObject } from '@ephor/engine/kernel'
import { JsonObjectSchema, objectAt } from './caller.ts'
import { readEvents } from './read-events.ts'

export type BridgeOptions = {
  /** The MCP endpoint, for instance `http://127.0.0.1:7373/mcp`. */
  url: string
  /** The agent's credential: text, or a function for one that is refreshed. */
  credential: string | (() => string | Promise<string>)
  input: Readable
  output: Writable
  /** One line for the person who reads stderr. */
  log: (line: string) => void
  /** Pause between attempts to reach a server that is away, in ms; 1000 unless said. */
  retryMs?: number
}

const SERVER_ERROR = -32000
const METHOD_NOT_FOUND = -32601
const PARSE_ERROR = -32700

type Failure = { code: number; message: string; data: JsonObject }

const unreachable = (url: string): Failure => ({
  code: SERVER_ERROR,
  message: `Ephor does not answer at ${url}`,
  data: { code: 'SERVER_UNREACHABLE', advice: FAULTS.SERVER_UNREACHABLE.advice },
})

/** The JSON-RPC error in an HTTP error body, or one made of the status. */
async function failureOf(response: Response): Promise<Failure> {
  const text = await response.text().catch(() => '')
  let error: JsonObject | undefined
  try {
    error = objectAt(JsonObjectSchema.parse(JSON.parse(text)), 'error')
  } catch {
    error = undefined
  }
  const { code, message } = error ?? {}
  return {
    code: typeof code === 'number' ? code : SERVER_ERROR,
    message: typeof message === 'string' ? message : `Ephor answered with HTTP ${response.status}`,
    data: objectAt(error, 'data') ?? { status: response.status },
  }
}

type Bridge = {
  options: BridgeOptions
  /** Ends everything under way when the client closes its side. */
  ending: AbortController
  session: string | undefined
  revision: string | undefined
  /** The client's own initialize, to open a new session with when the server lost the old one. */
  initialize: JsonObject | undefined
  reopening: Promise<boolean> | undefined
  listener: AbortController | undefined
  /** Requests of the client that wait for their answer, by id. */
  waiting: Map<Json, AbortController>
  isAway: boolean
}

function write(bridge: Bridge, message: JsonObject): void {
  if (!bridge.ending.signal.aborted) bridge.options.output.write(`${JSON.stringify(message)}\n`)
}

async function send(
  bridge: Bridge,
  method: 'GET' | 'POST' | 'DELETE',
  message?: JsonObject,
  extra: Record<string, string> = {},
  signal?: AbortSignal,
) {
  const { url, credential } = bridge.options
  const bearer = typeof credential === 'string' ? credential : await credential()
  const headers: Record<string, string> = {
    authorization: `Bearer ${bearer}`,
    accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
    ...(message === undefined ? {} : { 'content-type': 'application/json' }),
    ...(bridge.session === undefined ? {} : { 'mcp-session-id': bridge.session }),
    ...(bridge.revision === undefined ? {} : { 'mcp-protocol-version': bridge.revision }),
    ...extra,
  }
  try {
    const response = await fetch(url, {
      method,
      headers,
      signal: signal ?? bridge.ending.signal,
      ...(message === undefined ? {} : { body: JSON.stringify(message) }),
    })
    if (bridge.isAway) bridge.options.log(`Ephor answers again at ${url}`)
    bridge.isAway = false
    return response
  } catch (error) {
    if (!bridge.ending.signal.aborted && !bridge.isAway) {
      bridge.isAway = true
      bridge.options.log(`Ephor does not answer at ${url}. ${FAULTS.SERVER_UNREACHABLE.advice}`)
    }
    throw error
  }
}

/** Reads the answer to a request; a stream that breaks is resumed from its last event (basic/transports, Resumability). */
async function relay(bridge: Bridge, response: Response, id: Json, signal: AbortSignal): Promise<void> {
  let current = response
  let lastEventId: string | undefined
  for (;;) {
    let answered = false
    try {
      for await (const event of readEvents(current)) {
        lastEventId = event.id ?? lastEventId
        if (event.message === undefined) continue
        answered ||= event.message['id'] === id && event.message['method'] === undefined
        write(bridge, event.message)
      }
    } catch (error) {
      if (lastEventId === undefined) throw error
    }
    if (answered || signal.aborted) return
    if (lastEventId === undefined) throw new Error('the stream ended without an answer')
    current = await send(bridge, 'GET', undefined, { 'last-event-id': lastEventId }, AbortSignal.any([signal, bridge.ending.signal]))
    if (!current.ok) throw new Error(`the stream could not be resumed: HTTP ${current.status}`)
  }
}

function adopt(bridge: Bridge, response: Response): void {
  bridge.session = response.headers.get('mcp-session-id') ?? bridge.session
}

/** Opens a new session as the client opened its first, without the client noticing. */
async function reopen(bridge: Bridge): Promise<boolean> {
  const { initialize } = bridge
  if (initialize === undefined) return false
  bridge.session = undefined
  bridge.revision = undefined
  const response = await send(bridge, 'POST', { ...initialize, id: 'ephor-reopen' })
  if (!response.ok) return false
  adopt(bridge, response)
  for await (const { message } of readEvents(response)) {
    const version = objectAt(message, 'result')?.['protocolVersion']
    if (typeof version === 'string') bridge.revision = version
  }
  const initialized = await send(bridge, 'POST', { jsonrpc: '2.0', method: 'notifications/initialized' })
  await initialized.body?.cancel()
  listen(bridge)
  // The new session may show other tools than the old one.
  write(bridge, { jsonrpc: '2.0', method: 'notifications/tools/list_changed' })
  return initialized.ok
}

async function post(bridge: Bridge, message: JsonObject): Promise<Response> {
  const used = bridge.session
  const response = await send(bridge, 'POST', message)
  if (response.status !== 404 || used === undefined) return response
  bridge.reopening ??= reopen(bridge).finally(() => {
    bridge.reopening = undefined
  })
  // Another message may already have opened the new session.
  const isOpen = bridge.session !== used && bridge.session !== undefined && bridge.reopening === undefined ? true : await bridge.reopening
  if (!isOpen) return response
  await response.body?.cancel()
  return send(bridge, 'POST', message)
}

/** Keeps the stream for notifications open, and opens it again when it ends. */
function listen(bridge: Bridge): void {
  bridge.listener?.abort()
  const controller = new AbortController()
  bridge.listener = controller
  const signal = AbortSignal.any([controller.signal, bridge.ending.signal])
  const pause = () => sleep(bridge.options.retryMs ?? 1000, undefined, { signal }).catch(() => undefined)
  const run = async (): Promise<void> => {
    let lastEventId: string | undefined
    while (!signal.aborted) {
      try {
        const response = await send(bridge, 'GET', undefined, lastEventId === undefined ? {} : { 'last-event-id': lastEventId }, signal)
        if (response.status === 404 && bridge.session !== undefined) {
          await response.body?.cancel()
          bridge.reopening ??= reopen(bridge).finally(() => {
            bridge.reopening = undefined
          })
          await bridge.reopening.catch(() => false)
        } else if (response.ok) {
          for await (const event of readEvents(response)) {
            lastEventId = event.id ?? lastEventId
            if (event.message !== undefined) write(bridge, event.message)
          }
        } else {
          // An event that the server no longer keeps: start afresh.
          lastEventId = undefined
          await response.body?.cancel()
        }
      } catch {
        // Away or broken off; `send` has said so.
      }
      await pause()
    }
  }
  void run()
}

async function forward(bridge: Bridge, message: JsonObject): Promise<void> {
  const { id, method } = message
  const isRequest = id !== undefined && method !== undefined
  const fail = (error: Failure) => {
    if (isRequest) write(bridge, { jsonrpc: '2.0', id, error: { ...error } })
  }
  // Clients of stateless revisions probe with this; the answer tells them to use a session.
  if (method === 'server/discover') return fail({ code: METHOD_NOT_FOUND, message: 'Method not found', data: {} })
  if (method === 'initialize') {
    bridge.initialize = message
    bridge.session = undefined
    bridge.revision = undefined
  }
  const controller = new AbortController()
  if (isRequest) bridge.waiting.set(id, controller)
  try {
    const response = await post(bridge, message)
    if (!response.ok) return fail(await failureOf(response))
    if (method === 'initialize') adopt(bridge, response)
    if (!isRequest) {
      await response.body?.cancel()
      if (method === 'notifications/initialized') listen(bridge)
      if (method === 'notifications/cancelled') bridge.waiting.get(objectAt(message, 'params')?.['requestId'] ?? null)?.abort()
      return
    }
    if (method !== 'initialize') return await relay(bridge, response, id, controller.signal)
    for await (const event of readEvents(response)) {
      const version = objectAt(event.message, 'result')?.['protocolVersion']
      if (typeof version === 'string') bridge.revision = version
      if (event.message !== undefined) write(bridge, event.message)
    }
  } catch {
    if (!controller.signal.aborted) fail(unreachable(bridge.options.url))
  } finally {
    if (isRequest) bridge.waiting.delete(id)
  }
}

/** Runs until the client closes its side and what it asked has been answered. */
export async function bridgeStdio(options: BridgeOptions): Promise<void> {
  const bridge: Bridge = {
    options,
    ending: new AbortController(),
    session: undefined,
    revision: undefined,
    initialize: undefined,
    reopening: undefined,
    listener: undefined,
    waiting: new Map(),
    isAway: false,
  }
  const underWay = new Set<Promise<void>>()
  // The handshake is awaited: what follows it needs its session id.
  let handshake: Promise<void> = Promise.resolve()
  for await (const line of createInterface({ input: options.input, crlfDelay: Infinity })) {
    if (line.trim() === '') continue
    let message: JsonObject
    try {
      message = JsonObjectSchema.parse(JSON.parse(line))
    } catch {
      write(bridge, { jsonrpc: '2.0', id: null, error: { code: PARSE_ERROR, message: 'The line is not one JSON-RPC message' } })
      continue
    }
    await handshake
    const work = forward(bridge, message)
    if (message['method'] === 'initialize' || message['method'] === 'notifications/initialized') handshake = work
    underWay.add(work)
    void work.finally(() => underWay.delete(work))
  }
  await Promise.all(underWay)
  bridge.listener?.abort()
  if (bridge.session !== undefined)
    await send(bridge, 'DELETE').then(
      (response) => response.body?.cancel(),
      () => undefined,
    )
  bridge.ending.abort()
}
