/** What is signed and checked as JWT: agents' tokens and assertions, operator assertions, warrants. One type, one key, one audience each. */
import { createPublicKey, randomUUID, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { Fault } from '@ephor/contract'
import { calculateJwkThumbprint, decodeProtectedHeader, errors, exportJWK, jwtVerify, SignJWT } from 'jose'
import type { JWK, JWTPayload, JWTVerifyOptions, ProtectedHeaderParameters } from 'jose'
import type { WarrantClaims } from './types.ts'

export const TOKEN_TYPE = 'at+jwt' // RFC 9068
const OPERATOR_TYPE = 'ephor-operator+jwt'
const WARRANT_TYPE = 'ephor-warrant+jwt'
const OPERATOR_AUDIENCE = 'ephor-operator'

const TOKEN_SECONDS = 300
const ASSERTION_SECONDS = 60
/** Clocks of other machines may be off by this much; ours is not. */
const SKEW_SECONDS = 5

/** What a token of ours says, checked. */
type TokenClaims = { agent: string; credential: string; session?: string; /** ms */ expiresAt: number }
/** What an agent's assertion says, checked. */
export type AssertionClaims = { credential: string; agent: string; jti: string; session?: string }

export interface Tokens {
  readonly operatorKeyId: string
  jwks(): { keys: JWK[] }
  signToken(claims: Omit<TokenClaims, 'expiresAt'>, now: number): Promise<{ token: string; expiresAt: number }>
  /** @throws Fault UNAUTHENTICATED, TOKEN_EXPIRED. */
  verifyToken(token: string, now: number): Promise<TokenClaims>
  /** @throws Fault UNAUTHENTICATED, TOKEN_EXPIRED. */
  verifyOperator(assertion: string, now: number): Promise<{ /** ms */ expiresAt: number }>
  signWarrant(claims: WarrantClaims, now: number): string
}

/** The header before anything is verified: good for choosing which check applies, for nothing else. */
export function readHeader(token: string): ProtectedHeaderParameters {
  try {
    return decodeProtectedHeader(token)
  } catch {
    throw new Fault('UNAUTHENTICATED', 'the credential has no form that Ephor knows')
  }
}

async function verify(token: string, key: KeyObject, now: number, options: JWTVerifyOptions): Promise<JWTPayload> {
  try {
    // The algorithms are ours to choose, never the header's: no `none`, no HMAC with a public key as its secret.
    const { payload } = await jwtVerify(token, key, { algorithms: ['EdDSA', 'Ed25519'], currentDate: new Date(now), ...options })
    return payload
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw new Fault('TOKEN_EXPIRED', 'it expired', { cause: error })
    throw new Fault('UNAUTHENTICATED', error instanceof errors.JOSEError ? error.message : 'the token is not valid', { cause: error })
  }
}

function text(claim: unknown, name: string): string {
  if (typeof claim !== 'string' || claim.length === 0 || claim.length > 200)
    throw new Fault('UNAUTHENTICATED', `the claim ${name} is not a text`)
  return claim
}

/** `sid` becomes a key of our state: short and plain. */
function sessionOf(payload: JWTPayload): { session?: string } {
  const { sid } = payload
  if (sid === undefined) return {}
  if (typeof sid !== 'string' || !/^[\w.-]{1,64}$/.test(sid))
    throw new Fault('UNAUTHENTICATED', 'the claim sid has up to 64 of A-Z a-z 0-9 . _ -')
  return { session: sid }
}

/**
 * Checks an assertion by the key that the named credential holds (RFC 7523 section 3, `private_key_jwt`).
 * @param audience the token endpoint
 * @throws Fault UNAUTHENTICATED, TOKEN_EXPIRED.
 */
export async function verifyAssertion(
  assertion: string,
  holder: { credential: string; agent: string; key: KeyObject },
  audience: string,
  now: number,
): Promise<AssertionClaims> {
  const { typ } = readHeader(assertion)
  // A JWT that the key signed for another purpose and says so is no assertion (RFC 8725 section 3.11).
  if (typ !== undefined && typ !== 'JWT' && typ !== 'client-authentication+jwt')
    throw new Fault('UNAUTHENTICATED', 'an assertion has typ JWT')
  const payload = await verify(assertion, holder.key, now, {
    issuer: holder.agent,
    subject: holder.agent,
    audience,
    maxTokenAge: ASSERTION_SECONDS,
    clockTolerance: SKEW_SECONDS,
    requiredClaims: ['exp', 'iat', 'jti'],
  })
  if (Array.isArray(payload.aud)) throw new Fault('UNAUTHENTICATED', 'an assertion has one audience')
  if ((payload.exp ?? Infinity) - (payload.iat ?? 0) > ASSERTION_SECONDS)
    throw new Fault('UNAUTHENTICATED', `an assertion lives ${ASSERTION_SECONDS} s at most`)
  return { credential: holder.credential, agent: holder.agent, jti: text(payload.jti, 'jti'), ...sessionOf(payload) }
}

/** Signs what proves to Ephor that the caller holds the operator key of the data folder; good for 60 s. */
export function signOperatorAssertion(key: KeyObject, now: number): Promise<string> {
  const at = Math.floor(now / 1000)
  return new SignJWT()
    .setProtectedHeader({ alg: 'EdDSA', typ: OPERATOR_TYPE })
    .setAudience(OPERATOR_AUDIENCE)
    .setIssuedAt(at)
    .setExpirationTime(at + ASSERTION_SECONDS)
    .setJti(randomUUID())
    .sign(key)
}

export async function makeTokens(keys: { token: KeyObject; operator: KeyObject }, origin: string): Promise<Tokens> {
  const [tokenKey, operatorKey] = [createPublicKey(keys.token), createPublicKey(keys.operator)]
  const jwk = await exportJWK(tokenKey)
  const kid = await calculateJwkThumbprint(jwk)
  const operatorKeyId = `key_${await calculateJwkThumbprint(await exportJWK(operatorKey))}`
  const warrantHeader = Buffer.from(JSON.stringify({ alg: 'EdDSA', typ: WARRANT_TYPE, kid })).toString('base64url')
  const published = { keys: [{ ...jwk, kid, alg: 'EdDSA', use: 'sig' }] }

  return {
    operatorKeyId,
    jwks: () => published,
    async signToken({ agent, credential, session }, now) {
      const at = Math.floor(now / 1000)
      const token = await new SignJWT({ cid: credential, ...(session === undefined ? {} : { sid: session }) })
        .setProtectedHeader({ alg: 'EdDSA', typ: TOKEN_TYPE, kid })
        .setIssuer(origin)
        .setSubject(agent)
        .setAudience(origin)
        .setIssuedAt(at)
        .setExpirationTime(at + TOKEN_SECONDS)
        .setJti(randomUUID())
        .sign(keys.token)
      return { token, expiresAt: (at + TOKEN_SECONDS) * 1000 }
    },
    async verifyToken(token, now) {
      if (readHeader(token).kid !== kid) throw new Fault('UNAUTHENTICATED', 'the token names another key')
      const payload = await verify(token, tokenKey, now, {
        typ: TOKEN_TYPE,
        issuer: origin,
        audience: origin,
        maxTokenAge: TOKEN_SECONDS,
        requiredClaims: ['exp', 'jti'],
      })
      const session = sessionOf(payload)
      return { agent: text(payload.sub, 'sub'), credential: text(payload['cid'], 'cid'), expiresAt: (payload.exp ?? 0) * 1000, ...session }
    },
    async verifyOperator(assertion, now) {
      const payload = await verify(assertion, operatorKey, now, {
        typ: OPERATOR_TYPE,
        audience: OPERATOR_AUDIENCE,
        maxTokenAge: ASSERTION_SECONDS,
        clockTolerance: SKEW_SECONDS,
        requiredClaims: ['exp', 'jti'],
      })
      const latest = (payload.iat ?? 0) + ASSERTION_SECONDS
      return { expiresAt: Math.min(payload.exp ?? 0, latest) * 1000 }
    },
    signWarrant({ decision, agent, digest, input, server, tool, onBehalfOf, expiresAt }, now) {
      const claims = {
        dig: digest,
        inp: input,
        srv: server,
        tool,
        iss: origin,
        sub: agent,
        jti: decision,
        iat: Math.floor(now / 1000),
        exp: Math.floor(expiresAt / 1000),
        ...(onBehalfOf === undefined ? {} : { obo: onBehalfOf }),
      }
      // RFC 7515, section 7.1, by hand: through WebCrypto it costs four times as much, once for every permitted call.
      const signed = `${warrantHeader}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`
      return `${signed}.${sign(null, Buffer.from(signed), keys.token).toString('base64url')}`
    },
  }
}
