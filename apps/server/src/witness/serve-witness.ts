/** The witness's HTTP: `add-checkpoint` and the monitor's read of c2sp.org/tlog-witness, and a page that says who this is. */
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { formatCosignerKey, makeCosignerKey } from '@ephor/proof'
import type { Logger } from '@ephor/engine/kernel'
import { makeAddCheckpoint } from './add-checkpoint.ts'
import type { Answer, WitnessRooms } from './add-checkpoint.ts'

/** 63 lines of proof and a checkpoint with a dozen signatures, post-quantum ones too. */
const MAX_BODY_BYTES = 64 * 1024

const TEXT = 'text/plain; charset=utf-8'
const text = (status: number, body: string): Answer => ({ status, type: TEXT, body: `${body}\n` })

/** The body; undefined when it is too long. */
async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_BODY_BYTES) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** The path of a log's last checkpoint for monitors. */
export function monitorPath(origin: string): string {
  return `/${createHash('sha256').update(origin).digest('hex')}/checkpoint`
}

function describe({ cosigner, logs, store }: WitnessRooms): string {
  const key = formatCosignerKey(makeCosignerKey(cosigner.name, cosigner.publicKey))
  const lines = [...logs.keys()].map((origin) => {
    const [latest, conflicts] = [store.latest(origin), store.conflicts(origin)]
    const seen = latest ? `${latest.size} entries at ${new Date(latest.at * 1000).toISOString()}` : 'nothing yet'
    return `  ${origin}: ${seen}${conflicts > 0 ? `; SIGNED TWO HISTORIES (${conflicts} checkpoints kept)` : ''}\n    ${monitorPath(origin)}`
  })
  return [
    'A witness of transparency logs (c2sp.org/tlog-witness), run by ephor witness.',
    '',
    'Verifier key:',
    `  ${key}`,
    '',
    'Logs (POST /add-checkpoint) and the last checkpoint of each (GET):',
    ...lines,
  ].join('\n')
}

type Route = (request: IncomingMessage) => Answer | Promise<Answer>

function routesOf(rooms: WitnessRooms): Record<string, { method: 'GET' | 'POST'; answer: Route }> {
  const add = makeAddCheckpoint(rooms)
  const monitors = [...rooms.logs.keys()].map((origin) => {
    const answer = () => {
      const latest = rooms.store.latest(origin)
      return latest ? { status: 200, type: TEXT, body: latest.note } : text(404, 'no checkpoint of that log was cosigned yet')
    }
    return [monitorPath(origin), { method: 'GET', answer }] as const
  })
  return {
    ...Object.fromEntries(monitors),
    '/': { method: 'GET', answer: () => text(200, describe(rooms)) },
    '/add-checkpoint': {
      method: 'POST',
      async answer(request) {
        const body = await readBody(request)
        return body ? add(body) : text(413, `a request has at most ${MAX_BODY_BYTES} bytes`)
      },
    },
  }
}

/** Not listening yet. */
export function serveWitness(rooms: WitnessRooms, log: Logger): Server {
  const routes = routesOf(rooms)
  async function answer(request: IncomingMessage): Promise<Answer> {
    const path = (request.url ?? '').replace(/\?.*$/s, '')
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined
    if (!route) return text(404, 'there is nothing here')
    const isRead = route.method === 'GET' && request.method === 'HEAD'
    return request.method === route.method || isRead ? route.answer(request) : text(405, `this takes ${route.method}`)
  }
  function send(request: IncomingMessage, response: ServerResponse, { status, type, body }: Answer): void {
    // What is left of a body that was not read to its end is not waited for.
    if (!request.complete && request.method === 'POST') response.setHeader('connection', 'close')
    response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body), 'x-content-type-options': 'nosniff' })
    response.end(request.method === 'HEAD' ? undefined : body)
  }
  const server = createServer((request, response) => {
    answer(request)
      .catch((error: unknown) => {
        log.error({ err: error }, 'a request failed')
        return text(500, 'this witness could not do that')
      })
      .then((given) => send(request, response, given))
      .catch((error: unknown) => log.warn({ err: error }, 'an answer could not be sent'))
  })
  server.headersTimeout = 5_000
  server.requestTimeout = 10_000
  server.keepAliveTimeout = 60_000
  server.maxConnections = 1000
  return server
}
