/** The ledger over HTTP: head, entries and proofs, and the files of the tiled log for whoever keeps a copy. */
import { Fault, ledgerOperations } from '@ephor/contract'
import { mount } from '@ephor/engine/kernel'
import type { Authenticate } from '@ephor/engine/kernel'
import type { FastifyInstance } from 'fastify'
import { mountLedgerKeys } from './keys/routes.ts'
import { serveFiles } from './serve-files.ts'
import type { Ledger } from './types.ts'

export function parseCursor(cursor: string | undefined): number {
  if (cursor === undefined) return -1
  if (!/^(0|[1-9][0-9]{0,14})$/.test(cursor)) throw new Fault('REQUEST_INVALID', 'not a cursor of this list', { where: 'query/cursor' })
  return Number(cursor)
}

export type MountOptions = {
  /** Whether anyone may read the files of the log. */
  isPublic: boolean
  isOperator: (person: string) => boolean
}

export function mountLedger(
  app: FastifyInstance,
  ledger: Ledger,
  authenticate: Authenticate,
  { isPublic, isOperator }: MountOptions,
): void {
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

  serveFiles(app, { ledger, authenticate, isPublic })
  mountLedgerKeys(app, ledger.keys, isOperator, authenticate)
}
