/** A real HTTP server with the MCP door on it for tests, over a small broker and tool servers that do as the test says. */
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { Fault } from '@ephor/contract'
import type { AgentPrincipal } from '@ephor/contract'
import type { Broker, Call, Performed, Run } from '@ephor/engine/broker'
import { makeLog, systemClock } from '@ephor/engine/kernel'
import type { JsonObject } from '@ephor/engine/kernel'
import type { Agent, Tool } from '@ephor/engine/registry'
import Fastify from 'fastify'
import { createGateway } from '../create-gateway.ts'
import type { GatewayRooms } from '../create-gateway.ts'
import { mountGateway } from '../routes.ts'
import type { CallOrigin, ServerQuestion, ServerRequestHandler, Upstream, UpstreamRequestOptions } from '../upstream/upstreams.ts'
import type { GatewaySettings } from './settings.ts'

export const receipt = { origin: 'test', seq: 7, leafHash: 'ab'.repeat(32) }

const AGENT: Agent = {
  id: '',
  name: 'test',
  owner: 'per_1',
  purpose: 'tests',
  expiresAt: Number.MAX_SAFE_INTEGER,
  state: 'active',
  groups: [],
}

export function toolOf(server: string, name: string, definition: JsonObject = {}): Tool {
  const whole = { name, inputSchema: { type: 'object' }, ...definition }
  return { server, name, state: 'accepted', digest: 'sha256:00', kind: 'read', risk: 'low', paths: [], definition: whole }
}

type Handler = (method: string, params: JsonObject, options: UpstreamRequestOptions, upstream: FakeUpstream) => Promise<JsonObject>

/** A tool server in this process. */
export class FakeUpstream implements Upstream {
  readonly server: string
  readonly capabilities: JsonObject
  readonly protocolVersion = '2025-11-25'
  readonly requests: { method: string; params: JsonObject; options: UpstreamRequestOptions }[] = []
  readonly listeners = new Set<(method: string, params: JsonObject) => void>()
  readonly #handler: Handler
  #onServerRequest: ServerRequestHandler = async () => []

  constructor(server: string, capabilities: JsonObject, handler: Handler) {
    this.server = server
    this.capabilities = capabilities
    this.#handler = handler
  }

  request(method: string, params: JsonObject, options: UpstreamRequestOptions): Promise<JsonObject> {
    this.requests.push({ method, params, options })
    return this.#handler(method, params, options, this)
  }

  async notify(): Promise<void> {}

  onNotification(listener: (method: string, params: JsonObject) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  onServerRequest(handler: ServerRequestHandler): void {
    this.#onServerRequest = handler
  }

  /** Asks several questions in one go, as a stateless server does in its result. */
  askAll(questions: ServerQuestion[], origin: CallOrigin | undefined, signal: AbortSignal): Promise<JsonObject[]> {
    if (origin === undefined) throw new Error('no origin')
    return this.#onServerRequest(questions, origin, signal)
  }

  async ask(method: string, params: JsonObject, origin: CallOrigin | undefined, signal: AbortSignal): Promise<JsonObject> {
    const [answer = {}] = await this.askAll([{ method, params }], origin, signal)
    return answer
  }

  say(method: string, params: JsonObject = {}): void {
    for (const listener of this.listeners) listener(method, params)
  }
}

export type TestServer = { tools: Tool[]; capabilities?: JsonObject; handler?: Handler }

type Permit = Parameters<Run>[0]

export type DoorOptions = {
  servers?: Record<string, TestServer>
  settings?: Partial<GatewaySettings>
  perform?: Broker['perform']
  /** What every permit is tied to; only the runner keeps them here. */
  obligations?: Permit['obligations']
  /** All of them, or those of one method. */
  permitServerRequests?: boolean | string
  visible?: (principal: AgentPrincipal, server: string) => boolean
  port?: number
  /** The suite sends no credential: its requests get one on the way. */
  anonymous?: boolean
  /** Other rooms than the small ones here. */
  rooms?: Partial<GatewayRooms>
}

/** Permits everything that exists, as the broker does with an open policy. */
function openBroker(servers: Record<string, TestServer>, calls: Call[], obligations: Permit['obligations'] = []): Broker['perform'] {
  return async (call, run): Promise<Performed> => {
    calls.push(call)
    const decision = `dec_${calls.length}`
    const sealed = { decision, receipt, reasons: [] }
    const server = servers[call.server]
    if (server === undefined) return { kind: 'refused', ...sealed, fault: 'SERVER_UNKNOWN', detail: 'no such server' }
    if (call.method === 'tools/call' && !server.tools.some(({ name }) => name === call.name))
      return { kind: 'refused', ...sealed, fault: 'TOOL_UNKNOWN', detail: 'no such tool' }
    try {
      const { isError, value } = await run({ decision, timeoutMs: 10_000, obligations }, call.signal)
      return { kind: 'done', ...sealed, outcomeReceipt: receipt, isError, value }
    } catch (error) {
      const fault = error instanceof Fault ? error.code : 'INTERNAL'
      return { kind: 'failed', ...sealed, outcomeReceipt: receipt, fault, detail: (error as Error).message }
    }
  }
}

export async function openDoor(options: DoorOptions = {}) {
  const servers = options.servers ?? {}
  const calls: Call[] = []
  const credentials = new Map<string, AgentPrincipal>([
    ['alice', { kind: 'agent', id: 'agt_alice', credential: 'crd_alice' }],
    ['bob', { kind: 'agent', id: 'agt_bob', credential: 'crd_bob' }],
  ])
  const upstreams = new Map<string, Promise<FakeUpstream>>()
  const changed = new Set<(change: { agent?: string }) => void>()
  const retired = new Set<string>()
  const activated = new Set<() => void>()
  const released: string[] = []
  const judged: string[] = []

  async function start(server: string): Promise<FakeUpstream> {
    const spec = servers[server]
    if (spec === undefined) throw new Fault('UPSTREAM_UNAVAILABLE', `${server} is not there`)
    return new FakeUpstream(
      server,
      spec.capabilities ?? { tools: {} },
      spec.handler ?? (async () => ({ content: [{ type: 'text', text: 'ok' }] })),
    )
  }
  function upstreamOf(server: string, owner = 'agt_alice'): Promise<FakeUpstream> {
    const key = `${server} ${owner}`
    const known = upstreams.get(key) ?? start(server)
    upstreams.set(key, known)
    return known
  }

  const rooms: GatewayRooms = {
    identity: {
      async identify(bearer) {
        const principal = credentials.get(bearer)
        if (principal === undefined) throw new Fault('UNAUTHENTICATED', 'unknown credential')
        return principal
      },
    },
    broker: {
      perform: options.perform ?? openBroker(servers, calls, options.obligations),
      visible: (principal) =>
        Object.entries(servers)
          .filter(([server]) => options.visible?.(principal, server) ?? true)
          .map(([server, { tools }]) => ({ server, tools, resources: true, prompts: true })),
      show: async () => undefined,
      async judgeServerRequest({ method }) {
        judged.push(method)
        const { permitServerRequests: permitted } = options
        if (permitted === true || permitted === method)
          return { permitted: true, decision: 'dec_s', timeoutMs: 10_000, seal: async (status) => void judged.push(status) }
        return { permitted: false, decision: 'dec_s', fault: 'POLICY_NO_PERMIT', detail: 'no policy permits it' }
      },
    },
    approvals: {
      find: async () => undefined,
      wait: async () => Promise.reject(new Fault('APPROVAL_UNKNOWN', 'there are none here')),
      callOf: async () => Promise.reject(new Fault('APPROVAL_UNKNOWN', 'there are none here')),
      withdraw: async () => false,
    },
    ledger: { find: async () => undefined },
    registry: {
      on(listener) {
        changed.add(listener)
        return () => changed.delete(listener)
      },
      tool: (server, name) => servers[server]?.tools.find((tool) => tool.name === name),
      agent: (id) => (retired.has(id) ? undefined : { ...AGENT, id }),
    },
    policy: {
      on(listener) {
        activated.add(listener)
        return () => activated.delete(listener)
      },
    },
    upstreams: { connect: upstreamOf, release: async (owner) => void released.push(owner) },
    clock: systemClock,
    log: makeLog('silent'),
    ...(options.settings === undefined ? {} : { settings: options.settings }),
    ...options.rooms,
  }
  const gateway = createGateway(rooms)
  const app = Fastify({ forceCloseConnections: true })
  if (options.anonymous) app.addHook('onRequest', async (request) => void (request.raw.headers.authorization ??= 'Bearer alice'))
  mountGateway(app, gateway)
  await app.listen({ host: '127.0.0.1', port: options.port ?? 0 })
  const address = app.server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    gateway,
    port: address.port,
    url: `http://127.0.0.1:${address.port}/mcp`,
    calls,
    credentials,
    judged,
    released,
    upstreamOf,
    registryChanged: () => changed.forEach((call) => call({})),
    retire(agent: string) {
      retired.add(agent)
      changed.forEach((call) => call({ agent }))
    },
    policyChanged: () => activated.forEach((call) => call()),
    async close() {
      await gateway.close()
      await app.close()
    },
  }
}

export type Door = Awaited<ReturnType<typeof openDoor>>

/** The end of a chunked body; what comes with its length ends with the connection. */
const END = /\r\n0\r\n\r\n$/

/** Bytes as they are over a real socket; resolves with what came back until the answer or the connection ended, or `until` matched. */
export async function sendRaw(port: number, bytes: string | Buffer, until?: RegExp): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(bytes)
  const text = await readUntil(socket, until ?? END)
  socket.destroy()
  return text
}

export async function readUntil(socket: Socket, until: RegExp): Promise<string> {
  let text = ''
  for await (const chunk of socket) {
    text += String(chunk)
    if (until.test(text)) break
  }
  return text
}

export type RawRequest = {
  method?: string
  headers?: Record<string, string | undefined>
  lines?: string[]
  body?: string | Buffer
  close?: boolean
}

/** An HTTP request as text. A header set to undefined is left out. */
export function rawRequest({ method = 'POST', headers = {}, lines = [], body = '', close = true }: RawRequest): Buffer {
  const length = Buffer.byteLength(body)
  const all: Record<string, string | undefined> = {
    host: '127.0.0.1',
    authorization: 'Bearer alice',
    accept: 'application/json, text/event-stream',
    ...(method === 'POST' ? { 'content-type': 'application/json', 'content-length': String(length) } : {}),
    ...(close ? { connection: 'close' } : {}),
    ...headers,
  }
  const head = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]))
  return Buffer.concat([Buffer.from(`${[`${method} /mcp HTTP/1.1`, ...head, ...lines].join('\r\n')}\r\n\r\n`), Buffer.from(body)])
}

export type RawAnswer = { status: number; headers: Record<string, string>; text: string; messages: JsonObject[] }

function unchunk(body: string): string {
  let rest = body
  let text = ''
  for (;;) {
    const end = rest.indexOf('\r\n')
    const size = Number.parseInt(rest.slice(0, end), 16)
    if (end < 0 || !(size > 0)) return text
    text += rest.slice(end + 2, end + 2 + size)
    rest = rest.slice(end + 2 + size + 2)
  }
}

export function parseAnswer(raw: string): RawAnswer {
  const [head = '', ...rest] = raw.split('\r\n\r\n')
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  )
  const body = rest.join('\r\n\r\n')
  const text = headers['transfer-encoding'] === 'chunked' ? unchunk(body) : body
  const isStream = headers['content-type']?.startsWith('text/event-stream') === true
  const parts = isStream ? [...text.matchAll(/^data: (\S.*)$/gm)].map((match) => match[1] ?? '') : text === '' ? [] : [text]
  return { status: Number(statusLine.split(' ')[1]), headers, text, messages: parts.map((part) => JSON.parse(part) as JsonObject) }
}

/** Sends one raw request on a socket of its own and waits for the whole answer. */
export async function ask(door: Door, request: RawRequest): Promise<RawAnswer> {
  return parseAnswer(await sendRaw(door.port, rawRequest(request)))
}

export function initialize(version = '2025-11-25', capabilities: JsonObject = {}): string {
  const params = { protocolVersion: version, capabilities, clientInfo: { name: 'test', version: '1' } }
  return JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params })
}

/** Opens a session and returns the headers that later requests carry. */
export async function openSession(door: Door, bearer = 'alice', capabilities: JsonObject = {}): Promise<Record<string, string>> {
  const headers = { authorization: `Bearer ${bearer}` }
  const answer = await ask(door, { headers, body: initialize('2025-11-25', capabilities) })
  const session = { ...headers, 'mcp-session-id': answer.headers['mcp-session-id'] ?? '', 'mcp-protocol-version': '2025-11-25' }
  await ask(door, { headers: session, body: JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }) })
  return session
}

const ENVELOPE = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} }

/** A request of the stateless revision with the headers it needs. */
export function stateless(
  method: string,
  params: JsonObject = {},
  meta: JsonObject = {},
): { headers: Record<string, string>; body: string } {
  const name = params['name'] ?? params['uri']
  const headers = {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': method,
    ...(typeof name === 'string' ? { 'mcp-name': name } : {}),
  }
  return { headers, body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: { ...ENVELOPE, ...meta } } }) }
}

/** Waits for something that another task brings about. */
export async function eventually(check: () => boolean, ms = 3000): Promise<void> {
  const end = Date.now() + ms
  while (!check()) {
    if (Date.now() > end) throw new Error('it did not happen')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
