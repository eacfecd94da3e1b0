/** GET /v1/events: live decisions and approvals for people. */
import { eventsOperations, Fault } from '@ephor/contract'
import { mount } from '@ephor/engine/kernel'
import type { Authenticate } from '@ephor/engine/kernel'
import type { Ledger } from '@ephor/engine/ledger'
import type { FastifyInstance } from 'fastify'
import { streamEntries } from './stream-entries.ts'

/** Each stream costs a read of the ledger for each batch of entries. */
const MAX_STREAMS = 64

export type EventsOptions = {
  ledger: Pick<Ledger, 'list' | 'head'>
  onAppend(listener: () => void): () => void
  authenticate: Authenticate
  heartbeatMs?: number
  slowMs?: number
}

function place(text: string | string[] | undefined): number | undefined {
  if (text === undefined) return undefined
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text)) throw new Fault('REQUEST_INVALID', 'Last-Event-ID is the seq of an entry')
  return Number(text)
}

/** @returns ends every stream, for a stop. */
export function mountEvents(app: FastifyInstance, options: EventsOptions): () => void {
  const stop = new AbortController()
  let streams = 0
  mount(
    app,
    eventsOperations,
    {
      async streamEvents({ query, request, reply }) {
        const after = place(request.headers['last-event-id']) ?? query.after ?? (await options.ledger.head()).size - 1
        if (streams >= MAX_STREAMS) throw new Fault('RATE_LIMITED', `${MAX_STREAMS} event streams are open already`)
        streams++
        reply.hijack()
        const headers = reply.getHeaders() as Record<string, string>
        reply.raw.writeHead(200, {
          ...headers,
          'content-type': 'text/event-stream',
          'cache-control': 'no-store',
          'x-accel-buffering': 'no',
        })
        // Sent at once, so that the reader knows that it is connected; also the pause before it reconnects.
        reply.raw.write('retry: 2000\n\n')
        await streamEntries(reply.raw, {
          ...options,
          after,
          types: (query.types ?? '').split(',').filter(Boolean),
          heartbeatMs: options.heartbeatMs ?? 15_000,
          slowMs: options.slowMs ?? 10_000,
          stillAllowed: () =>
            options.authenticate(request, reply).then(
              ({ kind }) => kind === 'person',
              () => false,
            ),
          signal: stop.signal,
        }).finally(() => streams--)
      },
    },
    options.authenticate,
  )
  return () => stop.abort()
}
