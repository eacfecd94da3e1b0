/** The rows of identity: what is read at the start and the changes that its units write. */
import type { FaultCode } from '@ephor/contract'
import type { Change, Migrations, SqlValue, Store } from '@ephor/engine/kernel'
import type { Credential, Person } from './types.ts'

export const identityMigrations: Migrations = { room: 'identity', folder: new URL('./migrations/', import.meta.url) }

type PersonRow = { tenant: string; id: string; name: string; groups: string; operator: number; added_at: number }
type CredentialRow = {
  tenant: string
  id: string
  agent: string
  kind: 'secret' | 'key'
  state: 'active' | 'revoked'
  secret_hash: string | null
  public_x: string | null
  thumbprint: string | null
  on_behalf_of: string | null
  issued_at: number
  rotated_at: number | null
  revoked_at: number | null
}
type LinkRow = { tenant: string; id: string; code_hash: string; person: string; expires_at: number; spent_at: number | null }
type SessionRow = {
  tenant: string
  id: string
  secret_hash: string
  person: string
  opened_at: number
  expires_at: number
  closed_at: number | null
}
type Tables = {
  identity_person: PersonRow
  identity_credential: CredentialRow
  identity_link: LinkRow
  identity_session: SessionRow
}

/** A credential with what checks it: the hash of its secret, or its public key. */
export type KnownCredential = Credential & { secretHash?: string; publicX?: string }

/** An open session with the hash of its secret. `seenAt` lives in memory alone: after a restart it is the time of opening. */
export type KnownSession = { id: string; person: string; openedAt: number; expiresAt: number; secretHash: string; seenAt: number }

export type KnownLink = { id: string; codeHash: string; person: string; expiresAt: number; spent: boolean }

function toCredential(row: CredentialRow): KnownCredential {
  return {
    id: row.id,
    agent: row.agent,
    kind: row.kind,
    state: row.state,
    issuedAt: row.issued_at,
    ...(row.secret_hash === null ? {} : { secretHash: row.secret_hash }),
    ...(row.public_x === null ? {} : { publicX: row.public_x }),
    ...(row.thumbprint === null ? {} : { thumbprint: row.thumbprint }),
    ...(row.on_behalf_of === null ? {} : { onBehalfOf: row.on_behalf_of }),
    ...(row.rotated_at === null ? {} : { rotatedAt: row.rotated_at }),
    ...(row.revoked_at === null ? {} : { revokedAt: row.revoked_at }),
  }
}

export async function loadPeople(store: Store): Promise<Person[]> {
  const rows = await store
    .reader<Tables>()
    .selectFrom('identity_person')
    .selectAll()
    .where('tenant', '=', store.tenant)
    .orderBy('id')
    .execute()
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    groups: JSON.parse(row.groups) as string[],
    operator: row.operator === 1,
    addedAt: row.added_at,
  }))
}

export async function loadCredentials(store: Store): Promise<KnownCredential[]> {
  const rows = await store
    .reader<Tables>()
    .selectFrom('identity_credential')
    .selectAll()
    .where('tenant', '=', store.tenant)
    .orderBy('id')
    .execute()
  return rows.map(toCredential)
}

/** The sessions that are neither closed nor past their absolute end at `now`. */
export async function loadSessions(store: Store, now: number): Promise<KnownSession[]> {
  const rows = await store
    .reader<Tables>()
    .selectFrom('identity_session')
    .selectAll()
    .where('tenant', '=', store.tenant)
    .where('closed_at', 'is', null)
    .where('expires_at', '>', now)
    .execute()
  return rows.map((row) => ({
    id: row.id,
    person: row.person,
    openedAt: row.opened_at,
    expiresAt: row.expires_at,
    secretHash: row.secret_hash,
    seenAt: row.opened_at,
  }))
}

export async function findLink(store: Store, codeHash: string): Promise<KnownLink | undefined> {
  const row = await store
    .reader<Tables>()
    .selectFrom('identity_link')
    .selectAll()
    .where('tenant', '=', store.tenant)
    .where('code_hash', '=', codeHash)
    .executeTakeFirst()
  return row && { id: row.id, codeHash, person: row.person, expiresAt: row.expires_at, spent: row.spent_at !== null }
}

/** A change that must touch one row, or the unit fails. */
function one(fault: FaultCode, sql: string, ...params: SqlValue[]): Change {
  return { sql, params, rows: 1, fault }
}

export function insertPerson(person: Person): Change {
  return one(
    'CONFLICT',
    'INSERT INTO identity_person (tenant, id, name, groups, operator, added_at) VALUES (@tenant, ?, ?, ?, ?, ?)',
    person.id,
    person.name,
    JSON.stringify(person.groups),
    person.operator ? 1 : 0,
    person.addedAt,
  )
}

export function updateGroups(id: string, groups: readonly string[]): Change {
  return one('NOT_FOUND', 'UPDATE identity_person SET groups = ? WHERE tenant = @tenant AND id = ?', JSON.stringify(groups), id)
}

export function insertCredential(credential: KnownCredential): Change {
  return one(
    'CONFLICT',
    `INSERT INTO identity_credential (tenant, id, agent, kind, state, secret_hash, public_x, thumbprint, on_behalf_of, issued_at)
     VALUES (@tenant, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    credential.id,
    credential.agent,
    credential.kind,
    credential.state,
    credential.secretHash ?? null,
    credential.publicX ?? null,
    credential.thumbprint ?? null,
    credential.onBehalfOf ?? null,
    credential.issuedAt,
  )
}

/** Only from the hash that the caller saw: of two rotations at once, one is written. */
export function updateSecret(id: string, from: string, to: string, at: number): Change {
  return one(
    'CONFLICT',
    `UPDATE identity_credential SET secret_hash = ?, rotated_at = ? WHERE tenant = @tenant AND id = ? AND state = 'active' AND secret_hash = ?`,
    to,
    at,
    id,
    from,
  )
}

export function markRevoked(id: string, at: number): Change {
  return one(
    'CONFLICT',
    `UPDATE identity_credential SET state = 'revoked', revoked_at = ? WHERE tenant = @tenant AND id = ? AND state = 'active'`,
    at,
    id,
  )
}

export function insertLink(link: KnownLink): Change {
  return one(
    'CONFLICT',
    'INSERT INTO identity_link (tenant, id, code_hash, person, expires_at) VALUES (@tenant, ?, ?, ?, ?)',
    link.id,
    link.codeHash,
    link.person,
    link.expiresAt,
  )
}

/** The guard that makes a link single-use, whatever races. */
export function spendLink(id: string, at: number): Change {
  return one(
    'LINK_SPENT',
    'UPDATE identity_link SET spent_at = ? WHERE tenant = @tenant AND id = ? AND spent_at IS NULL AND expires_at > ?',
    at,
    id,
    at,
  )
}

export function insertSession(session: KnownSession): Change {
  return one(
    'CONFLICT',
    'INSERT INTO identity_session (tenant, id, secret_hash, person, opened_at, expires_at) VALUES (@tenant, ?, ?, ?, ?, ?)',
    session.id,
    session.secretHash,
    session.person,
    session.openedAt,
    session.expiresAt,
  )
}

export function markClosed(id: string, at: number): Change {
  return one('NOT_FOUND', 'UPDATE identity_session SET closed_at = ? WHERE tenant = @tenant AND id = ? AND closed_at IS NULL', at, id)
}
