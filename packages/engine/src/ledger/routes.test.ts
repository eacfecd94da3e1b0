/** The ledger over HTTP: who may see what, and that a copied log verifies. */
import { Fault } from '@ephor/contract'
import type { Principal } from '@ephor/contract'
import { parseVerifierKey, verifyLog, verifyTlogProof, fromHex } from '@ephor/proof'
import { fastify } from 'fastify'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { mountLedger } from './index.ts'
import { appendMany, openWorld } from './ledger.fixture.ts'
import type { World } from './ledger.fixture.ts'

let world: World
let app: FastifyInstance

const people: Record<string, Principal> = {
  person: { kind: 'person', id: 'per_1', session: 'ses_1' },
  operator: { kind: 'person', id: 'per_op', session: 'ses_2' },
  agent: { kind: 'agent', id: 'agt_1', credential: 'crd_1' },
}

beforeAll(async () => {
  world = await openWorld()
  await appendMany(world.ledger, 300)
  app = fastify()
  mountLedger(
    app,
    world.ledger,
    (request) => {
      const principal = people[request.headers.authorization ?? '']
      return principal ? Promise.resolve(principal) : Promise.reject(new Fault('UNAUTHENTICATED', 'nobody'))
    },
    { isPublic: false, isOperator: (id) => id === 'per_op' },
  )
  app.setErrorHandler((error, _request, reply) => reply.status(error instanceof Fault ? error.status : 500).send(error))
})

afterAll(async () => {
  await app.close()
  await world.close()
})

function get(url: string, authorization = 'person') {
  return app.inject({ url, headers: { authorization } })
}

test('the head names the log, its key and its signed size', async () => {
  const { statusCode, body } = await get('/v1/ledger/head', 'agent')
  expect(statusCode).toBe(200)
  expect(JSON.parse(body)).toMatchObject({ size: 300, origin: world.ledger.origin, verifierKey: world.ledger.verifierKey })
})

test('entries are paged in order to their end', async () => {
  const seen: number[] = []
  for (let next: string | undefined = ''; next !== undefined;) {
    const page = JSON.parse((await get(`/v1/ledger/entries?limit=110${next === '' ? '' : `&cursor=${next}`}`)).body) as {
      items: { seq: number }[]
      next?: string
    }
    seen.push(...page.items.map(({ seq }) => seq))
    next = page.next
  }
  expect(seen).toEqual(Array.from({ length: 300 }, (_, i) => i))
  expect((await get('/v1/ledger/entries?cursor=x')).statusCode).toBe(400)
})

test('one entry and its proof agree, and the proof verifies under the key', async () => {
  const entry = JSON.parse((await get('/v1/ledger/entries/7')).body) as { leafHash: string }
  const { proof } = JSON.parse((await get('/v1/ledger/entries/7/proof', 'agent')).body) as { proof: string }
  const key = parseVerifierKey(world.ledger.verifierKey)
  await expect(verifyTlogProof(proof, fromHex(entry.leafHash), key)).resolves.toMatchObject({ index: 7 })
  expect((await get('/v1/ledger/entries/300')).statusCode).toBe(404)
  expect((await get('/v1/ledger/entries/300/proof')).statusCode).toBe(404)
})

test('an agent does not read entries or files, and nobody reads without a credential', async () => {
  for (const url of ['/v1/ledger/entries', '/v1/ledger/entries/1', '/ledger/checkpoint']) {
    expect((await get(url, 'agent')).statusCode).toBe(403)
    expect((await get(url, 'stranger')).statusCode).toBe(401)
  }
})

test('a log copied file by file verifies', async () => {
  const read = async (path: string) => {
    const { statusCode, rawPayload } = await get(`/ledger/${path}`)
    return statusCode === 200 ? rawPayload : undefined
  }
  await expect(verifyLog({ read }, { vkey: world.ledger.verifierKey })).resolves.toMatchObject({ ok: true, size: 300 })
})

test.each(['/ledger/../keys/ledger.key', '/ledger/%2e%2e/keys/ledger.key', '/ledger/tile/0/001', '/ledger/'])(
  '%s is not a file of the log',
  async (url) => {
    expect((await get(url)).statusCode).toBe(404)
  },
)

test('a tile may be cached for ever, the checkpoint may not', async () => {
  for (const path of ['tile/0/000', 'tile/entries/000', 'tile/1/000.p/1', 'tile/entries/001.p/44']) {
    const { headers } = await get(`/ledger/${path}`)
    expect(headers['cache-control']).toBe('private, max-age=31536000, immutable')
    expect(headers['content-type']).toBe('application/octet-stream')
  }
  const { headers, body } = await get('/ledger/checkpoint')
  expect([headers['cache-control'], headers['content-type']]).toEqual(['no-cache', 'text/plain; charset=utf-8'])
  const etag = String(headers['etag'])
  const again = await app.inject({ url: '/ledger/checkpoint', headers: { authorization: 'person', 'if-none-match': `"other", W/${etag}` } })
  expect([again.statusCode, again.body]).toEqual([304, ''])
  const head = await app.inject({ method: 'HEAD', url: '/ledger/checkpoint', headers: { authorization: 'person' } })
  expect([head.statusCode, head.headers['content-length'], head.body]).toEqual([200, String(Buffer.byteLength(body)), ''])
  const changed = await app.inject({ url: '/ledger/checkpoint', headers: { authorization: 'person', 'if-none-match': '"other"' } })
  expect(changed.body).toBe(body)
})

test.each([
  'tile/0/000.p/0',
  'tile/0/000.p/256',
  'tile/0/000.p/01',
  'tile/0/0',
  'tile/0/x000/000',
  'tile/00/000',
  'tile/64/000',
  'tile/0/001.p/45',
  'tile/1/000.p/2',
  'tile/1/000',
  'tile/2/000.p/1',
  'tile/entries/001',
  'tile/entries/001.p/45',
  'tile/entries/002.p/1',
])('%s is beyond the tree, or no path of it', async (path) => {
  expect((await get(`/ledger/${path}`)).statusCode).toBe(404)
})

test('a log that is public is read by anyone, and shared caches may keep what never changes; nothing else opens', async () => {
  const open = fastify()
  mountLedger(open, world.ledger, () => Promise.reject(new Fault('UNAUTHENTICATED', 'nobody')), { isPublic: true, isOperator: () => false })
  const read = async (path: string) => {
    const { statusCode, rawPayload } = await open.inject({ url: `/ledger/${path}` })
    return statusCode === 200 ? rawPayload : undefined
  }
  await expect(verifyLog({ read }, { vkey: world.ledger.verifierKey })).resolves.toMatchObject({ ok: true })
  expect((await open.inject({ url: '/ledger/tile/0/000' })).headers['cache-control']).toBe('public, max-age=31536000, immutable')
  for (const url of ['/v1/ledger/entries', '/v1/ledger/head', '/v1/ledger/keys']) expect((await open.inject({ url })).statusCode).toBe(401)
  await open.close()
})

test('everybody sees the keys; only the operator changes them, and each change is an entry', async () => {
  const post = (url: string, authorization: string, payload?: object) =>
    app.inject({ method: 'POST', url, headers: { authorization }, ...(payload && { payload }) })
  const first = world.ledger.verifierKey
  expect(JSON.parse((await get('/v1/ledger/keys', 'agent')).body)).toEqual({ items: [{ key: first, state: 'current' }] })
  expect((await post('/v1/ledger/keys/rotate', 'person')).statusCode).toBe(403)
  expect((await post('/v1/ledger/keys/rotate', 'agent')).statusCode).toBe(403)
  const rotated = await post('/v1/ledger/keys/rotate', 'operator')
  expect(JSON.parse(rotated.body)).toEqual({ key: world.ledger.verifierKey, state: 'current', since: 300 })
  const revocation = { key: first, size: 300, reason: 'retired' }
  expect((await post('/v1/ledger/keys/revoke', 'person', revocation)).statusCode).toBe(403)
  expect((await post('/v1/ledger/keys/revoke', 'operator', { ...revocation, reason: 'because of Bob' })).statusCode).toBe(400)
  expect(JSON.parse((await post('/v1/ledger/keys/revoke', 'operator', revocation)).body)).toMatchObject({
    state: 'revoked',
    revokedAbove: 300,
  })
  const entry = JSON.parse((await get('/v1/ledger/entries/301')).body) as { body: object }
  expect(entry.body).toMatchObject({ type: 'ledger.key.revoked', by: 'per_op', key: first, size: 300, reason: 'retired' })
})
