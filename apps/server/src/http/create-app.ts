/** The HTTP server before any room is mounted: one strict body parser, Host and Origin checks, security headers, problem details. */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { Fault, toProblem } from '@ephor/contract'
import { CHECK_PREFIX } from '@ephor/engine/doors'
import { parseJson, sendFault } from '@ephor/engine/kernel'
import type { Logger } from '@ephor/engine/kernel'
import { fastify, LogController } from 'fastify'
import type { FastifyBaseLogger, FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { makeHostGuard } from './guard-hosts.ts'
import type { HostRules } from './guard-hosts.ts'

export type AppOptions = { log: Logger; hosts: HostRules; limits: { bodyBytes: number; bodyDepth: number } }

/** Nothing is loaded from elsewhere, nothing inline runs, nobody frames us. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** The fault that an error of fastify's own stands for. */
function toFault(error: FastifyError | Fault, limits: AppOptions['limits']): unknown {
  if (error instanceof Fault) return error
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Fault('BODY_TOO_LARGE', `the limit is ${limits.bodyBytes} bytes`)
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new Fault('CONTENT_TYPE_UNSUPPORTED', 'the body must be application/json in UTF-8')
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new Fault('REQUEST_INVALID', 'Content-Length and the body differ')
  }
  const status = error.statusCode ?? 500
  return status >= 400 && status < 500 ? new Fault('REQUEST_INVALID', error.message) : error
}

/** What Node could not parse as HTTP at all never reaches a route; it gets the same kind of answer. */
function refuseConnection(error: { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return
  const body = JSON.stringify({ ...toProblem(new Fault('REQUEST_INVALID', 'this is not a valid HTTP request')) })
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}

function answerUnknown(app: FastifyInstance, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const url = request.url.split('?')[0] ?? '/'
  const allowed = METHODS.filter((method) => app.routesTaken.some((route) => route.method === method && route.pattern.test(url)))
  if (allowed.length === 0) return sendFault(reply, new Fault('NOT_FOUND', url.slice(0, 200)))
  return sendFault(reply.header('allow', allowed.join(', ')), new Fault('METHOD_NOT_ALLOWED', `${request.method} ${url.slice(0, 200)}`))
}

/** A JSON body is parsed once, from its bytes, by the kernel's strict parser; fastify's own parsers are gone. */
function parseBodies(app: FastifyInstance, limits: AppOptions['limits']): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(/^application\/json(;\s*charset="?utf-8"?)?$/i, { parseAs: 'buffer' }, (_request, bytes: Buffer, done) => {
    try {
      // An empty body is what clients send with a DELETE.
      done(null, bytes.length === 0 ? undefined : parseJson(bytes, { maxBytes: limits.bodyBytes, maxDepth: limits.bodyDepth }))
    } catch (error) {
      done(error as Error)
    }
  })
}

export function createApp({ log, hosts, limits }: AppOptions): FastifyInstance {
  const guard = makeHostGuard(hosts)
  const loggerInstance: FastifyBaseLogger = log
  const app = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: limits.bodyBytes,
    requestIdHeader: false,
    genReqId: () => `req_${randomBytes(8).toString('hex')}`,
    clientErrorHandler: refuseConnection,
    // While it stops, the broker refuses with a problem; fastify's own answer would have another form.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    routerOptions: { ignoreTrailingSlash: false, maxParamLength: 500 },
    frameworkErrors: (error, _request, reply) => void sendFault(reply, toFault(error, limits)),
  })
  app.decorate('routesTaken', [])
  app.addHook('onRoute', (route) => {
    const pattern = new RegExp(`^${route.url.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll(/:\w+/g, '[^/]+')}$`)
    for (const method of [route.method].flat()) app.routesTaken.push({ method, pattern })
  })
  parseBodies(app, limits)
  app.addHook('onRequest', async (request, reply) => {
    // The gateway makes the same checks for its own endpoint, and answers them in JSON-RPC.
    if (request.routeOptions.url === '/mcp') return
    reply.headers(HEADERS).header('x-request-id', request.id)
    if (request.raw.rawHeaders.filter((word, i) => i % 2 === 0 && word.toLowerCase() === 'host').length > 1)
      throw new Fault('HOST_REFUSED', 'the Host header stands twice')
    // A proxy asks with the Host of the request that it holds, and with a credential that no browser adds by itself.
    if (!request.url.startsWith(`${CHECK_PREFIX}/`)) guard(request.headers.host, request.headers.origin)
  })
  app.addHook('onSend', async (_request, reply) => {
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')
  })
  app.setErrorHandler((error: FastifyError | Fault, _request, reply) => sendFault(reply, toFault(error, limits)))
  app.setNotFoundHandler((request, reply) => answerUnknown(app, request, reply))
  return app
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Every mounted method and path, to answer 405 where 404 would mislead. */
    routesTaken: { method: string; pattern: RegExp }[]
  }
}
