/** The rows of identity: what is read at the start and the changes that its units write. */
import type { FaultCode } from '@ephor/contract'
import type { Change, Migrations, SqlValue, Store } from '@ephor/engine/kernel'
import type { Credential, Person, Session } from './types.ts'

export const identityMigrations: Migrations = { room: 'identity', folder: new URL('./migrations/', import.meta.url) }

type PersonRow = {
  tenant: string
  id: string
  name: string
  groups: string
  operator: number
  added_at: number
  version: number
  salt: string
}
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
  version: number
}
type LinkRow = {
  tenant: string
  id: string
  code_hash: string
  person: string
  expires_at: number
  spent_at: number | null
  version: number
}
type SessionRow = {
  tenant: string
  id: string
  secret_hash: string
  person: string
  opened_at: number
  expires_at: number
  closed_at: number | null
  version: number
  link: string | null
}
export type Tables = {
  identity_person: PersonRow
  identity_credential: CredentialRow
  identity_link: LinkRow
  identity_session: SessionRow
}

/** A credential with what checks it: the hash of its secret, or its public key. */
export type KnownCredential = Credential & { secretHash?: string; publicX?: string; version: number }

/** An open session with the hash of its secret. `seenAt` lives in memory alone: after a restart it is the time of opening. */
export type KnownSession = Session & { secretHash: string; link: string; seenAt: number }

export type KnownLink = { id: string; codeHash: string; person: string; expiresAt: number; spentAt?: number }

/** What the ledger needs of a person beside what everybody sees. `salt`: 32 hexadecimal digits. */
export type KnownPerson = Person & { version: number; salt: string }

function toCredential(row: CredentialRow): KnownCredential {
  return {
    id: row.id,
    agent: row.agent,
    kind: row.kind,
    state: row.state,
    issuedAt: row.issued_at,
    version: row.version,
    ...(row.secret_hash === null ? {} : { secretHash: row.secret_hash }),
    ...(row.public_x === null ? {} : { publicX: row.public_x }),
    ...(row.thumbprint === null ? {} : { thumbprint: row.thumbprint }),
    ...(row.on_behalf_of === null ? {} : { onBehalfOf: row.on_behalf_of }),
    ...(row.rotated_at === null ? {} : { rotatedAt: row.rotated_at }),
    ...(row.revoked_at === null ? {} : { revokedAt: row.revoked_at }),
  }
}

export async function loadPeople(store: Store): Promise<KnownPerson[]> {
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
    version: row.version,
    salt: row.salt,
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

/** The sessions that are neither closed nor past their absolute end at `now`. One from before entries said by which link ends here. */
export async function loadSessions(store: Store, now: number): Promise<KnownSession[]> {
  const rows = await store
    .reader<Tables>()
    .selectFrom('identity_session')
    .selectAll()
    .where('tenant', '=', store.tenant)
    .where('closed_at', 'is', null)
    .where('expires_at', '>', now)
    .where('version', '=', 1)
    .execute()
  return rows.map((row) => ({
    id: row.id,
    person: row.person,
    openedAt: row.opened_at,
    expiresAt: row.expires_at,
    secretHash: row.secret_hash,
    link: row.link ?? '',
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
  if (!row || row.version !== 1) return undefined
  return {
    id: row.id,
    codeHash,
    person: row.person,
    expiresAt: row.expires_at,
    ...(row.spent_at === null ? {} : { spentAt: row.spent_at }),
  }
}

/** A change that must touch one row, or the unit fails. */
function one(fault: FaultCode, sql: string, ...params: SqlValue[]): Change {
  return { sql, params, rows: 1, fault }
}

export function insertPerson(person: KnownPerson): Change {
  return one(
    'CONFLICT',
    'INSERT INTO identity_person (tenant, id, name, groups, operator, added_at, version, salt) VALUES (@tenant, ?, ?, ?, ?, ?, ?, ?)',
    person.id,
    person.name,
    JSON.stringify(person.groups),
    person.operator ? 1 : 0,
    person.addedAt,
    person.version,
    person.salt,
  )
}

/** Over the version that the caller saw, as all that follow. */
export function updateGroups({ id, groups, version }: KnownPerson): Change {
  return one(
    'CONFLICT',
    'UPDATE identity_person SET groups = ?, version = ? WHERE tenant = @tenant AND id = ? AND version = ?',
    JSON.stringify(groups),
    version,
    id,
    version - 1,
  )
}

/** Overwrites the name, and the salt that linked it to what the ledger said of it. */
export function erasePersonRow({ id, name, salt, version }: KnownPerson): Change {
  const sql = 'UPDATE identity_person SET name = ?, salt = ?, version = ? WHERE tenant = @tenant AND id = ? AND version = ?'
  return one('CONFLICT', sql, name, salt, version, id, version - 1)
}

/** A row from before entries committed to rows gets its first version. */
export function adoptPerson({ id, salt, version }: KnownPerson): Change {
  const sql = 'UPDATE identity_person SET salt = ?, version = ? WHERE tenant = @tenant AND id = ? AND version = 0'
  return one('CONFLICT', sql, salt, version, id)
}

export function adoptCredential({ id, version }: KnownCredential): Change {
  return one('CONFLICT', 'UPDATE identity_credential SET version = ? WHERE tenant = @tenant AND id = ? AND version = 0', version, id)
}

export function insertCredential(credential: KnownCredential): Change {
  return one(
    'CONFLICT',
    `INSERT INTO identity_credential (tenant, id, agent, kind, state, secret_hash, public_x, thumbprint, on_behalf_of, issued_at, version)
     VALUES (@tenant, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    credential.id,
    credential.agent,
    credential.kind,
    credential.state,
    credential.secretHash ?? null,
    credential.publicX ?? null,
    credential.thumbprint ?? null,
    credential.onBehalfOf ?? null,
    credential.issuedAt,
    credential.version,
  )
}

/** Of two rotations at once, one is written. */
export function updateSecret({ id, secretHash, rotatedAt, version }: KnownCredential): Change {
  return one(
    'CONFLICT',
    `UPDATE identity_credential SET secret_hash = ?, rotated_at = ?, version = ?
     WHERE tenant = @tenant AND id = ? AND state = 'active' AND version = ?`,
    secretHash ?? null,
    rotatedAt ?? null,
    version,
    id,
    version - 1,
  )
}

export function markRevoked({ id, revokedAt, version }: KnownCredential): Change {
  return one(
    'CONFLICT',
    `UPDATE identity_credential SET state = 'revoked', revoked_at = ?, version = ?
     WHERE tenant = @tenant AND id = ? AND state = 'active' AND version = ?`,
    revokedAt ?? null,
    version,
    id,
    version - 1,
  )
}

export function insertLink(link: KnownLink): Change {
  return one(
    'CONFLICT',
    'INSERT INTO identity_link (tenant, id, code_hash, person, expires_at, version) VALUES (@tenant, ?, ?, ?, ?, 1)',
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
    'UPDATE identity_link SET spent_at = ?, version = 2 WHERE tenant = @tenant AND id = ? AND spent_at IS NULL AND expires_at > ?',
    at,
    id,
    at,
  )
}

export function insertSession(session: KnownSession): Change {
  return one(
    'CONFLICT',
    'INSERT INTO identity_session (tenant, id, secret_hash, person, opened_at, expires_at, version, link) VALUES (@tenant, ?, ?, ?, ?, ?, 1, ?)',
    session.id,
    session.secretHash,
    session.person,
    session.openedAt,
    session.expiresAt,
    session.link,
  )
}

export function markClosed(id: string, at: number): Change {
  const sql = 'UPDATE identity_session SET closed_at = ?, version = 2 WHERE tenant = @tenant AND id = ? AND closed_at IS NULL'
  return one('NOT_FOUND', sql, at, id)
}
