/** JSON-RPC over standard streams or HTTP with nothing checked, for servers that are meant to break the rules. */
import { randomUUID } from 'node:crypto'
import { closeSync } from 'node:fs'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'

export type Message = {
  jsonrpc?: string
  id?: string | number | undefined
  method?: string
  params?: Record<string, unknown>
  result?: unknown
  error?: unknown
}

/** Where the messages that belong to one request go. */
export type Reply = {
  headers: IncomingHttpHeaders
  send: (message: Message) => void
  raw: (line: string) => void
  /** To whoever listens, outside any request. */
  announce: (message: Message) => void
  /** Ends the connection in the middle. */
  cut: () => void
}

type Receive = (message: Message, reply: Reply) => void

export function serveStdio(receive: Receive, { deaf, stays }: { deaf: boolean; stays: boolean }): void {
  const raw = (line: string): void => void process.stdout.write(`${line}\n`)
  const send = (message: Message): void => raw(JSON.stringify(message))
  const reply: Reply = { headers: {}, send, raw, announce: send, cut: () => closeSync(1) }
  if (deaf) setInterval(() => {}, 1_000)
  else {
    const lines = createInterface({ input: process.stdin })
    lines.on('line', (line) => receive(JSON.parse(line) as Message, reply))
    lines.on('close', () => {
      if (!stays) process.exit(0)
    })
  }
}

/** Streamable HTTP of 2025-11-25 with one session; prints its address as the first line. Port 0 is any free one. */
export function serveHttp(receive: Receive, port: number, refuse?: { status: number; location?: string }): void {
  const session = randomUUID()
  const listeners = new Set<ServerResponse>()
  const event = (line: string): string => `data: ${line}\n\n`
  const announce = (message: Message): void => listeners.forEach((listener) => listener.write(event(JSON.stringify(message))))

  const server = createServer((request, response) => {
    if (refuse !== undefined) {
      response.writeHead(refuse.status, refuse.location === undefined ? {} : { location: refuse.location }).end()
      return
    }
    if (request.headers['mcp-session-id'] !== undefined && request.headers['mcp-session-id'] !== session) {
      response.writeHead(404).end()
      return
    }
    if (request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
      listeners.add(response)
      response.on('close', () => listeners.delete(response))
      return
    }
    if (request.method === 'DELETE') {
      response.writeHead(200).end()
      return
    }
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      const message = JSON.parse(body) as Message
      const expects = message.id !== undefined && message.method !== undefined
      response.writeHead(expects ? 200 : 202, expects ? { 'content-type': 'text/event-stream', 'mcp-session-id': session } : {})
      if (!expects) response.end()
      const raw = (line: string): void => void (response.writableEnded || response.write(event(line)))
      const send = (sent: Message): void => {
        raw(JSON.stringify(sent))
        if (expects && sent?.id === message.id && (sent.result !== undefined || sent.error !== undefined))
          setImmediate(() => response.end())
      }
      receive(message, { headers: request.headers, send, raw, announce, cut: () => response.destroy() })
    })
  })
  server.listen(port, '127.0.0.1', () => {
    const address = server.address()
    process.stdout.write(`http://127.0.0.1:${typeof address === 'object' ? address?.port : port}/mcp\n`)
  })
}
