/** Wire shapes of identity: credentials and tokens of agents, people, sign-in links, sessions. */
import { z } from 'zod'
import type { Operations } from './operation.ts'

const Id = z.string().max(40)
const Time = z.string().describe('RFC 3339, UTC.')

export const CredentialView = z.object({
  id: z.string().describe('`crd_…`'),
  agent: z.string().describe('`agt_…`'),
  kind: z
    .enum(['secret', 'key'])
    .describe('`secret`: a long-lived local credential. `key`: a registered public key that tokens are got with.'),
  state: z.enum(['active', 'revoked']),
  onBehalfOf: z.string().optional().describe('`per_…`: whoever uses it acts for this person, who may not approve its calls.'),
  thumbprint: z.string().optional().describe('RFC 7638 thumbprint of the public key.'),
  issuedAt: Time,
  rotatedAt: Time.optional(),
  revokedAt: Time.optional(),
})

const Secret = z.string().describe('`eph_…`. Shown here and never again.')

/** An Ed25519 public key (RFC 8037). Strict, so that a private key sent by mistake is refused, not kept. */
export const PublicJwk = z.strictObject({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'x holds 32 bytes in base64url'),
  alg: z.enum(['EdDSA', 'Ed25519']).optional(),
  use: z.literal('sig').optional(),
  kid: z.string().max(200).optional(),
  key_ops: z.array(z.string().max(20)).max(8).optional(),
})

const CredentialRequest = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('secret'), onBehalfOf: Id.optional() }),
  z.strictObject({ kind: z.literal('key'), jwk: PublicJwk, onBehalfOf: Id.optional() }),
])

const GroupName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,40}$/, 'a group is named in lower-case letters, digits and hyphens')
  .describe('Named by `@approval` in policies.')
const Groups = z.array(GroupName).max(50)

export const PersonView = z.object({
  id: z.string().describe('`per_…`'),
  name: z.string(),
  groups: z.array(z.string()),
  operator: z.boolean().describe('The operator administers identity: people, credentials, links for others.'),
  addedAt: Time,
})

export const SessionView = z.object({
  id: z.string().describe('`ses_…`'),
  person: z.string(),
  openedAt: Time,
  expiresAt: Time.describe('It ends then, or after an hour without use.'),
})

const WhoView = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('agent'), id: z.string(), credential: z.string() }),
  z.object({ kind: z.literal('person'), ...PersonView.shape, session: z.string() }),
])

const credentialsOperations = {
  issueCredential: {
    method: 'POST',
    path: '/v1/agents/{id}/credentials',
    summary: 'Issues a local credential to an agent, or registers its public key',
    tag: 'identity',
    who: 'person',
    params: z.object({ id: Id.describe('`agt_…`') }),
    body: CredentialRequest,
    status: 201,
    response: CredentialView.extend({ secret: Secret.optional() }),
  },
  listCredentials: {
    method: 'GET',
    path: '/v1/agents/{id}/credentials',
    summary: 'Lists the credentials of an agent, revoked ones too',
    tag: 'identity',
    who: 'person',
    params: z.object({ id: Id }),
    response: z.object({ items: z.array(CredentialView) }),
  },
  rotateCredential: {
    method: 'POST',
    path: '/v1/credentials/{id}/rotate',
    summary: 'Gives a local credential a new secret; the old one opens nothing from then on',
    tag: 'identity',
    who: 'person',
    params: z.object({ id: Id.describe('`crd_…`') }),
    response: CredentialView.extend({ secret: Secret }),
  },
  revokeCredential: {
    method: 'POST',
    path: '/v1/credentials/{id}/revoke',
    summary: 'Revokes a credential and every token made with it, at once',
    tag: 'identity',
    who: 'person',
    params: z.object({ id: Id }),
    response: CredentialView,
  },
  issueToken: {
    method: 'POST',
    path: '/v1/tokens',
    summary: 'Changes an assertion signed with an agent key (RFC 7523) for a token of five minutes',
    tag: 'identity',
    who: 'anyone',
    body: z.strictObject({
      assertion: z
        .string()
        .max(4096)
        .describe(
          'A JWT: header `kid` = the credential; `iss` = `sub` = the agent; `aud` = this address; `jti`; `exp` at most 60 s ahead.',
        ),
    }),
    response: z.object({ token: z.string(), tokenType: z.literal('Bearer'), expiresAt: Time }),
  },
  showKeys: {
    method: 'GET',
    path: '/.well-known/jwks.json',
    summary: 'The public keys that tokens and warrants verify with (RFC 7517)',
    tag: 'identity',
    who: 'anyone',
    response: z.object({ keys: z.array(z.record(z.string(), z.json())) }),
  },
} satisfies Operations

const peopleOperations = {
  showPrincipal: {
    method: 'GET',
    path: '/v1/principal',
    summary: 'Says who the credential of this request proves',
    tag: 'identity',
    who: 'either',
    response: WhoView,
  },
  listPeople: {
    method: 'GET',
    path: '/v1/people',
    summary: 'Lists people',
    tag: 'identity',
    who: 'person',
    response: z.object({ items: z.array(PersonView) }),
  },
  addPerson: {
    method: 'POST',
    path: '/v1/people',
    summary: 'Adds a person, who signs in by a link made for them',
    tag: 'identity',
    who: 'person',
    body: z.strictObject({ name: z.string().trim().min(1).max(200), groups: Groups.default([]) }),
    status: 201,
    response: PersonView,
  },
  changePerson: {
    method: 'PATCH',
    path: '/v1/people/{id}',
    summary: 'Sets the groups of a person',
    tag: 'identity',
    who: 'person',
    params: z.object({ id: Id.describe('`per_…`') }),
    body: z.strictObject({ groups: Groups }),
    response: PersonView,
  },
  createLink: {
    method: 'POST',
    path: '/v1/links',
    summary: 'Makes a one-time sign-in code for oneself, or, as the operator, for somebody else',
    tag: 'identity',
    who: 'person',
    body: z.strictObject({ person: Id.optional().describe('`per_…`; oneself unless said.') }),
    status: 201,
    response: z.object({
      id: z.string().describe('`lnk_…`'),
      person: z.string(),
      code: z.string().describe('`epl_…`. Shown here and never again; POST it to /v1/sessions.'),
      expiresAt: Time,
    }),
  },
  openSession: {
    method: 'POST',
    path: '/v1/sessions',
    summary: 'Signs in with a one-time code',
    tag: 'identity',
    who: 'anyone',
    body: z.strictObject({
      code: z.string().max(100),
      deliver: z
        .enum(['cookie', 'bearer'])
        .default('cookie')
        .describe('`cookie` for browsers: HttpOnly. `bearer` for programs: in the answer.'),
    }),
    status: 201,
    response: SessionView.extend({ person: PersonView, secret: z.string().optional().describe('`eps_…`, for `bearer` only.') }),
  },
  listSessions: {
    method: 'GET',
    path: '/v1/sessions',
    summary: 'Lists one’s own open sessions',
    tag: 'identity',
    who: 'person',
    response: z.object({ items: z.array(SessionView) }),
  },
  closeSession: {
    method: 'DELETE',
    path: '/v1/sessions/{id}',
    summary: 'Ends a session of one’s own (`current`: this one); the operator ends anybody’s',
    tag: 'identity',
    who: 'person',
    params: z.object({ id: Id }),
    status: 204,
    response: z.void(),
  },
} satisfies Operations

export const identityOperations = { ...credentialsOperations, ...peopleOperations }
