/** GET /openapi.json: the API described by the operations that are mounted. */
import { createHash } from 'node:crypto'
import { allOperations, toOpenApi } from '@ephor/contract'
import type { FastifyInstance } from 'fastify'
import { VERSION } from '../version.ts'

export function mountDescription(app: FastifyInstance, url: string): void {
  const text = JSON.stringify(toOpenApi(allOperations, { version: VERSION, url }))
  const etag = `"${createHash('sha256').update(text).digest('hex').slice(0, 32)}"`
  app.get('/openapi.json', async (request, reply) => {
    reply.header('etag', etag).header('cache-control', 'no-cache')
    return request.headers['if-none-match'] === etag ? reply.status(304).send() : reply.type('application/json').send(text)
  })
}
