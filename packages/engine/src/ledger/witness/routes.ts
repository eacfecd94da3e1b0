/** Witnesses, comparisons and forks over HTTP: for people, and the resolution of a fork for the operator. */
import { Fault, ledgerWitnessesOperations } from '@ephor/contract'
import type { ForkView } from '@ephor/contract'
import { isoTime, mount } from '@ephor/engine/kernel'
import type { Authenticate } from '@ephor/engine/kernel'
import type { FastifyInstance } from 'fastify'
import type { Fork, Forks, Witnesses, WitnessStatus } from './types.ts'

export type WitnessRooms = {
  forks: Forks
  witnesses: Witnesses
  /** Whether a person administers this installation. */
  isOperator: (person: string) => boolean
}

function forkView({ at, resolvedAt, ...fork }: Fork): ForkView {
  return { ...fork, at: isoTime(at), ...(resolvedAt === undefined ? {} : { resolvedAt: isoTime(resolvedAt) }) }
}

function witnessView({ name, url, size, at, failure }: WitnessStatus) {
  return {
    name,
    url,
    ...(size === undefined ? {} : { size }),
    ...(at === undefined ? {} : { at: isoTime(at * 1000) }),
    ...(failure === undefined ? {} : { failure }),
  }
}

export function mountWitnesses(app: FastifyInstance, { forks, witnesses, isOperator }: WitnessRooms, authenticate: Authenticate): void {
  mount(
    app,
    ledgerWitnessesOperations,
    {
      listWitnesses() {
        const outage = witnesses.outage()
        return Promise.resolve({
          quorum: witnesses.quorum,
          items: witnesses.status().map(witnessView),
          ...(outage ? { outage: { size: outage.size, since: isoTime(outage.since) } } : {}),
        })
      },
      compareCheckpoint: ({ body }) => forks.compare(body.checkpoint, 'person'),
      listForks: async () => ({ items: (await forks.list()).map(forkView) }),
      async resolveFork({ body, principal }) {
        if (!isOperator(principal.id)) throw new Fault('FORBIDDEN', 'only the operator says which history counts')
        return { items: (await forks.resolve(principal.id, body.accept, body.reason)).map(forkView) }
      },
    },
    authenticate,
  )
}
