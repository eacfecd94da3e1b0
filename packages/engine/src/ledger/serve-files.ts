/** The files of the tiled log over HTTP (c2sp.org/tlog-tiles), for whoever keeps a copy: people, or anyone where the settings say so. */
import { createHash } from 'node:crypto'
import { Fault } from '@ephor/contract'
import { sendFault } from '@ephor/engine/kernel'
import type { Authenticate } from '@ephor/engine/kernel'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Ledger } from './types.ts'

/** The prefix of the log: below it is what `exportTo` writes, but for `ephor.json`. */
const FILES = '/ledger/'
const YEAR_S = 31_536_000

export type FilesOptions = {
  ledger: Pick<Ledger, 'file'>
  authenticate: Authenticate
  /** Anyone may read, and shared caches may keep what never changes: bodies hold no personal data. */
  isPublic: boolean
}

/** A tile or a timestamp never changes; a checkpoint always may, and the verifier key when it is rotated. */
function headersOf(path: string, bytes: Uint8Array, isPublic: boolean): Record<string, string> {
  const tile = path.startsWith('tile/')
  const stamp = path.endsWith('.tsr')
  if (tile || stamp)
    return {
      'content-type': tile ? 'application/octet-stream' : 'application/timestamp-reply',
      'cache-control': `${isPublic ? 'public' : 'private'}, max-age=${YEAR_S}, immutable`,
    }
  return {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-cache',
    etag: `"${createHash('sha256').update(bytes).digest('base64url')}"`,
  }
}

/** Of If-None-Match (RFC 9110, section 13.1.2), compared weakly. */
const matches = (header: string | undefined, etag: string): boolean =>
  header !== undefined && header.split(',').some((one) => ['*', etag].includes(one.trim().replace(/^W\//, '')))

export function serveFiles(app: FastifyInstance, { ledger, authenticate, isPublic }: FilesOptions): void {
  async function serve(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    if (!isPublic) {
      const principal = await authenticate(request, reply)
      if (principal.kind !== 'person') throw new Fault('FORBIDDEN', 'this is for people')
    }
    const path = request.url.slice(FILES.length).replace(/\?.*$/, '')
    const bytes = await ledger.file(path)
    if (!bytes) throw new Fault('NOT_FOUND', 'the log has no such file')
    const headers = headersOf(path, bytes, isPublic)
    reply.headers(headers)
    if (headers['etag'] !== undefined && matches(request.headers['if-none-match'], headers['etag'])) return reply.status(304).send()
    return reply.send(Buffer.from(bytes))
  }

  app.get(`${FILES}*`, (request, reply) => serve(request, reply).catch((error: unknown) => sendFault(reply, error)))
}
