/** Identity over HTTP: bearers, cookies, other sites, and what an agent or a person may reach. */
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import type { FastifyInstance, InjectOptions } from 'fastify'
import { exportJWK, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signOperatorAssertion } from './index.ts'
import { openWorld, ORIGIN, READER } from './test-world.ts'
import type { World } from './test-world.ts'

let world: World
let app: FastifyInstance
beforeAll(async () => {
  world = await openWorld()
  app = world.app()
})
afterAll(async () => {
  await app.close()
  await world.end()
})

const operator = async () => ({ authorization: `Bearer ${await signOperatorAssertion(world.keys.operator, world.clock.now())}` })

async function send(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, headers: Record<string, string> = {}, payload?: object) {
  const options: InjectOptions = { method, url, headers, ...(payload ? { payload } : {}) }
  const response = await app.inject(options)
  return { status: response.statusCode, headers: response.headers, body: response.body === '' ? undefined : response.json() }
}

/** Signs in as a browser does; answers with the cookie pair. */
async function signIn(person?: string): Promise<string> {
  const link = await send('POST', '/v1/links', await operator(), person ? { person } : {})
  const { headers } = await send('POST', '/v1/sessions', { origin: ORIGIN }, { code: link.body.code })
  return String(headers['set-cookie']).split(';')[0] ?? ''
}

describe('signing in', () => {
  test('gives a browser a cookie that no script reads and no other site sends', async () => {
    const link = await send('POST', '/v1/links', await operator(), {})
    expect(link.status).toBe(201)
    expect(link.headers['cache-control']).toBe('no-store')
    const session = await send('POST', '/v1/sessions', { origin: ORIGIN }, { code: link.body.code })
    expect(session.status).toBe(201)
    expect(session.headers['set-cookie']).toMatch(/^ephor_session=eps_\w{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/)
    expect(session.body).toMatchObject({ person: { id: world.identity.operator, operator: true } })
    expect(JSON.stringify(session.body)).not.toContain('eps_')
  })

  test('marks the cookie Secure where Ephor is reached by https', async () => {
    const other = await openWorld('https://ephor.example')
    const secured = other.app()
    const { code } = await other.identity.createLink(other.identity.operator)
    const response = await secured.inject({ method: 'POST', url: '/v1/sessions', payload: { code } })
    expect(response.headers['set-cookie']).toContain('; Secure')
    await secured.close()
    await other.end()
  })

  test('gives a program its session in the answer, without a cookie', async () => {
    const { code } = await world.identity.createLink(world.identity.operator)
    const { body, headers } = await send('POST', '/v1/sessions', {}, { code, deliver: 'bearer' })
    expect(headers['set-cookie']).toBeUndefined()
    const who = await send('GET', '/v1/principal', { authorization: `Bearer ${body.secret}` })
    expect(who.body).toMatchObject({ kind: 'person', id: world.identity.operator, session: body.id })
  })

  test('is not something that another site can make a browser do', async () => {
    const { code } = await world.identity.createLink(world.identity.operator)
    for (const origin of ['https://evil.example', 'null', `${ORIGIN}.evil.example`, ''])
      expect((await send('POST', '/v1/sessions', { origin }, { code })).body.code).toBe('HOST_REFUSED')
    expect((await send('POST', '/v1/sessions', { origin: 'http://localhost:7373' }, { code })).status).toBe(201)
  })

  test('never happens by GET', async () => {
    const { code } = await world.identity.createLink(world.identity.operator)
    expect((await send('GET', `/v1/sessions?code=${code}`)).status).toBe(401)
    expect((await send('POST', '/v1/sessions', {}, { code })).status).toBe(201)
    expect((await send('POST', '/v1/sessions', {}, { code })).body).toMatchObject({ status: 410, code: 'LINK_SPENT' })
  })
})

describe('a cookie', () => {
  test('reads from anywhere but writes from our own pages alone', async () => {
    const cookie = await signIn()
    expect((await send('GET', '/v1/people', { cookie })).status).toBe(200)
    const write = (headers: Record<string, string>) => send('POST', '/v1/people', { cookie, ...headers }, { name: 'Alice' })
    expect((await write({})).body.code).toBe('HOST_REFUSED')
    expect((await write({ origin: 'https://evil.example' })).body.code).toBe('HOST_REFUSED')
    expect((await write({ origin: 'null' })).body.code).toBe('HOST_REFUSED')
    expect(world.identity.people().map(({ name }) => name)).not.toContain('Alice')
    expect((await write({ origin: ORIGIN })).status).toBe(201)
  })

  test('that a neighbour added beside ours makes neither count', async () => {
    const cookie = await signIn()
    expect((await send('GET', '/v1/people', { cookie: `${cookie}; ephor_session=eps_other` })).status).toBe(401)
    expect((await send('GET', '/v1/people', { cookie: `a=b; ${cookie}` })).status).toBe(200)
  })

  test('holds sessions only: an agent’s credential in it is nobody', async () => {
    const { secret } = await world.identity.issueCredential(READER, world.identity.operator)
    expect((await send('GET', '/v1/principal', { cookie: `ephor_session=${secret}` })).status).toBe(401)
  })

  test('gives way to a bearer, even to a bad one', async () => {
    const cookie = await signIn()
    const { status, headers } = await send('GET', '/v1/people', { cookie, authorization: 'Bearer nonsense' })
    expect(status).toBe(401)
    expect(headers['www-authenticate']).toBe('Bearer')
    expect((await send('GET', '/v1/people', { cookie, authorization: 'Basic YTpi' })).status).toBe(401)
  })

  test('is cleared when its session is closed', async () => {
    const cookie = await signIn()
    const { body } = await send('GET', '/v1/sessions', { cookie })
    expect(body.items[0]).toMatchObject({ person: world.identity.operator })
    const { status, headers } = await send('DELETE', '/v1/sessions/current', { cookie, origin: ORIGIN })
    expect([status, headers['set-cookie']]).toEqual([204, expect.stringContaining('ephor_session=; Path=/; Max-Age=0')])
    expect((await send('GET', '/v1/sessions', { cookie })).status).toBe(401)
    expect((await send('DELETE', '/v1/sessions/current', await operator())).status).toBe(404)
  })
})

describe('an agent', () => {
  test('gets its credential from the operator and learns who it is', async () => {
    const issued = await send('POST', `/v1/agents/${READER}/credentials`, await operator(), { kind: 'secret' })
    expect(issued.status).toBe(201)
    expect(issued.headers['cache-control']).toBe('no-store')
    const mine = { authorization: `bearer ${issued.body.secret}` }
    expect((await send('GET', '/v1/principal', mine)).body).toEqual({ kind: 'agent', id: READER, credential: issued.body.id })
    const rotated = await send('POST', `/v1/credentials/${issued.body.id}/rotate`, await operator())
    expect(rotated.body.secret).toMatch(/^eph_/)
    expect((await send('GET', '/v1/principal', mine)).status).toBe(401)
    const revoked = await send('POST', `/v1/credentials/${issued.body.id}/revoke`, await operator())
    expect(revoked.body).toMatchObject({ state: 'revoked', revokedAt: '2026-11-22T12:00:00.000Z' })
    const listed = await send('GET', `/v1/agents/${READER}/credentials`, await operator())
    expect(listed.body.items).toContainEqual(revoked.body)
    expect(JSON.stringify(listed.body)).not.toContain('eph_')
  })

  test('reaches nothing that is for people', async () => {
    const { secret } = await world.identity.issueCredential(READER, world.identity.operator)
    const headers = { authorization: `Bearer ${secret}` }
    for (const [method, url] of [
      ['GET', '/v1/people'],
      ['GET', '/v1/sessions'],
      ['POST', '/v1/links'],
      ['GET', `/v1/agents/${READER}/credentials`],
    ] as const)
      expect((await send(method, url, headers, method === 'POST' ? {} : undefined)).body.code).toBe('FORBIDDEN')
  })

  test('changes an assertion by its registered key for a token', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const jwk = await exportJWK(publicKey)
    const leaked = await send('POST', `/v1/agents/${READER}/credentials`, await operator(), {
      kind: 'key',
      jwk: await exportJWK(privateKey),
    })
    expect(leaked.body).toMatchObject({ code: 'REQUEST_INVALID' })
    const { body } = await send('POST', `/v1/agents/${READER}/credentials`, await operator(), { kind: 'key', jwk })
    const at = Math.floor(world.clock.now() / 1000)
    const assertion = await new SignJWT({ iss: READER, sub: READER, aud: `${ORIGIN}/v1/tokens`, iat: at, exp: at + 30, jti: randomUUID() })
      .setProtectedHeader({ alg: 'EdDSA', kid: body.id })
      .sign(privateKey)
    const token = await send('POST', '/v1/tokens', {}, { assertion })
    expect(token.body).toMatchObject({ tokenType: 'Bearer', expiresAt: '2026-11-22T12:05:00.000Z' })
    const who = await send('GET', '/v1/principal', { authorization: `Bearer ${token.body.token}` })
    expect(who.body).toEqual({ kind: 'agent', id: READER, credential: body.id })
    expect((await send('POST', '/v1/tokens', {}, { assertion })).body.code).toBe('UNAUTHENTICATED')
  })
})

test('the operator adds people, puts them in groups, and makes links for them', async () => {
  const alice = await send('POST', '/v1/people', await operator(), { name: ' Alice ', groups: ['finance'] })
  expect(alice.body).toMatchObject({ name: 'Alice', groups: ['finance'], operator: false })
  const changed = await send('PATCH', `/v1/people/${alice.body.id}`, await operator(), { groups: ['board'] })
  expect(changed.body.groups).toEqual(['board'])
  const cookie = await signIn(alice.body.id)
  expect((await send('GET', '/v1/principal', { cookie })).body).toMatchObject({ id: alice.body.id, name: 'Alice', groups: ['board'] })
  const grab = await send('POST', '/v1/people', { cookie, origin: ORIGIN }, { name: 'Mallory', operator: true })
  expect(grab.body.code).toBe('REQUEST_INVALID')
  expect((await send('POST', '/v1/people', { cookie, origin: ORIGIN }, { name: 'Mallory' })).body.code).toBe('FORBIDDEN')
})

test('the public keys are for everyone', async () => {
  const { status, body } = await send('GET', '/.well-known/jwks.json')
  expect(status).toBe(200)
  expect(body.keys).toMatchObject([{ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig' }])
  expect(body.keys[0]).not.toHaveProperty('d')
})
