/** People: who they are, the one-time links they sign in by, and their sessions. */
import { randomBytes } from 'node:crypto'
import { Fault } from '@ephor/contract'
import { ERASED, requireOperator, requireSomebody, SYSTEM } from './context.ts'
import type { Context } from './context.ts'
import { isConfirmed, reloadPeople } from './load.ts'
import { retryOnConflict } from './retry-on-conflict.ts'
import { closedEntry, FIRST_ENTRY, linkClaim, linkEntry, personClaim, personEntry, sessionClaim, sessionEntry, sessionRow } from './rows.ts'
import { LINK_MS, SESSION_MS, sessionEnded } from './rules.ts'
import { hashSecret, makeSecret } from './secrets.ts'
import { findLink, insertLink, insertPerson, insertSession, markClosed, spendLink, updateGroups } from './store.ts'
import type { KnownLink, KnownPerson, KnownSession } from './store.ts'
import type { Identity, Person, Session } from './types.ts'

type PeoplePart = Pick<
  Identity,
  'createLink' | 'openSession' | 'closeSession' | 'sessions' | 'person' | 'people' | 'addPerson' | 'setGroups'
>

function publicView({ id, person, openedAt, expiresAt }: KnownSession): Session {
  return { id, person, openedAt, expiresAt }
}

function publicPerson({ id, name, groups, operator, addedAt }: KnownPerson): Person {
  return { id, name, groups, operator, addedAt }
}

async function insert({ ledger, people, listeners }: Context, draft: Person, by: string): Promise<Person> {
  const person: KnownPerson = { ...draft, version: 1, salt: randomBytes(16).toString('hex') }
  const { entry, row } = personClaim(person)
  const { id, groups, operator } = person
  await ledger.append({
    changes: [insertPerson(person)],
    entries: [{ type: 'person.added', id: entry, body: { person: id, groups, operator, by, row } }],
  })
  people.set(id, person)
  for (const listener of listeners) listener()
  return draft
}

/** The first person, made once: whoever can read the operator key. Answers with its id. */
export async function ensureOperator(context: Context): Promise<string> {
  const entry = await context.ledger.find(FIRST_ENTRY)
  if (entry && !(await context.ledger.proves([entry]))) throw new Fault('STORE_CORRUPT', 'the entry of the first person was changed')
  const first = entry?.body['person']
  // When its row was changed or removed, it is still the one whom the key proves, and may do nothing that operators do.
  if (typeof first === 'string') return first
  const { clock } = context
  const person = { id: clock.id('per'), name: 'Operator', groups: [], operator: true, addedAt: clock.now() }
  return (await insert(context, person, SYSTEM)).id
}

export function makePeople(context: Context): PeoplePart {
  const { store, ledger, clock, people, sessions, listeners } = context

  function dropEnded(now: number): void {
    for (const [key, session] of sessions) if (sessionEnded(session, now)) sessions.delete(key)
  }

  return {
    async createLink(by, person = by) {
      // Whoever could make a link for another person could approve their own calls as that person.
      if (person !== by) requireOperator(context, by)
      requireSomebody(context, person)
      const code = makeSecret('epl')
      const link: KnownLink = { id: clock.id('lnk'), codeHash: hashSecret(code), person, expiresAt: clock.now() + LINK_MS }
      const { row } = linkClaim(link)
      await ledger.append({
        changes: [insertLink(link)],
        entries: [{ type: 'link.created', id: linkEntry(link.id), body: { link: link.id, person, by, row } }],
      })
      return { id: link.id, code, person, expiresAt: link.expiresAt }
    },

    async openSession(code) {
      const now = clock.now()
      const link = await findLink(store, hashSecret(code))
      // One answer for unknown, used and expired: a guess learns nothing.
      if (!link || link.spentAt !== undefined || link.expiresAt <= now || !(await isConfirmed(context, linkClaim(link))))
        throw new Fault('LINK_SPENT', 'this code opens nothing')
      const person = requireSomebody(context, link.person)
      const secret = makeSecret('eps')
      const session: KnownSession = {
        id: clock.id('ses'),
        person: person.id,
        openedAt: now,
        expiresAt: now + SESSION_MS,
        secretHash: hashSecret(secret),
        link: link.id,
        seenAt: now,
      }
      await ledger.append({
        changes: [spendLink(link.id, now), insertSession(session)],
        entries: [
          {
            type: 'session.opened',
            id: sessionEntry(link.id),
            body: { session: session.id, person: person.id, link: link.id, row: sessionClaim(session).row },
          },
        ],
      })
      dropEnded(now)
      sessions.set(session.secretHash, session)
      return { session: publicView(session), secret, person: publicPerson(person) }
    },

    async closeSession(id, by) {
      const session = [...sessions.values()].find((open) => open.id === id)
      // Somebody else's session is not found, except by the operator: ids of sessions are in the ledger.
      if (!session || (session.person !== by && by !== SYSTEM && !people.get(by)?.operator)) throw new Fault('NOT_FOUND', 'no such session')
      const now = clock.now()
      const row = { id, ...sessionRow(session, now) }
      await ledger.append({
        changes: [markClosed(id, now)],
        entries: [{ type: 'session.closed', id: closedEntry(id), body: { session: id, person: session.person, by, row } }],
      })
      context.confirmed.delete(`identity_session/${id}`)
      sessions.delete(session.secretHash)
    },

    sessions(person) {
      const now = clock.now()
      return [...sessions.values()].filter((session) => session.person === person && !sessionEnded(session, now)).map(publicView)
    },

    person(id) {
      const person = people.get(id)
      return person && publicPerson(person)
    },
    people: () => [...people.values()].map(publicPerson),

    addPerson(draft, by) {
      requireOperator(context, by)
      if (draft.name === ERASED)
        throw new Fault('REQUEST_INVALID', 'this stands for the names of people who were erased', { where: 'name' })
      const groups = [...new Set(draft.groups)]
      return insert(context, { id: clock.id('per'), name: draft.name, groups, operator: false, addedAt: clock.now() }, by)
    },

    async setGroups(id, groups, by) {
      requireOperator(context, by)
      const unique = [...new Set(groups)]
      const person = await retryOnConflict(
        async () => {
          const known = requireSomebody(context, id)
          const next: KnownPerson = { ...known, groups: unique, version: known.version + 1 }
          const { row } = personClaim(next)
          await ledger.append({
            changes: [updateGroups(next)],
            entries: [{ type: 'person.changed', id: personEntry(id, next.version), body: { person: id, groups: unique, by, row } }],
          })
          return next
        },
        () => reloadPeople(context),
      )
      context.confirmed.delete(`identity_person/${id}`)
      people.set(id, person)
      for (const listener of listeners) listener()
      return publicPerson(person)
    },
  }
}
