/** All rows of identity in the form in which entries have them: by id, names as their digests. */
import type { Json, Store } from '@ephor/engine/kernel'
import type { ProjectedRow } from '@ephor/engine/ledger'
import { digestName } from './rows.ts'
import type { Tables } from './store.ts'

type Kinds = Record<'person' | 'credential' | 'link' | 'session', Map<string, ProjectedRow>>

/** The value itself where it isn't the JSON that we wrote: then it differs. */
function parseGroups(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}

function byId(rows: readonly ({ id: string } & Record<string, Json>)[]): Map<string, ProjectedRow> {
  return new Map(rows.map((row) => [row.id, row]))
}

export async function readProjected(store: Store): Promise<Kinds> {
  const db = store.reader<Tables>()
  const [people, credentials, links, sessions] = await Promise.all([
    db.selectFrom('identity_person').selectAll().where('tenant', '=', store.tenant).execute(),
    db.selectFrom('identity_credential').selectAll().where('tenant', '=', store.tenant).execute(),
    db.selectFrom('identity_link').selectAll().where('tenant', '=', store.tenant).execute(),
    db.selectFrom('identity_session').selectAll().where('tenant', '=', store.tenant).execute(),
  ])
  return {
    person: byId(people.map(({ salt, name, groups, ...row }) => ({ ...row, name: digestName(salt, name), groups: parseGroups(groups) }))),
    credential: byId(credentials),
    link: byId(links),
    session: byId(sessions),
  }
}
