/** The ledger over HTTP: head, entries and proofs, and the files of the tiled log for whoever keeps a copy. */
import { Fault, ledgerOperations } from '@ephor/contract'
import { mount, sendFault } from '@ephor/engine/kernel'
import type { Authenticate } from '@ephor/engine/kernel'
import type { FastifyInstance } from 'fastify'
import type { Ledger } from './types.ts'

/** Where the files of the log are: a client that copies them has what `exportTo` writes, but for `ephor.json`. */
const FILES = '/ledger/'

export function parseCursor(cursor: string | undefined): number {
  if (cursor === undefined) return -1
  if (!/^(0|[1-9][0-9]{0,14})$/.test(cursor)) throw new Fault('REQUEST_INVALID', 'not a cursor of this list', { where: 'query/cursor' })
  return Number(cursor)
}

export function mountLedger(app: FastifyInstance, ledger: Ledger, authenticate: Authenticate): void {
  mount(
    app,
    ledgerOperations,
    {
      getLedgerHead: async () => ({ origin: ledger.origin, verifierKey: ledger.verifierKey, ...(await ledger.head()) }),
      async listLedgerEntries({ query: { cursor, limit } }) {
        const items = await ledger.list({ after: parseCursor(cursor), limit: limit + 1 })
        const page = items.slice(0, limit)
        return { items: page, ...(items.length > limit && { next: String(page.at(-1)?.seq) }) }
      },
      async getLedgerEntry({ params: { seq } }) {
        const entry = await ledger.read(seq)
        if (!entry) throw new Fault('NOT_FOUND', `the ledger has no entry ${seq}`)
        return entry
      },
      getLedgerProof: async ({ params: { seq } }) => ({ proof: await ledger.proof(seq) }),
    },
    authenticate,
  )

  app.get(`${FILES}*`, async (request, reply) => {
    try {
      const principal = await authenticate(request, reply)
      if (principal.kind !== 'person') throw new Fault('FORBIDDEN', 'this is for people')
      const path = request.url.slice(FILES.length).replace(/\?.*$/, '')
      const bytes = await ledger.file(path)
      if (!bytes) throw new Fault('NOT_FOUND', 'the log has no such file')
      const tile = path.startsWith('tile/')
      const stamp = path.endsWith('.tsr')
      // A tile or a timestamp never changes; the checkpoint always may.
      return await reply
        .header('cache-control', tile || stamp ? 'private, max-age=31536000, immutable' : 'no-cache')
        .type(tile ? 'application/octet-stream' : stamp ? 'application/timestamp-reply' : 'text/plain; charset=utf-8')
        .send(Buffer.from(bytes))
    } catch (error) {
      return sendFault(reply, error)
    }
  })
}
