/** Witnessing over HTTP: people look and compare, and only the operator resolves. */
import { Fault } from '@ephor/contract'
import type { Principal } from '@ephor/contract'
import { loadKeys, makeLog, systemClock } from '@ephor/engine/kernel'
import { toyLog } from '@ephor/testkit'
import { fastify } from 'fastify'
import type { FastifyInstance } from 'fastify'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { appendMany, openWorld, ORIGIN } from '../ledger.fixture.ts'
import type { World } from '../ledger.fixture.ts'
import { openWitnesses } from './open-witnesses.ts'
import { mountWitnesses } from './routes.ts'

const people: Record<string, Principal> = {
  person: { kind: 'person', id: 'per_1', session: 'ses_1' },
  operator: { kind: 'person', id: 'per_op', session: 'ses_2' },
  agent: { kind: 'agent', id: 'agt_1', credential: 'crd_1' },
}
let world: World
let app: FastifyInstance
let other: string

beforeAll(async () => {
  world = await openWorld()
  await appendMany(world.ledger, 3)
  await world.ledger.head()
  other = await toyLog(ORIGIN, ['another past'], loadKeys(join(world.folder, 'keys')).ledger).checkpoint(1)
  const { store, ledger } = world
  const nobody = { witnesses: [], quorum: 0, deadlineMs: 60_000, clock: systemClock, log: makeLog('silent') }
  const witnesses = await openWitnesses({ store, ledger, ...nobody })
  app = fastify()
  mountWitnesses(app, { forks: ledger.forks, witnesses, isOperator: (id) => id === 'per_op' }, (request) => {
    const principal = people[request.headers.authorization ?? '']
    return principal ? Promise.resolve(principal) : Promise.reject(new Fault('UNAUTHENTICATED', 'nobody'))
  })
})
afterAll(async () => {
  await app.close()
  await world.close()
})

async function send(method: 'GET' | 'POST', path: string, authorization: string, payload?: object) {
  const answer = await app.inject({ method, url: `/v1/ledger/${path}`, headers: { authorization }, ...(payload ? { payload } : {}) })
  return { status: answer.statusCode, body: answer.json<Record<string, unknown>>() }
}

test('agents see nothing of it', async () => {
  for (const path of ['witnesses', 'forks']) expect((await send('GET', path, 'agent')).status).toBe(403)
  expect((await send('POST', 'compare', 'agent', { checkpoint: other })).status).toBe(403)
  expect((await send('POST', 'fork/resolve', 'agent', { reason: 'r', accept: { size: 1, root: '0'.repeat(64) } })).status).toBe(403)
  expect(world.ledger.forked()).toBeUndefined()
})

test('people compare; the operator alone resolves, with a reason and the history of this ledger', async () => {
  const { checkpoint, size, root } = await world.ledger.head()
  expect((await send('POST', 'compare', 'person', { checkpoint })).body).toEqual({ kind: 'contained', size: 3 })
  expect((await send('POST', 'compare', 'person', { checkpoint: 'x' })).body).toMatchObject({ kind: 'foreign' })
  expect((await send('POST', 'compare', 'person', { checkpoint: other })).body).toMatchObject({ kind: 'forked', size: 1 })
  expect((await send('GET', 'forks', 'person')).body).toMatchObject({ items: [{ source: 'person', theirs: other }] })
  const accept = { size, root }
  expect((await send('POST', 'fork/resolve', 'person', { reason: 'r', accept })).status).toBe(403)
  for (const body of [{ accept }, { reason: ' ', accept }, { reason: 'r', accept: { size } }, { reason: 'r', accept, by: 'per_op' }])
    expect((await send('POST', 'fork/resolve', 'operator', body)).status).toBe(400)
  expect((await send('POST', 'fork/resolve', 'operator', { reason: 'r', accept: { size, root: '0'.repeat(64) } })).status).toBe(409)
  expect(world.ledger.forked()).toBeDefined()
  expect((await send('POST', 'fork/resolve', 'operator', { reason: 'r', accept })).body).toMatchObject({ items: [{ size: 1 }] })
  expect(world.ledger.forked()).toBeUndefined()
  expect((await send('GET', 'witnesses', 'person')).body).toEqual({ quorum: 0, items: [] })
})
