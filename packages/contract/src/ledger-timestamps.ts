/** Wire shapes of the timestamps of checkpoints. */
import { z } from 'zod'
import type { Operations } from './operation.ts'
import { PageQuery, pageOf } from './page.ts'

export const TimestampView = z.object({
  size: z.number().int().nonnegative().describe('The entries that the stamped checkpoint covers.'),
  at: z.iso.datetime().describe('The time by the authority.'),
})

export const ledgerTimestampsOperations = {
  listTimestamps: {
    method: 'GET',
    path: '/v1/ledger/timestamps',
    summary: 'Lists the RFC 3161 timestamps of checkpoints; the files are /ledger/timestamps/{size}.tsr and .checkpoint',
    tag: 'ledger',
    who: 'person',
    query: PageQuery,
    response: pageOf(TimestampView),
  },
} satisfies Operations
