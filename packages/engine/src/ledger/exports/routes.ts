/** Exports over HTTP: for people, and each leaves an entry of who took what before its first byte goes out. */
import { Readable } from 'node:stream'
import { Fault, ledgerSearchOperations } from '@ephor/contract'
import type { JsonObject } from '@ephor/engine/kernel'
import { mount } from '@ephor/engine/kernel'
import type { Authenticate } from '@ephor/engine/kernel'
import type { FastifyInstance } from 'fastify'
import { refuseUnknown } from '../search/routes.ts'
import type { EntryDraft, Ledger } from '../types.ts'
import type { ExportRequest, Exports } from './open-exports.ts'

/** Each reads the whole ledger. */
const MAX_AT_ONCE = 4

/** The body says what kind of filters, the payload what for: a person looks for names too. */
function exportedEntry(by: string, { format, filters, after }: ExportRequest, size: number): EntryDraft {
  const { since, until, ...chosen } = JSON.parse(JSON.stringify(filters)) as Record<string, string | string[]>
  const body: JsonObject = {
    by,
    format,
    size,
    ...(after !== undefined && { after }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
    ...(Object.keys(chosen).length > 0 && { filters: Object.keys(chosen) }),
  }
  const payloads = Object.keys(chosen).length > 0 ? [{ name: 'filters', subject: by, value: chosen }] : []
  return { type: 'ledger.exported', body, payloads }
}

export function mountExports(
  app: FastifyInstance,
  { ledger, exports }: { ledger: Pick<Ledger, 'append'>; exports: Exports },
  authenticate: Authenticate,
): void {
  const { exportLedger } = ledgerSearchOperations
  const known = Object.keys(exportLedger.query.shape)
  let running = 0
  mount(
    app,
    { exportLedger },
    {
      async exportLedger({ query: { format, after, ...filters }, principal, request, reply }) {
        refuseUnknown(request, known)
        if (running >= MAX_AT_ONCE) throw new Fault('RATE_LIMITED', `${MAX_AT_ONCE} exports are running already`)
        running++
        reply.raw.once('close', () => running--)
        const asked = { format, filters, after }
        const { size, media, chunks } = await exports.start(asked)
        // No record, no export.
        await ledger.append({ changes: [], entries: [exportedEntry(principal.id, asked, size)] })
        void reply
          .header('content-type', media)
          .header('cache-control', 'no-store')
          .header('x-content-type-options', 'nosniff')
          .header('content-disposition', `attachment; filename="ledger.${format === 'bundle' ? 'dsse.json' : format}"`)
          // Cut off where an entry is not what was hashed: whoever reads sees a broken transfer, not a short export.
          .send(Readable.from(chunks))
      },
    },
    authenticate,
  )
}
