/** The console: a few static files at `/`, read once; everything it shows comes through the API. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'

const FILES = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/app.js': ['app.js', 'text/javascript; charset=utf-8'],
  '/elements.js': ['elements.js', 'text/javascript; charset=utf-8'],
  '/style.css': ['style.css', 'text/css; charset=utf-8'],
  '/icon.svg': ['icon.svg', 'image/svg+xml'],
} as const

export function mountConsole(app: FastifyInstance): void {
  for (const [path, [name, type]] of Object.entries(FILES)) {
    const bytes = readFileSync(new URL(`../../../console/${name}`, import.meta.url))
    const etag = `"${createHash('sha256').update(bytes).digest('hex').slice(0, 32)}"`
    app.get(path, async (request, reply) => {
      reply.header('etag', etag).header('cache-control', 'no-cache')
      return request.headers['if-none-match'] === etag ? reply.status(304).send() : reply.type(type).send(bytes)
    })
  }
}
