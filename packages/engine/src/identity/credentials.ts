/** What agents prove themselves with: issued, registered, rotated and revoked. */
import { Fault, PublicJwk } from '@ephor/contract'
import type { EntryDraft } from '@ephor/engine/ledger'
import { calculateJwkThumbprint } from 'jose'
import { requireOperator, requirePerson, requireSomebody, SYSTEM } from './context.ts'
import type { Context } from './context.ts'
import { reloadCredentials } from './load.ts'
import { retryOnConflict } from './retry-on-conflict.ts'
import { credentialClaim } from './rows.ts'
import { hashSecret, makeSecret } from './secrets.ts'
import { insertCredential, markRevoked, updateSecret } from './store.ts'
import type { KnownCredential } from './store.ts'
import type { Credential, Identity } from './types.ts'

type CredentialsPart = Pick<Identity, 'issueCredential' | 'registerKey' | 'rotateCredential' | 'revokeCredential' | 'credentials'>

function publicView(known: KnownCredential): Credential {
  const { secretHash: _, publicX: __, version: ___, ...credential } = known
  return credential
}

export function makeCredentials(context: Context): CredentialsPart {
  const { ledger, clock, credentials, credentialIds } = context

  function find(id: string): KnownCredential {
    const credential = credentials.get(id)
    if (!credential) throw new Fault('NOT_FOUND', `no credential ${id.slice(0, 40)}`)
    return credential
  }

  function draft(kind: Credential['kind'], agent: string, onBehalfOf: string | undefined): KnownCredential {
    if (!context.isAgent(agent)) throw new Fault('AGENT_UNKNOWN', `no agent ${agent.slice(0, 40)} is registered`)
    if (onBehalfOf !== undefined) requireSomebody(context, onBehalfOf)
    const id = clock.id('crd')
    return { id, agent, kind, state: 'active', issuedAt: clock.now(), version: 1, ...(onBehalfOf === undefined ? {} : { onBehalfOf }) }
  }

  function keep(credential: KnownCredential): void {
    context.confirmed.delete(`identity_credential/${credential.id}`)
    credentials.set(credential.id, credential)
  }

  async function insert(credential: KnownCredential, type: EntryDraft['type'], by: string): Promise<void> {
    const { id, agent, onBehalfOf, thumbprint } = credential
    const about = { ...(onBehalfOf === undefined ? {} : { onBehalfOf }), ...(thumbprint === undefined ? {} : { thumbprint }) }
    const { entry, row } = credentialClaim(credential)
    await ledger.append({
      changes: [insertCredential(credential)],
      entries: [{ type, id: entry, body: { credential: id, agent, by, ...about, row } }],
    })
    keep(credential)
    if (credential.secretHash !== undefined) credentialIds.set(credential.secretHash, id)
  }

  return {
    async issueCredential(agent, by, options = {}) {
      requireOperator(context, by)
      const secret = makeSecret('eph')
      const credential = { ...draft('secret', agent, options.onBehalfOf), secretHash: hashSecret(secret) }
      await insert(credential, 'credential.issued', by)
      return { id: credential.id, credential: publicView(credential), secret }
    },

    async registerKey(agent, jwk, by, options = {}) {
      requireOperator(context, by)
      const parsed = PublicJwk.safeParse(jwk)
      if (!parsed.success) throw new Fault('REQUEST_INVALID', 'the key is not a public Ed25519 JWK (RFC 8037)', { where: 'body/jwk' })
      const { kty, crv, x } = parsed.data
      const thumbprint = await calculateJwkThumbprint({ kty, crv, x })
      for (const known of credentials.values())
        if (known.thumbprint === thumbprint) throw new Fault('CONFLICT', `this key is registered already, as ${known.id}`)
      const credential = { ...draft('key', agent, options.onBehalfOf), publicX: x, thumbprint }
      await insert(credential, 'key.registered', by)
      return publicView(credential)
    },

    async rotateCredential(id, by) {
      requireOperator(context, by)
      const before = find(id)
      const { agent, kind, state, secretHash } = before
      if (state === 'revoked') throw new Fault('CREDENTIAL_REVOKED', `${id} is revoked`)
      if (kind === 'key' || secretHash === undefined)
        throw new Fault('REQUEST_INVALID', 'a key is not rotated: register the new one, then revoke this one')
      const secret = makeSecret('eph')
      const next = hashSecret(secret)
      const credential: KnownCredential = { ...before, secretHash: next, rotatedAt: clock.now(), version: before.version + 1 }
      const { entry, row } = credentialClaim(credential)
      await ledger.append({
        changes: [updateSecret(credential)],
        entries: [{ type: 'credential.rotated', id: entry, body: { credential: id, agent, by, row } }],
      })
      keep(credential)
      credentialIds.delete(secretHash)
      credentialIds.set(next, id)
      return { id, credential: publicView(credential), secret }
    },

    async revokeCredential(id, by) {
      find(id)
      // Stopping an agent is for every person, not for the operator alone.
      if (by !== SYSTEM) requirePerson(context, by)
      const revoked = await retryOnConflict(
        async () => {
          const before = find(id)
          const after: KnownCredential = { ...before, state: 'revoked', revokedAt: clock.now(), version: before.version + 1 }
          const { entry, row } = credentialClaim(after)
          await ledger.append({
            changes: [markRevoked(after)],
            entries: [{ type: 'credential.revoked', id: entry, body: { credential: id, agent: before.agent, by, row } }],
          })
          return after
        },
        async () => {
          await reloadCredentials(context)
          if (find(id).state === 'revoked') throw new Fault('CONFLICT', `${id} is revoked already`)
        },
      )
      keep(revoked)
      return publicView(revoked)
    },

    credentials: (agent) => [...credentials.values()].filter((credential) => credential.agent === agent).map(publicView),
  }
}
