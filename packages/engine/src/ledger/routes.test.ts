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
  agent: { kind: 'agent', id: 'agt_1', credential: 'crd_1' },
}

beforeAll(async () => {
  world = await openWorld()
  await appendMany(world.ledger, 300)
  app = fastify()
  mountLedger(app, world.ledger, (request) => {
    const principal = people[request.headers.authorization ?? '']
    return principal ? Promise.resolve(principal) : Promise.reject(new Fault('UNAUTHENTICATED', 'nobody'))
  })
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
  expect((await get('/ledger/tile/0/000')).headers['cache-control']).toContain('immutable')
  expect((await get('/ledger/checkpoint')).headers['cache-control']).toBe('no-cache')
})
