/** Agents' keys, assertions and tokens: what is accepted, and every forgery that is not. */
import { createHmac, createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, exportJWK, jwtVerify, SignJWT } from 'jose'
import type { JWK } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signOperatorAssertion } from './index.ts'
import { faultOf, openWorld, ORIGIN, READER, WRITER } from './test-world.ts'
import type { World } from './test-world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.end())

async function makeKey(): Promise<{ key: KeyObject; jwk: JWK }> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return { key: privateKey, jwk: await exportJWK(publicKey) }
}

async function register(agent: string): Promise<{ key: KeyObject; jwk: JWK; id: string }> {
  const { key, jwk } = await makeKey()
  const { id } = await world.identity.registerKey(agent, jwk, world.identity.operator)
  return { key, jwk, id }
}

type Claims = Record<string, unknown>
/** A good assertion, with what a test changes in it. `undefined` removes a claim. */
function assertion(from: { key: KeyObject; id: string }, agent: string, claims: Claims = {}, header: Claims = {}): Promise<string> {
  const at = Math.floor(world.clock.now() / 1000)
  const payload = { iss: agent, sub: agent, aud: `${ORIGIN}/v1/tokens`, iat: at, exp: at + 60, jti: randomUUID(), ...claims }
  return new SignJWT(payload).setProtectedHeader({ alg: 'EdDSA', kid: from.id, ...header }).sign(from.key)
}

const b64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A token of ours, with what a test changes in it, signed with `key`. */
function forge(key: KeyObject, claims: Claims, header: Claims = {}): Promise<string> {
  const at = Math.floor(world.clock.now() / 1000)
  const kid = world.identity.jwks().keys[0]?.kid
  return new SignJWT({ iss: ORIGIN, sub: READER, aud: ORIGIN, iat: at, exp: at + 300, jti: randomUUID(), ...claims })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', ...(kid === undefined ? {} : { kid }), ...header })
    .sign(key)
}

describe('an assertion signed with a registered key', () => {
  test('is changed for a token that proves the agent for five minutes', async () => {
    const from = await register(READER)
    const { token, expiresAt } = await world.identity.issueToken(await assertion(from, READER))
    expect(await world.identity.identify(token)).toEqual({ kind: 'agent', id: READER, credential: from.id })
    expect(expiresAt - world.clock.now()).toBe(300_000)
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'EdDSA', typ: 'at+jwt' })
    expect(decodeJwt(token)).toMatchObject({ iss: ORIGIN, aud: ORIGIN, sub: READER, cid: from.id })
    world.clock.move(299_000)
    expect((await world.identity.identify(token)).id).toBe(READER)
    world.clock.move(1000)
    expect(await faultOf(world.identity.identify(token))).toBe('TOKEN_EXPIRED')
  })

  test('carries the session that the agent names', async () => {
    const from = await register(READER)
    const { token } = await world.identity.issueToken(await assertion(from, READER, { sid: 'task-7' }))
    expect(await world.identity.identify(token)).toMatchObject({ session: 'task-7' })
    expect(await faultOf(world.identity.issueToken(await assertion(from, READER, { sid: 'a b' })))).toBe('UNAUTHENTICATED')
  })

  test('serves once, also when two arrive at the same time and after a restart', async () => {
    const from = await register(READER)
    const once = await assertion(from, READER)
    const both = await Promise.all([faultOf(world.identity.issueToken(once)), faultOf(world.identity.issueToken(once))])
    expect(both.toSorted()).toEqual(['UNAUTHENTICATED', 'none'])
    await world.restart()
    expect(await faultOf(world.identity.issueToken(once))).toBe('UNAUTHENTICATED')
  })

  test.each<[string, Claims, Claims, string]>([
    ['another audience', { aud: ORIGIN }, {}, 'UNAUTHENTICATED'],
    ['several audiences', { aud: [`${ORIGIN}/v1/tokens`, 'https://elsewhere.example'] }, {}, 'UNAUTHENTICATED'],
    ['another issuer', { iss: WRITER }, {}, 'UNAUTHENTICATED'],
    ['another subject', { sub: WRITER }, {}, 'UNAUTHENTICATED'],
    ['another agent altogether', { iss: WRITER, sub: WRITER }, {}, 'UNAUTHENTICATED'],
    ['no jti', { jti: undefined }, {}, 'UNAUTHENTICATED'],
    ['an empty jti', { jti: '' }, {}, 'UNAUTHENTICATED'],
    ['no exp', { exp: undefined }, {}, 'UNAUTHENTICATED'],
    ['no iat', { iat: undefined }, {}, 'UNAUTHENTICATED'],
    ['the type of a token', {}, { typ: 'at+jwt' }, 'UNAUTHENTICATED'],
    ['no kid', {}, { kid: undefined }, 'UNAUTHENTICATED'],
    ['an unknown kid', {}, { kid: 'crd_0' }, 'UNAUTHENTICATED'],
  ])('with %s is refused', async (_, claims, header, fault) => {
    const from = await register(READER)
    expect(await faultOf(world.identity.issueToken(await assertion(from, READER, claims, header)))).toBe(fault)
  })

  test('that lives too long, is too old or of the future is refused', async () => {
    const from = await register(READER)
    const at = Math.floor(world.clock.now() / 1000)
    const send = async (claims: Claims) => faultOf(world.identity.issueToken(await assertion(from, READER, claims)))
    expect(await send({ exp: at + 61 })).toBe('UNAUTHENTICATED')
    expect(await send({ iat: at - 100, exp: at - 40 })).toBe('TOKEN_EXPIRED')
    expect(await send({ iat: at + 30, exp: at + 60 })).toBe('UNAUTHENTICATED')
    expect(await send({ nbf: at + 30 })).toBe('UNAUTHENTICATED')
    expect(await send({ iat: at + 4, exp: at + 64 })).toBe('none')
  })

  test('that names another agent’s key, or is signed with it, is refused', async () => {
    const [reader, writer] = [await register(READER), await register(WRITER)]
    // Writer signs in the name of reader with its own key, then points at reader's.
    expect(await faultOf(world.identity.issueToken(await assertion(writer, READER)))).toBe('UNAUTHENTICATED')
    expect(await faultOf(world.identity.issueToken(await assertion({ key: writer.key, id: reader.id }, READER)))).toBe('UNAUTHENTICATED')
  })

  test('says that its credential was revoked only to whoever holds the key', async () => {
    const [from, other] = [await register(READER), await makeKey()]
    await world.identity.revokeCredential(from.id, world.identity.operator)
    expect(await faultOf(world.identity.issueToken(await assertion(from, READER)))).toBe('CREDENTIAL_REVOKED')
    expect(await faultOf(world.identity.issueToken(await assertion({ key: other.key, id: from.id }, READER)))).toBe('UNAUTHENTICATED')
  })

  test('of an agent that is not registered any more is refused', async () => {
    const from = await register(READER)
    world.agents.delete(READER)
    expect(await faultOf(world.identity.issueToken(await assertion(from, READER)))).toBe('AGENT_UNKNOWN')
    world.agents.add(READER)
  })

  test('is not replaced by any other secret', async () => {
    const { secret } = await world.identity.issueCredential(READER, world.identity.operator)
    for (const text of [secret, 'eps_x', '', 'a.b.c', await signOperatorAssertion(world.keys.operator, world.clock.now())])
      expect(await faultOf(world.identity.issueToken(text))).toBe('UNAUTHENTICATED')
  })
})

describe('a token', () => {
  test('dies at once with its credential, remembered or not', async () => {
    const from = await register(READER)
    const [seen, fresh] = (await Promise.all(
      [1, 2].map(async () => (await world.identity.issueToken(await assertion(from, READER))).token),
    )) as [string, string]
    await world.identity.identify(seen)
    await world.identity.revokeCredential(from.id, world.identity.operator)
    expect(await faultOf(world.identity.identify(seen))).toBe('CREDENTIAL_REVOKED')
    expect(await faultOf(world.identity.identify(fresh))).toBe('CREDENTIAL_REVOKED')
    await world.restart()
    expect(await faultOf(world.identity.identify(seen))).toBe('CREDENTIAL_REVOKED')
  })

  test('survives a restart of Ephor', async () => {
    const from = await register(READER)
    const { token } = await world.identity.issueToken(await assertion(from, READER))
    await world.restart()
    expect(await world.identity.identify(token)).toMatchObject({ id: READER, credential: from.id })
  })

  test('without a signature, or with one by another algorithm or key, is refused', async () => {
    const from = await register(READER)
    const good = (await world.identity.issueToken(await assertion(from, READER))).token
    const [header, payload, signature] = good.split('.') as [string, string, string]
    const head = decodeProtectedHeader(good)
    const none = b64({ ...head, alg: 'none' })
    // Algorithm confusion: the public key, which everyone knows, as the secret of an HMAC.
    const pem = createPublicKey(world.keys.token).export({ type: 'spki', format: 'pem' })
    const hs256 = b64({ ...head, alg: 'HS256' })
    const mac = createHmac('sha256', pem).update(`${hs256}.${payload}`).digest('base64url')
    const forgeries = [
      `${none}.${payload}.`,
      `${none}.${payload}.${signature}`,
      `${hs256}.${payload}.${mac}`,
      `${header}.${b64({ ...decodeJwt(good), sub: WRITER })}.${signature}`,
      `${header}.${payload}.`,
      `${header}.${payload}`,
      await forge(from.key, { cid: from.id }),
      await forge(world.keys.ledger, { cid: from.id }),
      await forge(world.keys.operator, { cid: from.id }),
    ]
    for (const forgery of forgeries) expect(await faultOf(world.identity.identify(forgery))).toBe('UNAUTHENTICATED')
    expect((await world.identity.identify(good)).id).toBe(READER)
  })

  test('with a wrong claim is refused even if our own key signed it', async () => {
    const from = await register(READER)
    const at = Math.floor(world.clock.now() / 1000)
    const cid = from.id
    const send = async (claims: Claims, header: Claims = {}) =>
      faultOf(world.identity.identify(await forge(world.keys.token, claims, header)))
    expect(await send({ cid })).toBe('none')
    expect(await send({ cid, aud: 'https://elsewhere.example' })).toBe('UNAUTHENTICATED')
    expect(await send({ cid, iss: 'https://elsewhere.example' })).toBe('UNAUTHENTICATED')
    expect(await send({ cid }, { typ: 'JWT' })).toBe('UNAUTHENTICATED')
    expect(await send({ cid }, { typ: 'ephor-warrant+jwt' })).toBe('UNAUTHENTICATED')
    expect(await send({ cid }, { kid: 'another' })).toBe('UNAUTHENTICATED')
    expect(await send({ cid, exp: at })).toBe('TOKEN_EXPIRED')
    expect(await send({ cid, iat: at - 400 })).toBe('TOKEN_EXPIRED')
    expect(await send({ cid, iat: at + 60, exp: at + 90 })).toBe('UNAUTHENTICATED')
    expect(await send({ cid, nbf: at + 60 })).toBe('UNAUTHENTICATED')
    expect(await send({ cid, sub: WRITER })).toBe('UNAUTHENTICATED')
    expect(await send({ cid: 'crd_0' })).toBe('UNAUTHENTICATED')
    expect(await send({})).toBe('UNAUTHENTICATED')
    expect(await send({ cid, sid: 7 })).toBe('UNAUTHENTICATED')
  })

  test('longer than anything that we sign is not even looked at', async () => {
    expect(await faultOf(world.identity.identify('a'.repeat(5000)))).toBe('UNAUTHENTICATED')
  })
})

describe('an operator assertion', () => {
  test('proves the operator for a minute', async () => {
    const text = await signOperatorAssertion(world.keys.operator, world.clock.now())
    expect(await world.identity.identify(text)).toMatchObject({ kind: 'person', id: world.identity.operator })
    world.clock.move(60_000)
    expect(await faultOf(world.identity.identify(text))).toBe('TOKEN_EXPIRED')
  })

  test('by another key, for another audience or of the future is refused', async () => {
    const at = Math.floor(world.clock.now() / 1000)
    const send = async (key: KeyObject, claims: Claims) =>
      faultOf(
        world.identity.identify(
          await new SignJWT({ aud: 'ephor-operator', iat: at, exp: at + 60, jti: '1', ...claims })
            .setProtectedHeader({ alg: 'EdDSA', typ: 'ephor-operator+jwt' })
            .sign(key),
        ),
      )
    expect(await send(world.keys.operator, {})).toBe('none')
    expect(await send(world.keys.token, {})).toBe('UNAUTHENTICATED')
    expect(await send(world.keys.operator, { aud: ORIGIN })).toBe('UNAUTHENTICATED')
    expect(await send(world.keys.operator, { iat: at + 60, exp: at + 90 })).toBe('UNAUTHENTICATED')
    expect(await send(world.keys.operator, { iat: at - 300, exp: at + 9999 })).toBe('TOKEN_EXPIRED')
  })

  test('that claims to live for years still dies after a minute', async () => {
    const at = Math.floor(world.clock.now() / 1000)
    const text = await new SignJWT({ aud: 'ephor-operator', iat: at, exp: at + 1e8, jti: '1' })
      .setProtectedHeader({ alg: 'EdDSA', typ: 'ephor-operator+jwt' })
      .sign(world.keys.operator)
    await world.identity.identify(text)
    world.clock.move(61_000)
    expect(await faultOf(world.identity.identify(text))).toBe('TOKEN_EXPIRED')
  })
})

test('a warrant is verified offline with the published keys, and opens nothing as a credential', async () => {
  const digest = `sha256:${'0'.repeat(64)}`
  const expiresAt = world.clock.now() + 30_000
  const warrant = world.identity.signWarrant({
    decision: 'dec_1',
    agent: READER,
    digest,
    input: digest,
    server: 'pay',
    tool: 'send',
    expiresAt,
  })
  const { payload } = await jwtVerify(warrant, createLocalJWKSet(world.identity.jwks()), {
    typ: 'ephor-warrant+jwt',
    issuer: ORIGIN,
    currentDate: new Date(world.clock.now()),
  })
  expect(payload).toMatchObject({ sub: READER, jti: 'dec_1', dig: digest, srv: 'pay', tool: 'send', exp: expiresAt / 1000 })
  expect(world.identity.jwks().keys.every((key) => key.d === undefined)).toBe(true)
  expect(await faultOf(world.identity.identify(warrant))).toBe('UNAUTHENTICATED')
})
