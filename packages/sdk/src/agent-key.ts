/** Tokens of five minutes from an agent's own key: the key never leaves the agent, Ephor sees signed assertions. */
import { callsOperations, identityOperations } from '@ephor/contract'
import { importJWK, SignJWT } from 'jose'
import type { JWK } from 'jose'
import { makeClient } from './client.ts'

export type AgentKey = {
  /** `agt_…` */
  agent: string
  /** `crd_…` that registering the public key was answered with. */
  credential: string
  /** The private Ed25519 key (RFC 8037). */
  jwk: JWK
  /** Names the session that calls belong to; stays with every token. */
  session?: string
}

/** Got again this long before a token ends, so that none expires on its way. */
const EARLY_MS = 30_000

/** @returns the bearer for the next request: the token at hand, or a new one shortly before that ends. */
export function agentKeyBearer(
  options: { url: string; fetch?: typeof globalThis.fetch | undefined },
  holder: AgentKey,
): () => Promise<string> {
  const client = makeClient({ ...identityOperations, ...callsOperations }, options)
  const audience = `${options.url.replace(/\/+$/, '')}/v1/tokens`
  let current: { token: string; expiresAt: number } | undefined
  let coming: Promise<string> | undefined

  async function renew(): Promise<string> {
    const key = await importJWK(holder.jwk, 'EdDSA')
    const assertion = await new SignJWT(holder.session === undefined ? {} : { sid: holder.session })
      .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT', kid: holder.credential })
      .setIssuer(holder.agent)
      .setSubject(holder.agent)
      .setAudience(audience)
      .setJti(crypto.randomUUID())
      .setIssuedAt()
      .setExpirationTime('50s')
      .sign(key)
    const { token, expiresAt } = await client.issueToken({ body: { assertion } })
    current = { token, expiresAt: Date.parse(expiresAt) }
    return token
  }

  return () => {
    if (current && current.expiresAt - EARLY_MS > Date.now()) return Promise.resolve(current.token)
    coming ??= renew().finally(() => (coming = undefined))
    return coming
  }
}
