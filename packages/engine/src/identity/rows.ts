/** Each row as its last ledger entry has it, by columns: what the ledger confirms is what acts. */
import { hash } from 'node:crypto'
import type { JsonObject } from '@ephor/engine/kernel'
import type { RowClaim } from '@ephor/engine/ledger'
import type { KnownCredential, KnownLink, KnownPerson, KnownSession } from './store.ts'

/** The entry that made the first person, and from which on no row acts without an entry that has it. There is one of it, ever. */
export const FIRST_ENTRY = 'identity/operator'

export const personEntry = (id: string, version: number): string => `person/${id}/${version}`
const credentialEntry = (id: string, version: number): string => `credential/${id}/${version}`
export const linkEntry = (id: string): string => `link/${id}/1`
/** Opening a session spends a link: one entry does both, so that the ledger itself takes each link once. */
export const sessionEntry = (link: string): string => `link/${link}/2`
export const closedEntry = (session: string): string => `session/${session}/2`

/** Names are personal and easy to guess: the salt is in the row alone, and goes with it. */
export const digestName = (salt: string, name: string): string => hash('sha256', `${salt}\n${name}`, 'hex')

const personRow = ({ name, salt, groups, operator, addedAt, version }: KnownPerson): JsonObject => ({
  name: digestName(salt, name),
  groups,
  operator: operator ? 1 : 0,
  added_at: addedAt,
  version,
})

/** Hashes of secrets may stand in the ledger as they are: nobody finds 256 random bits. */
const credentialRow = (credential: KnownCredential): JsonObject => ({
  agent: credential.agent,
  kind: credential.kind,
  state: credential.state,
  secret_hash: credential.secretHash ?? null,
  public_x: credential.publicX ?? null,
  thumbprint: credential.thumbprint ?? null,
  on_behalf_of: credential.onBehalfOf ?? null,
  issued_at: credential.issuedAt,
  rotated_at: credential.rotatedAt ?? null,
  revoked_at: credential.revokedAt ?? null,
  version: credential.version,
})

const linkRow = ({ codeHash, person, expiresAt, spentAt }: KnownLink): JsonObject => ({
  code_hash: codeHash,
  person,
  expires_at: expiresAt,
  spent_at: spentAt ?? null,
  version: spentAt === undefined ? 1 : 2,
})

export const sessionRow = ({ secretHash, person, link, openedAt, expiresAt }: KnownSession, closedAt?: number): JsonObject => ({
  secret_hash: secretHash,
  person,
  link,
  opened_at: openedAt,
  expires_at: expiresAt,
  closed_at: closedAt ?? null,
  version: closedAt === undefined ? 1 : 2,
})

export type Claim = RowClaim & { table: string; key: string }

/** With the id in the row that is compared, so that an entry about another row confirms nothing. */
const said = (id: string, row: JsonObject): JsonObject => ({ id, ...row })

export const personClaim = (person: KnownPerson): Claim => ({
  table: 'identity_person',
  key: person.id,
  entry: person.operator && person.version === 1 ? FIRST_ENTRY : personEntry(person.id, person.version),
  next: personEntry(person.id, person.version + 1),
  row: said(person.id, personRow(person)),
})

export const credentialClaim = (credential: KnownCredential): Claim => ({
  table: 'identity_credential',
  key: credential.id,
  entry: credentialEntry(credential.id, credential.version),
  next: credentialEntry(credential.id, credential.version + 1),
  row: said(credential.id, credentialRow(credential)),
})

export const sessionClaim = (session: KnownSession): Claim => ({
  table: 'identity_session',
  key: session.id,
  entry: sessionEntry(session.link),
  next: closedEntry(session.id),
  row: said(session.id, sessionRow(session)),
})

export const linkClaim = (link: KnownLink): Claim => ({
  table: 'identity_link',
  key: link.id,
  entry: linkEntry(link.id),
  next: sessionEntry(link.id),
  row: said(link.id, linkRow(link)),
})
