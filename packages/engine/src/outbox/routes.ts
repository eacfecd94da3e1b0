/** The outbox over HTTP: where each sink is, and replays. For people. */
import { outboxOperations } from '@ephor/contract'
import type { SinkView } from '@ephor/contract'
import { isoTime, mount } from '@ephor/engine/kernel'
import type { Authenticate } from '@ephor/engine/kernel'
import type { FastifyInstance } from 'fastify'
import type { Outbox, SinkStatus } from './types.ts'

const view = ({ deliveredAt, failedAt, ...rest }: SinkStatus): SinkView => ({
  ...rest,
  ...(deliveredAt !== undefined && { deliveredAt: isoTime(deliveredAt) }),
  ...(failedAt !== undefined && { failedAt: isoTime(failedAt) }),
})

export function mountOutbox(app: FastifyInstance, outbox: Outbox, authenticate: Authenticate): void {
  mount(
    app,
    outboxOperations,
    {
      listSinks: async () => ({ items: (await outbox.sinks()).map(view) }),
      replaySink: async ({ params, body, principal }) => view(await outbox.replay(params.name, body.from, principal.id)),
    },
    authenticate,
  )
}
