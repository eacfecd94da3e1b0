/** Erasure in this house: the list of destroyed keys beside the checkpoint, and what the other rooms know of a subject. */
import { join } from 'node:path'
import type { Authenticate, Clock, Logger, Store } from '@ephor/engine/kernel'
import { mountErasure, openErasure } from '@ephor/engine/ledger'
import type { AboutSubjects, Erasure, Ledger } from '@ephor/engine/ledger'
import type { FastifyInstance } from 'fastify'
import { eraseSubject, namesOf } from './erase-subject.ts'
import type { ErasureRooms } from './erase-subject.ts'

type Rooms = Omit<ErasureRooms, 'log'> & { erasure: Erasure }

export function eraseIn(home: string, rooms: { store: Store; ledger: Ledger; clock: Clock; log: Logger }): Promise<Erasure> {
  return openErasure({ ...rooms, file: join(home, 'erased') })
}

function aboutSubjects(rooms: ErasureRooms): AboutSubjects {
  const { identity } = rooms
  return {
    isOperator: (id) => identity.person(id)?.operator === true,
    groupsOf: (subject) => identity.person(subject)?.groups ?? [],
    namesOf: (subject) => namesOf(rooms, subject),
    erase: (subject, how) => eraseSubject(rooms, subject, how),
  }
}

/** Mounts it, and begins to expire what is past. */
export function serveErasure(app: FastifyInstance, rooms: Rooms, log: Logger, authenticate: Authenticate): void {
  const about = aboutSubjects({ ...rooms, log })
  rooms.erasure.startSweeping(about.groupsOf)
  mountErasure(app, rooms.erasure, about, authenticate)
}
