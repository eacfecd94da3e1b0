/** What the room knows in memory, read from its tables: at the start, and again where another replica wrote them. */
import { entryType, unconfirmedRows } from '@ephor/engine/ledger'
import type { Entry } from '@ephor/engine/ledger'
import { canonicalize } from '@ephor/proof'
import type { Context } from './context.ts'
import type { Known } from './known.ts'
import { credentialClaim, personClaim, sessionClaim } from './rows.ts'
import type { Claim } from './rows.ts'
import { loadCredentials, loadPeople, loadSessions } from './store.ts'

/** A row that is written while it is looked up seems wrong once; one that was changed seems wrong each time. */
const TRIES = 3

const nameOf = ({ table, key }: Claim) => `${table}/${key}`

/** @returns the claims that the ledger does not confirm; those it did before and that are the same are not looked up again */
async function unconfirmed({ ledger, confirmed }: Context, claims: readonly Claim[]): Promise<Claim[]> {
  const fresh = claims.filter((claim) => confirmed.get(nameOf(claim)) !== canonicalize(claim.row))
  const refused = await unconfirmedRows(ledger, fresh)
  const wrong = new Set(refused)
  for (const claim of fresh) if (!wrong.has(claim)) confirmed.set(nameOf(claim), canonicalize(claim.row))
  return refused
}

/**
 * Reads until nothing of our own was written meanwhile: an older row must not take the place of a newer one, say of a
 * revoked key. What the ledger does not confirm is left out, so that it does not act, and reported.
 */
async function reload<T>(
  context: Context,
  [map, table]: readonly [Known<T>, string],
  read: () => Promise<{ id: string; value: T; claim: Claim }[]>,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { changes } = map
    const rows = await read()
    const refused = await unconfirmed(
      context,
      rows.map(({ claim }) => claim),
    )
    if (map.changes !== changes || (refused.length > 0 && attempt < TRIES)) continue
    const wrong = new Set(refused.map(({ key }) => key))
    map.replace(rows.filter(({ claim }) => !wrong.has(claim.key)).map(({ id, value }) => [id, value] as const))
    context.refuse(table, [...wrong])
    return
  }
}

const people = (context: Context) =>
  reload(context, [context.people, 'identity_person'], async () =>
    (await loadPeople(context.store)).map((person) => ({ id: person.id, value: person, claim: personClaim(person) })),
  )

async function credentials(context: Context): Promise<void> {
  await reload(context, [context.credentials, 'identity_credential'], async () =>
    (await loadCredentials(context.store)).map((credential) => ({
      id: credential.id,
      value: credential,
      claim: credentialClaim(credential),
    })),
  )
  context.credentialIds.replace(
    [...context.credentials.values()].flatMap(({ id, secretHash }) => (secretHash === undefined ? [] : [[secretHash, id] as const])),
  )
}

/** When one was last used is known to the replica that saw it. */
const sessions = (context: Context) =>
  reload(context, [context.sessions, 'identity_session'], async () => {
    const open = await loadSessions(context.store, context.clock.now())
    return open.map((session) => {
      const { seenAt } = context.sessions.get(session.secretHash) ?? session
      return { id: session.secretHash, value: { ...session, seenAt }, claim: sessionClaim(session) }
    })
  })

const LOADERS = { people, credentials, sessions }

export async function loadAll(context: Context): Promise<void> {
  await Promise.all(Object.values(LOADERS).map((load) => load(context)))
}

/** Only the link that a code names: the others open nothing. */
export const isConfirmed = async (context: Context, claim: Claim): Promise<boolean> =>
  (await unconfirmedRows(context.ledger, [claim])).length === 0

export const reloadPeople = people
export const reloadCredentials = credentials

/** By the first word of the entry's type. */
const OF_TYPE: Record<string, keyof typeof LOADERS> = {
  person: 'people',
  credential: 'credentials',
  key: 'credentials',
  session: 'sessions',
}

/** A row that was confirmed has another entry now: put back to what it was, it is no longer confirmed. */
function forget({ confirmed }: Context, { body }: Entry): void {
  for (const word of ['person', 'credential', 'session'])
    if (typeof body[word] === 'string') confirmed.delete(`identity_${word}/${body[word]}`)
}

/** Takes over what another replica wrote. */
export async function follow(context: Context, entry: Entry): Promise<void> {
  const part = OF_TYPE[entryType(entry).split('.')[0] ?? '']
  if (part === undefined) return
  forget(context, entry)
  await LOADERS[part](context)
  if (part === 'people') for (const listener of context.listeners) listener()
}
