/** What decisions were made by, in the store: texts and worlds by their digests, and when which texts became active. */
import type { Change, Json, Migrations, Store } from '@ephor/engine/kernel'
import { digestOf } from './digest.ts'
import type { PolicyFiles, PolicyWorld } from './types.ts'

type Tables = {
  policy_bundle: { tenant: string; activation: number; version: string; activated_at: number }
  policy_files: { tenant: string; version: string; files: string }
  policy_world: { tenant: string; digest: string; parts: string }
  policy_world_part: { tenant: string; digest: string; content: string }
}

export type Activation = { activation: number; version: string; activatedAt: number }

export const policyMigrations: Migrations = { room: 'policy', folder: new URL('./migrations/', import.meta.url) }

export async function lastBundle(store: Store): Promise<Activation | undefined> {
  const row = await store
    .reader<Tables>()
    .selectFrom('policy_bundle')
    .selectAll()
    .where('tenant', '=', store.tenant)
    .orderBy('activation', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row && { activation: row.activation, version: row.version, activatedAt: row.activated_at }
}

/** The texts as they are stored; whoever uses them checks that their digest is the version. */
export async function readFiles(store: Store, version: string): Promise<PolicyFiles | undefined> {
  const query = store.reader<Tables>().selectFrom('policy_files').select('files').where('tenant', '=', store.tenant)
  const row = await query.where('version', '=', version).executeTakeFirst()
  return row && (JSON.parse(row.files) as PolicyFiles)
}

/** The world as it is stored; whoever uses it checks its digest. */
export async function readWorld(store: Store, digest: string): Promise<PolicyWorld | undefined> {
  const reader = store.reader<Tables>()
  const query = reader.selectFrom('policy_world').select('parts').where('tenant', '=', store.tenant)
  const row = await query.where('digest', '=', digest).executeTakeFirst()
  if (!row) return undefined
  const parts = JSON.parse(row.parts) as Record<string, string>
  const contents = await reader
    .selectFrom('policy_world_part')
    .select(['digest', 'content'])
    .where('tenant', '=', store.tenant)
    .where('digest', 'in', Object.values(parts))
    .execute()
  const byDigest = new Map(contents.map(({ digest: part, content }) => [part, JSON.parse(content) as Json]))
  return Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, byDigest.get(part) ?? null])) as unknown as PolicyWorld
}

/** What somebody else wrote there may be no JSON: then it names nobody. */
function readJson(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return null
  }
}

/** Kept parts of worlds in which this id occurs. */
export async function partsNaming(store: Store, id: string): Promise<{ digest: string; content: Json }[]> {
  const rows = await store
    .reader<Tables>()
    .selectFrom('policy_world_part')
    .select(['digest', 'content'])
    .where('tenant', '=', store.tenant)
    .where('content', 'like', `%"${id}"%`)
    .orderBy('digest')
    .execute()
  return rows.map(({ digest, content }) => ({ digest, content: readJson(content) }))
}

/** Every kept world with the digests of its parts, as they are stored. */
export function worldsOf(store: Store): Promise<{ digest: string; parts: string }[]> {
  const query = store.reader<Tables>().selectFrom('policy_world').select(['digest', 'parts']).where('tenant', '=', store.tenant)
  return query.orderBy('digest').execute()
}

export function insertPart(digest: string, content: unknown): Change {
  return {
    sql: 'INSERT INTO policy_world_part (tenant, digest, content) VALUES (@tenant, ?, ?) ON CONFLICT DO NOTHING',
    params: [digest, JSON.stringify(content)],
  }
}

/** The world consists of other parts from now on, unless somebody was faster. */
export function writeParts(digest: string, from: string, to: string): Change {
  const sql = 'UPDATE policy_world SET parts = ? WHERE tenant = @tenant AND digest = ? AND parts = ?'
  return { sql, params: [to, digest, from], rows: 1, fault: 'CONFLICT' }
}

export function deletePart(digest: string): Change {
  return { sql: 'DELETE FROM policy_world_part WHERE tenant = @tenant AND digest = ?', params: [digest] }
}

/** Two activations at once can't both take a number: the second is a CONFLICT. */
export function insertBundle({ activation, version, activatedAt }: Activation): Change {
  return {
    sql: 'INSERT INTO policy_bundle (tenant, activation, version, activated_at) VALUES (@tenant, ?, ?, ?)',
    params: [activation, version, activatedAt],
    rows: 1,
  }
}

export function insertFiles(version: string, files: PolicyFiles): Change {
  return {
    sql: 'INSERT INTO policy_files (tenant, version, files) VALUES (@tenant, ?, ?) ON CONFLICT DO NOTHING',
    params: [version, JSON.stringify(files)],
  }
}

export function insertWorld(digest: string, world: PolicyWorld): Change[] {
  const parts = Object.entries(world).map(([name, value]) => ({ name, value: value as unknown, digest: digestOf(value) }))
  const named = JSON.stringify(Object.fromEntries(parts.map((part) => [part.name, part.digest])))
  return [
    {
      sql: 'INSERT INTO policy_world (tenant, digest, parts) VALUES (@tenant, ?, ?) ON CONFLICT DO NOTHING',
      params: [digest, named],
    },
    ...parts.map(({ value, digest: part }) => insertPart(part, value)),
  ]
}
