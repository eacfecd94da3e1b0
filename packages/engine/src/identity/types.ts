/** The types of the identity room's door: credentials of agents, people, their sessions, warrants. */
import type { Principal } from '@ephor/contract'
import type { Authenticate } from '@ephor/engine/kernel'
import type { Entry, Part, ProjectionDifference, Projector } from '@ephor/engine/ledger'
import type { JWK } from 'jose'

/** What an agent proves itself with. A `secret` is a long-lived local credential, a `key` a registered public key. */
export type Credential = {
  /** `crd_…` */
  id: string
  /** `agt_…` */
  agent: string
  kind: 'secret' | 'key'
  state: 'active' | 'revoked'
  /** `per_…`: whoever uses the credential acts for this person. */
  onBehalfOf?: string
  /** RFC 7638 thumbprint of the public key, for a `key`. */
  thumbprint?: string
  /** ms */
  issuedAt: number
  rotatedAt?: number
  revokedAt?: number
}

/** A local credential as it is shown, once: `eph_` and 43 characters of base 62 (256 bits). */
export type IssuedSecret = { id: string; credential: Credential; secret: string }

export type Person = {
  /** `per_…`: what the ledger knows. */
  id: string
  /** What people know; never in a ledger body. */
  name: string
  /** Approvals may be asked of a group. */
  groups: string[]
  /** The operator administers identity: people, credentials, links for others. */
  operator: boolean
  addedAt: number
}

export type Session = {
  /** `ses_…` */ id: string
  person: string
  openedAt: number
  /** ms; idle sessions end before. */ expiresAt: number
}

/** What a warrant says: this agent may make the call with this digest, once, until then. */
export type WarrantClaims = {
  /** `dec_…`; also the token's `jti`, so that a service can refuse a second use. */
  decision: string
  agent: string
  /** `sha256:<64 hex>` of the call. */
  digest: string
  /** `sha256:<64 hex>` of the arguments' canonical JSON (RFC 8785): whoever has the arguments can check it. */
  input: string
  server: string
  /** The tool's own name. */
  tool: string
  onBehalfOf?: string
  /** ms */
  expiresAt: number
}

export interface Identity {
  /** Where browsers may sign in and write from; the first is where Ephor is reached. */
  readonly origins: readonly [string, ...string[]]
  /** The first person, made at the first start: whoever holds the operator key of the data folder. */
  readonly operator: string
  /**
   * Who a bearer proves: an agent's token or local credential, a person's session, or an operator assertion.
   * Costs microseconds for one seen before.
   * @throws Fault UNAUTHENTICATED, TOKEN_EXPIRED, CREDENTIAL_REVOKED.
   */
  identify(bearer: string): Promise<Principal>
  /** Credentials, people and sessions whose rows the ledger does not confirm: they do not act. */
  refused(): ProjectionDifference[]
  /** Says what the rows of this room should be. */
  projector(): Projector
  /** Takes over what another replica wrote, of which this is the entry. */
  follow(entry: Entry): Promise<void>
  /**
   * For `mount`: the bearer of the request, else its session cookie. A write by cookie needs an Origin that is ours.
   * @throws what `identify` throws; Fault HOST_REFUSED for a foreign or missing Origin.
   */
  authenticate: Authenticate

  /** @throws Fault AGENT_UNKNOWN; NOT_FOUND when nobody is `onBehalfOf`. */
  issueCredential(agent: string, by: string, options?: { onBehalfOf?: string }): Promise<IssuedSecret>
  /** Registers an agent's public Ed25519 key (JWK, RFC 8037). @throws Fault REQUEST_INVALID, AGENT_UNKNOWN, CONFLICT when it is registered already. */
  registerKey(agent: string, jwk: unknown, by: string, options?: { onBehalfOf?: string }): Promise<Credential>
  /** A new secret for the same credential; the old one opens nothing from then on. @throws Fault NOT_FOUND, CREDENTIAL_REVOKED, REQUEST_INVALID for a key. */
  rotateCredential(id: string, by: string): Promise<IssuedSecret>
  /** The credential and every token made with it die at once. @throws Fault NOT_FOUND, CONFLICT when it is revoked already. */
  revokeCredential(id: string, by: string): Promise<Credential>
  /** All credentials of the agent, revoked ones too, oldest first. */
  credentials(agent: string): Credential[]
  /**
   * Changes an assertion signed with an agent's key (RFC 7523 `private_key_jwt`) for a token of five minutes.
   * @throws Fault UNAUTHENTICATED, TOKEN_EXPIRED, CREDENTIAL_REVOKED, AGENT_UNKNOWN.
   */
  issueToken(assertion: string): Promise<{ token: string; /** ms */ expiresAt: number }>

  /** A one-time link for `person` (`by` itself unless said), good for ten minutes. @throws Fault NOT_FOUND. */
  createLink(by: string, person?: string): Promise<{ id: string; code: string; person: string; /** ms */ expiresAt: number }>
  /** @throws Fault LINK_SPENT for a code that is unknown, used or expired. */
  openSession(code: string): Promise<{ session: Session; /** `eps_…`, shown once */ secret: string; person: Person }>
  /** @throws Fault NOT_FOUND when it isn't open. */
  closeSession(id: string, by: string): Promise<void>
  /** The open sessions of a person. */
  sessions(person: string): Session[]

  person(id: string): Person | undefined
  people(): Person[]
  addPerson(draft: { name: string; groups?: readonly string[] }, by: string): Promise<Person>
  /** Why the person can't be erased yet; undefined when nothing is left by which they could act. @throws Fault NOT_FOUND */
  actsStill(id: string): string | undefined
  /** Whether their name is not known any more. @throws Fault NOT_FOUND */
  isErased(id: string): boolean
  /**
   * Overwrites the name of a person who no longer acts with a neutral text, and the salt of what the ledger says of it.
   * Nobody signs in as them again.
   * @param append writes what it is given, perhaps with more, in one unit, or nothing of it, and says which
   * @throws Fault NOT_FOUND, STILL_ACTING
   */
  erasePerson<T>(id: string, by: string, append: (part: Part) => Promise<{ done: T; written: boolean }>): Promise<T>
  /** @throws Fault NOT_FOUND. */
  setGroups(id: string, groups: readonly string[], by: string): Promise<Person>

  /** Told after people or their groups have changed. @returns stops the telling */
  on(listener: () => void): () => void

  /** A compact JWS of type `ephor-warrant+jwt`, verified offline with `jwks()`. See docs/guide/identity.md. */
  signWarrant(claims: WarrantClaims): string
  /** The public keys that tokens and warrants verify with (RFC 7517). */
  jwks(): { keys: JWK[] }
}
