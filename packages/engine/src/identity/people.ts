/** People: who they are, the one-time links they sign in by, and their sessions. */
import { Fault } from '@ephor/contract'
import { requireOperator, requirePerson, SYSTEM } from './context.ts'
import type { Context } from './context.ts'
import { LINK_MS, SESSION_MS, sessionEnded } from './rules.ts'
import { hashSecret, makeSecret } from './secrets.ts'
import { findLink, insertLink, insertPerson, insertSession, markClosed, spendLink, updateGroups } from './store.ts'
import type { KnownSession } from './store.ts'
import type { Identity, Person, Session } from './types.ts'

type PeoplePart = Pick<
  Identity,
  'createLink' | 'openSession' | 'closeSession' | 'sessions' | 'person' | 'people' | 'addPerson' | 'setGroups'
>

function publicView({ id, person, openedAt, expiresAt }: KnownSession): Session {
  return { id, person, openedAt, expiresAt }
}

async function insert({ ledger, people, listeners }: Context, person: Person, by: string): Promise<Person> {
  const { id, groups, operator } = person
  await ledger.append({
    changes: [insertPerson(person)],
    entries: [{ type: 'person.added', body: { person: id, groups, operator, by } }],
  })
  people.set(id, person)
  for (const listener of listeners) listener()
  return person
}

/** The first person, made once: whoever can read the operator key. Answers with its id. */
export async function ensureOperator(context: Context): Promise<string> {
  for (const person of context.people.values()) if (person.operator) return person.id
  const { clock } = context
  const first = { id: clock.id('per'), name: 'Operator', groups: [], operator: true, addedAt: clock.now() }
  return (await insert(context, first, SYSTEM)).id
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
      requirePerson(context, person)
      const code = makeSecret('epl')
      const link = { id: clock.id('lnk'), codeHash: hashSecret(code), person, expiresAt: clock.now() + LINK_MS, spent: false }
      await ledger.append({ changes: [insertLink(link)], entries: [{ type: 'link.created', body: { link: link.id, person, by } }] })
      return { id: link.id, code, person, expiresAt: link.expiresAt }
    },

    async openSession(code) {
      const now = clock.now()
      const link = await findLink(store, hashSecret(code))
      // One answer for unknown, used and expired: a guess learns nothing.
      if (!link || link.spent || link.expiresAt <= now) throw new Fault('LINK_SPENT', 'this code opens nothing')
      const person = requirePerson(context, link.person)
      const secret = makeSecret('eps')
      const session: KnownSession = {
        id: clock.id('ses'),
        person: person.id,
        openedAt: now,
        expiresAt: now + SESSION_MS,
        secretHash: hashSecret(secret),
        seenAt: now,
      }
      await ledger.append({
        changes: [spendLink(link.id, now), insertSession(session)],
        entries: [{ type: 'session.opened', body: { session: session.id, person: person.id, link: link.id } }],
      })
      dropEnded(now)
      sessions.set(session.secretHash, session)
      return { session: publicView(session), secret, person }
    },

    async closeSession(id, by) {
      const session = [...sessions.values()].find((open) => open.id === id)
      // Somebody else's session is not found, except by the operator: ids of sessions are in the ledger.
      if (!session || (session.person !== by && by !== SYSTEM && !people.get(by)?.operator)) throw new Fault('NOT_FOUND', 'no such session')
      await ledger.append({
        changes: [markClosed(id, clock.now())],
        entries: [{ type: 'session.closed', body: { session: id, person: session.person, by } }],
      })
      sessions.delete(session.secretHash)
    },

    sessions(person) {
      const now = clock.now()
      return [...sessions.values()].filter((session) => session.person === person && !sessionEnded(session, now)).map(publicView)
    },

    person: (id) => people.get(id),
    people: () => [...people.values()],

    addPerson(draft, by) {
      requireOperator(context, by)
      const groups = [...new Set(draft.groups)]
      return insert(context, { id: clock.id('per'), name: draft.name, groups, operator: false, addedAt: clock.now() }, by)
    },

    async setGroups(id, groups, by) {
      requireOperator(context, by)
      requirePerson(context, id)
      const unique = [...new Set(groups)]
      await ledger.append({
        changes: [updateGroups(id, unique)],
        entries: [{ type: 'person.changed', body: { person: id, groups: unique, by } }],
      })
      const person = { ...requirePerson(context, id), groups: unique }
      people.set(id, person)
      for (const listener of listeners) listener()
      return person
    },
  }
}
