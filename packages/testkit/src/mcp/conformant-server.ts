/** A tool server that passes the MCP conformance suite in both revisions: `node conformant-server.ts --http PORT | --stdio`. */
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import {
  localhostHostValidation,
  localhostOriginValidation,
  NodeStreamableHTTPServerTransport,
  toNodeHandler,
} from '@modelcontextprotocol/node'
import { classifyInboundRequest, createMcpHandler, isInitializeRequest, McpServer } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import type { NodeIncomingMessageLike } from '@modelcontextprotocol/node'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import { addPrompts, addResources } from './conformant-content.ts'
import { addInputTools, requestState } from './conformant-inputs.ts'
import { addTools, text } from './conformant-tools.ts'
import { rememberEvents } from './remember-events.ts'

/** Tells every open subscription that a list changed. */
type Announce = (server: McpServer, list: 'tools' | 'prompts') => void

function makeServer(announce: Announce): McpServer {
  const server = new McpServer(
    { name: 'ephor-testkit-conformant', version: '1.0.0' },
    {
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        prompts: { listChanged: true },
        logging: {},
        completions: {},
      },
      requestState: { verify: (state, ctx) => requestState.verify(state, ctx) },
    },
  )
  addTools(server)
  addInputTools(server)
  addResources(server)
  addPrompts(server)
  for (const list of ['tool', 'prompt'] as const) {
    server.registerTool(
      `test_trigger_${list}_change`,
      { description: `Announces a changed ${list} list`, inputSchema: z.object({}) },
      async () => {
        announce(server, `${list}s`)
        return text('announced')
      },
    )
  }
  server.server.setRequestHandler('resources/subscribe', async () => ({}))
  server.server.setRequestHandler('resources/unsubscribe', async () => ({}))
  server.server.setRequestHandler('logging/setLevel', async () => ({}))
  server.server.setRequestHandler('completion/complete', async () => ({ completion: { values: [], total: 0, hasMore: false } }))
  return server
}

const announceHere: Announce = (server, list) => (list === 'tools' ? server.sendToolListChanged() : server.sendPromptListChanged())

const one = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value)

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ jsonrpc: '2.0', error: { code: -32000, message }, id: null }))
}

/** Requests with the envelope of 2026-07-28 go to a handler without state, all others to the session they name. */
function makeListener(): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const sessions = new Map<string, NodeStreamableHTTPServerTransport>()
  const stateless = createMcpHandler(() =>
    makeServer((_server, list) => (list === 'tools' ? stateless.notify.toolsChanged() : stateless.notify.promptsChanged())),
  )
  const handleStateless = toNodeHandler(stateless)
  const [hostAllowed, originAllowed] = [localhostHostValidation(), localhostOriginValidation()]

  async function begin(): Promise<NodeStreamableHTTPServerTransport> {
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: rememberEvents(),
      retryInterval: 500,
      onsessioninitialized: (id) => void sessions.set(id, transport),
      onsessionclosed: (id) => void sessions.delete(id),
    })
    await makeServer(announceHere).connect(transport)
    return transport
  }

  return async (request, response) => {
    if (!hostAllowed(request, response) || !originAllowed(request, response)) return
    const body: unknown = request.method === 'POST' ? await json(request).catch(() => undefined) : undefined
    const { kind } = classifyInboundRequest({
      httpMethod: request.method ?? '',
      ...headersOf(request),
      body,
    })
    if (kind !== 'legacy') return handleStateless(request as NodeIncomingMessageLike, response, body)
    const id = one(request.headers['mcp-session-id'])
    const session = id === undefined ? (isInitializeRequest(body) ? await begin() : undefined) : sessions.get(id)
    if (session === undefined) return refuse(response, id === undefined ? 400 : 404, 'No such session')
    await session.handleRequest(request, response, body)
  }
}

function headersOf({ headers }: IncomingMessage): { protocolVersionHeader?: string; mcpMethodHeader?: string } {
  const [version, method] = [one(headers['mcp-protocol-version']), one(headers['mcp-method'])]
  return {
    ...(version === undefined ? {} : { protocolVersionHeader: version }),
    ...(method === undefined ? {} : { mcpMethodHeader: method }),
  }
}

const { values } = parseArgs({ options: { http: { type: 'string' }, stdio: { type: 'boolean' } } })
if (values.http === undefined) serveStdio(() => makeServer(announceHere))
else {
  const listener = makeListener()
  const server = createServer((request, response) => {
    listener(request, response).catch((error: unknown) => {
      process.stderr.write(`${String(error)}\n`)
      if (!response.headersSent) refuse(response, 500, 'Internal error')
    })
  })
  server.listen(Number(values.http), '127.0.0.1', () => {
    const address = server.address()
    process.stdout.write(`http://127.0.0.1:${typeof address === 'object' ? address?.port : values.http}/mcp\n`)
  })
}
