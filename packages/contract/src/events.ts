/** Wire shapes of the event stream: the ledger's entries as they become durable. */
import { z } from 'zod'
import type { Operations } from './operation.ts'

export const EventView = z.object({
  seq: z.number().int().nonnegative().describe('The place in the ledger, also the event id to resume after (`Last-Event-ID`).'),
  type: z.string().describe('The type of the entry, also the event name: `decision`, `outcome`, `approval.opened`, …'),
  at: z.string(),
  body: z.record(z.string(), z.json()).describe('The body of the entry; holds no personal data.'),
})

export const eventsOperations = {
  streamEvents: {
    method: 'GET',
    path: '/v1/events',
    summary: 'Streams decisions, outcomes, approvals and everything else the ledger records, as it happens',
    tag: 'events',
    who: 'person',
    query: z.object({
      types: z
        .string()
        .max(200)
        .optional()
        .describe('Only entries whose type starts with one of these, divided by commas: `decision,approval`.'),
      after: z.coerce
        .number()
        .int()
        .min(-1)
        .optional()
        .describe('Start after this place, when no Last-Event-ID is sent; the end of the ledger unless said.'),
    }),
    response: EventView,
    stream: true,
  },
} satisfies Operations
