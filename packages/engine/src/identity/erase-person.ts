/** Forgets the name of a person who no longer acts: the id stays, and everything that was done under it. */
import { randomBytes } from 'node:crypto'
import { Fault } from '@ephor/contract'
import { ERASED, requirePerson } from './context.ts'
import type { Context } from './context.ts'
import { personClaim, personEntry } from './rows.ts'
import { sessionEnded } from './rules.ts'
import { erasePersonRow } from './store.ts'
import type { KnownPerson } from './store.ts'
import type { Identity } from './types.ts'

export function makeErasing(context: Context): Pick<Identity, 'actsStill' | 'isErased' | 'erasePerson'> {
  const { clock, people, sessions, credentials, listeners } = context

  function actsStill(id: string): string | undefined {
    const { operator, groups } = requirePerson(context, id)
    const now = clock.now()
    if (operator) return 'the person is the operator'
    if (groups.length > 0) return `the person is in the groups ${groups.join(', ')}`
    if ([...sessions.values()].some((session) => session.person === id && !sessionEnded(session, now)))
      return 'the person has sessions that are open'
    if ([...credentials.values()].some(({ onBehalfOf, state }) => onBehalfOf === id && state === 'active'))
      return 'agents have credentials to act for the person'
    return undefined
  }

  return {
    actsStill,
    isErased: (id) => requirePerson(context, id).name === ERASED,
    async erasePerson(id, by, append) {
      const why = actsStill(id)
      if (why !== undefined) throw new Fault('STILL_ACTING', `${id}: ${why}`)
      const known = requirePerson(context, id)
      // With another salt: what the ledger said of the name can't be compared with any name from now on.
      const next: KnownPerson = { ...known, name: ERASED, salt: randomBytes(16).toString('hex'), version: known.version + 1 }
      const { row } = personClaim(next)
      const entry = { type: 'person.erased', id: personEntry(id, next.version), body: { person: id, by, row } }
      const { done, written } = await append({ changes: [erasePersonRow(next)], entries: [entry] })
      if (written) {
        context.confirmed.delete(`identity_person/${id}`)
        people.set(id, next)
        for (const listener of listeners) listener()
      }
      return done
    },
  }
}
