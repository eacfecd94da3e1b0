/** Identity over HTTP: credentials and tokens, people, sign-in. */
import { Fault, identityOperations } from '@ephor/contract'
import { isoTime, mount } from '@ephor/engine/kernel'
import type { Handlers } from '@ephor/engine/kernel'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { requireOurOrigin, sessionCookie } from './authenticate.ts'
import { SESSION_MS } from './rules.ts'
import type { Credential, Identity, Person, Session } from './types.ts'

type Served = Handlers<typeof identityOperations>

function credentialView({ issuedAt, rotatedAt, revokedAt, ...rest }: Credential) {
  return {
    ...rest,
    issuedAt: isoTime(issuedAt),
    ...(rotatedAt === undefined ? {} : { rotatedAt: isoTime(rotatedAt) }),
    ...(revokedAt === undefined ? {} : { revokedAt: isoTime(revokedAt) }),
  }
}

const personView = ({ addedAt, ...rest }: Person) => ({ ...rest, addedAt: isoTime(addedAt) })

const sessionView = ({ openedAt, expiresAt, ...rest }: Session) => ({ ...rest, openedAt: isoTime(openedAt), expiresAt: isoTime(expiresAt) })

/** What holds a secret is kept by nobody on the way. */
function neverStored(reply: FastifyReply): void {
  reply.header('cache-control', 'no-store')
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Fault('NOT_FOUND', 'it is gone')
  return value
}

type CredentialOperations = 'issueCredential' | 'listCredentials' | 'rotateCredential' | 'revokeCredential' | 'issueToken' | 'showKeys'

function credentialHandlers(identity: Identity): Pick<Served, CredentialOperations> {
  return {
    async issueCredential({ params, body, principal, reply }) {
      neverStored(reply)
      const options = body.onBehalfOf === undefined ? {} : { onBehalfOf: body.onBehalfOf }
      if (body.kind === 'key') return credentialView(await identity.registerKey(params.id, body.jwk, principal.id, options))
      const { credential, secret } = await identity.issueCredential(params.id, principal.id, options)
      return { ...credentialView(credential), secret }
    },
    listCredentials: async ({ params }) => ({ items: identity.credentials(params.id).map(credentialView) }),
    async rotateCredential({ params, principal, reply }) {
      neverStored(reply)
      const { credential, secret } = await identity.rotateCredential(params.id, principal.id)
      return { ...credentialView(credential), secret }
    },
    revokeCredential: async ({ params, principal }) => credentialView(await identity.revokeCredential(params.id, principal.id)),
    async issueToken({ body, reply }) {
      neverStored(reply)
      const { token, expiresAt } = await identity.issueToken(body.assertion)
      return { token, tokenType: 'Bearer', expiresAt: isoTime(expiresAt) }
    },
    async showKeys({ reply }) {
      reply.header('cache-control', 'public, max-age=300')
      return identity.jwks()
    },
  }
}

function peopleHandlers(identity: Identity): Omit<Served, CredentialOperations> {
  const { origins } = identity
  const [origin] = origins
  return {
    async showPrincipal({ principal }) {
      if (principal.kind === 'agent') return { kind: 'agent', id: principal.id, credential: principal.credential }
      return { kind: 'person', ...personView(known(identity.person(principal.id))), session: principal.session }
    },
    listPeople: async () => ({ items: identity.people().map(personView) }),
    addPerson: async ({ body, principal }) => personView(await identity.addPerson(body, principal.id)),
    changePerson: async ({ params, body, principal }) => personView(await identity.setGroups(params.id, body.groups, principal.id)),
    async createLink({ body, principal, reply }) {
      neverStored(reply)
      const { expiresAt, ...link } = await identity.createLink(principal.id, body.person)
      return { ...link, expiresAt: isoTime(expiresAt) }
    },
    async openSession({ body, request, reply }) {
      neverStored(reply)
      // Another site must not sign a browser in as somebody else. Browsers always say where a POST comes from.
      if (request.headers.origin !== undefined) requireOurOrigin(request, origins)
      const { session, secret, person } = await identity.openSession(body.code)
      const view = { ...sessionView(session), person: personView(person) }
      if (body.deliver === 'bearer') return { ...view, secret }
      reply.header('set-cookie', sessionCookie(secret, SESSION_MS / 1000, origin))
      return view
    },
    listSessions: async ({ principal }) => ({ items: identity.sessions(principal.id).map(sessionView) }),
    async closeSession({ params, principal, reply }) {
      const id = params.id === 'current' ? principal.session : params.id
      await identity.closeSession(id, principal.id)
      if (id === principal.session) reply.header('set-cookie', sessionCookie('', 0, origin))
    },
  }
}

export function mountIdentity(app: FastifyInstance, identity: Identity): void {
  mount(app, identityOperations, { ...credentialHandlers(identity), ...peopleHandlers(identity) }, identity.authenticate)
}
