/** Verifies a warrant offline: a service that is asked to act sees that Ephor permitted exactly this call, once, until then. */
import { Fault } from '@ephor/contract'
import { canonicalize, sha256, toHex, utf8 } from '@ephor/proof'
import { createLocalJWKSet, errors, jwtVerify } from 'jose'
import type { JSONWebKeySet } from 'jose'

/** What the caller of `verifyWarrant` knows of the call itself. Everything given must match. */
export type ExpectedCall = {
  /** `server/tool` */
  tool: string
  /** The exact arguments that the service is asked to act on. Without them, another call of the same tool would pass. */
  input: Record<string, unknown>
  /** `sha256:…` of the call, as its decision shows it. */
  digest?: string
  agent?: string
}

export type Warrant = { decision: string; agent: string; digest: string; tool: string; onBehalfOf?: string; expiresAt: Date }

/**
 * The signature, the type, the time and the call are checked. Single use is the service's own to keep: refuse a
 * `decision` that was seen before, until `expiresAt`.
 * @param jwks `GET /.well-known/jwks.json`, fetched once and kept
 * @throws Fault WARRANT_INVALID, TOKEN_EXPIRED.
 */
export async function verifyWarrant(jws: string, jwks: JSONWebKeySet, expected: ExpectedCall, now: Date = new Date()): Promise<Warrant> {
  const refuse = (detail: string, cause?: unknown) => new Fault('WARRANT_INVALID', detail, cause === undefined ? {} : { cause })
  let claims: Record<string, unknown>
  try {
    // The algorithm and type are ours to choose, never the header's.
    const options = { algorithms: ['EdDSA', 'Ed25519'], typ: 'ephor-warrant+jwt', currentDate: now, requiredClaims: ['exp', 'jti', 'sub'] }
    claims = (await jwtVerify(jws, createLocalJWKSet(jwks), options)).payload
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw new Fault('TOKEN_EXPIRED', 'the warrant has expired', { cause: error })
    throw refuse(error instanceof Error ? error.message : 'it does not verify', error)
  }
  const { jti, sub, dig: digest, inp, srv, tool, exp, obo } = claims
  const named = `${String(srv)}/${String(tool)}`
  if (expected.digest !== undefined && digest !== expected.digest) throw refuse('it is for a call with another digest')
  if (named !== expected.tool) throw refuse(`it is for ${named}`)
  if (inp !== `sha256:${toHex(sha256(utf8(canonicalize(expected.input))))}`) throw refuse('it is for other arguments')
  if (expected.agent !== undefined && sub !== expected.agent) throw refuse('it is for another agent')
  return {
    decision: String(jti),
    agent: String(sub),
    digest: String(digest),
    tool: named,
    ...(typeof obo === 'string' ? { onBehalfOf: obo } : {}),
    expiresAt: new Date(Number(exp) * 1000),
  }
}
