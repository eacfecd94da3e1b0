/** Erasure in this house: the list of destroyed keys beside the checkpoint, and what the other rooms know of a subject. */
import { join } from 'node:path'
import type { Identity } from '@ephor/engine/identity'
import type { Authenticate, Clock, Logger, Store } from '@ephor/engine/kernel'
import { mountErasure, openErasure } from '@ephor/engine/ledger'
import type { AboutSubjects, Erasure, Ledger } from '@ephor/engine/ledger'
import type { openRegistry } from '@ephor/engine/registry'
import type { FastifyInstance } from 'fastify'

type Registry = Awaited<ReturnType<typeof openRegistry>>
type Rooms = { identity: Pick<Identity, 'person'>; registry: Pick<Registry, 'agent'>; erasure: Erasure }

export function eraseIn(home: string, rooms: { store: Store; ledger: Ledger; clock: Clock; log: Logger }): Promise<Erasure> {
  return openErasure({ ...rooms, file: join(home, 'erased') })
}

function aboutSubjects({ identity, registry }: Rooms): AboutSubjects {
  return {
    isOperator: (id) => identity.person(id)?.operator === true,
    groupsOf: (subject) => identity.person(subject)?.groups ?? [],
    namesOf(subject) {
      const [person, agent] = [identity.person(subject), registry.agent(subject)]
      return [
        ...(person ? [{ room: 'identity', what: `the name “${person.name}” and the groups of the person` }] : []),
        ...(agent ? [{ room: 'registry', what: `the name “${agent.name}”, owner and purpose of the agent` }] : []),
      ]
    },
  }
}

/** Mounts it, and begins to expire what is past. */
export function serveErasure(app: FastifyInstance, rooms: Rooms, authenticate: Authenticate): void {
  const about = aboutSubjects(rooms)
  rooms.erasure.startSweeping(about.groupsOf)
  mountErasure(app, rooms.erasure, about, authenticate)
}
