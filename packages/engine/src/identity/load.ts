/** What the room knows in memory, read from its tables: at the start, and again where another replica wrote them. */
import { entryType } from '@ephor/engine/ledger'
import type { Entry } from '@ephor/engine/ledger'
import type { Context } from './context.ts'
import type { Known } from './known.ts'
import { loadCredentials, loadPeople, loadSessions } from './store.ts'

type Rows<T> = Iterable<readonly [string, T]>

/** Reads until nothing of our own was written meanwhile: an older row must not take the place of a newer one, say of a revoked key. */
async function reload<T>(map: Known<T>, read: () => Promise<Rows<T>>): Promise<void> {
  for (;;) {
    const { changes } = map
    const rows = await read()
    if (map.changes === changes) return map.replace(rows)
  }
}

const people = (context: Context) =>
  reload(context.people, async () => (await loadPeople(context.store)).map((person) => [person.id, person] as const))

async function credentials(context: Context): Promise<void> {
  const { store } = context
  await reload(context.credentials, async () => (await loadCredentials(store)).map((credential) => [credential.id, credential] as const))
  context.credentialIds.replace(
    [...context.credentials.values()].flatMap(({ id, secretHash }) => (secretHash === undefined ? [] : [[secretHash, id] as const])),
  )
}

/** When one was last used is known to the replica that saw it. */
const sessions = (context: Context) =>
  reload(context.sessions, async () => {
    const open = await loadSessions(context.store, context.clock.now())
    return open.map((session) => {
      const { seenAt } = context.sessions.get(session.secretHash) ?? session
      return [session.secretHash, { ...session, seenAt }] as const
    })
  })

const LOADERS = { people, credentials, sessions }

export async function loadAll(context: Context): Promise<void> {
  await Promise.all(Object.values(LOADERS).map((load) => load(context)))
}

/** By the first word of the entry's type. */
const OF_TYPE: Record<string, keyof typeof LOADERS> = {
  person: 'people',
  credential: 'credentials',
  key: 'credentials',
  session: 'sessions',
}

/** Takes over what another replica wrote. */
export async function follow(context: Context, entry: Entry): Promise<void> {
  const part = OF_TYPE[entryType(entry).split('.')[0] ?? '']
  if (part === undefined) return
  await LOADERS[part](context)
  if (part === 'people') for (const listener of context.listeners) listener()
}
