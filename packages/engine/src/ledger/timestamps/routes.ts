/** The list of timestamps over HTTP; their files are under `/ledger/timestamps/`. */
import { ledgerTimestampsOperations } from '@ephor/contract'
import { isoTime, mount } from '@ephor/engine/kernel'
import type { Authenticate } from '@ephor/engine/kernel'
import type { FastifyInstance } from 'fastify'
import { parseCursor } from '../routes.ts'
import type { Timestamps } from './keep-timestamps.ts'

export function mountTimestamps(app: FastifyInstance, timestamps: Timestamps, authenticate: Authenticate): void {
  mount(
    app,
    ledgerTimestampsOperations,
    {
      async listTimestamps({ query: { cursor, limit } }) {
        const found = await timestamps.list({ after: parseCursor(cursor), limit: limit + 1 })
        const page = found.slice(0, limit)
        return {
          items: page.map(({ size, at }) => ({ size, at: isoTime(at) })),
          ...(found.length > limit && { next: String(page.at(-1)?.size) }),
        }
      },
    },
    authenticate,
  )
}
