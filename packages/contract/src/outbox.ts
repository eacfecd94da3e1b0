/** Wire shapes of the outbox: where each sink of entries is, and replays. */
import { z } from 'zod'
import type { Operations } from './operation.ts'

export const SinkView = z.object({
  name: z.string(),
  state: z.enum(['on', 'off', 'unset']).describe('off: its receiver said that it is gone. unset: the settings name it no more.'),
  position: z.number().int().nonnegative().describe('The next entry to be delivered.'),
  lag: z.number().int().nonnegative().describe('Entries in the ledger that were not delivered yet.'),
  holder: z.string().optional().describe('The replica that delivers.'),
  deliveredAt: z.iso.datetime().optional(),
  failures: z.number().int().nonnegative().describe('Attempts in a row that failed.'),
  failedAt: z.iso.datetime().optional(),
  error: z.string().optional().describe('What the last attempt ran into.'),
})
export type SinkView = z.output<typeof SinkView>

export const outboxOperations = {
  listSinks: {
    method: 'GET',
    path: '/v1/ledger/sinks',
    summary: 'Lists the systems that entries are sent to, and how far each is',
    tag: 'ledger',
    who: 'person',
    response: z.object({ items: z.array(SinkView) }),
  },
  replaySink: {
    method: 'POST',
    path: '/v1/ledger/sinks/{name}/replay',
    summary: 'Sends again from an entry on, or goes on with a sink that was switched off; recorded',
    tag: 'ledger',
    who: 'person',
    params: z.object({ name: z.string().min(1).max(40) }),
    body: z.strictObject({
      from: z.number().int().min(0).optional().describe('The first entry to send; where it stands unless said.'),
    }),
    response: SinkView,
  },
} satisfies Operations
