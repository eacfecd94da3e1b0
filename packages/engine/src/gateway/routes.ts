/** Mounts the MCP endpoint: bytes go to the gateway as they came, and no other parser touches them. */
import type { FastifyError, FastifyInstance } from 'fastify'
import type { Gateway } from './create-gateway.ts'
import { sendError } from './downstream/wire-errors.ts'

const PATH = '/mcp'

function isTooLarge(error: FastifyError): boolean {
  return error.statusCode === 413
}

export function mountGateway(app: FastifyInstance, gateway: Gateway): void {
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: gateway.settings.maxBodyBytes }, (_request, body, done) =>
      done(null, body),
    )
    scope.setErrorHandler<FastifyError>((error, _request, reply) => {
      reply.hijack()
      const status = error.statusCode ?? 500
      const fault = isTooLarge(error) ? 'BODY_TOO_LARGE' : 'REQUEST_INVALID'
      sendError(reply.raw, status, null, -32600, error.message, fault, { connection: 'close' })
    })
    scope.route({
      method: ['GET', 'POST', 'DELETE', 'PUT', 'PATCH', 'OPTIONS'],
      url: PATH,
      handler: async (request, reply) => {
        reply.hijack()
        await gateway.handle(request.raw, reply.raw, request.body instanceof Uint8Array ? request.body : undefined)
      },
    })
  })
}
