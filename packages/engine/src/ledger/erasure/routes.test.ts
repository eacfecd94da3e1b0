/** Who may call what: agents nothing of it, people see, the operator alone decides. */
import { join } from 'node:path'
import { Fault, ledgerErasureOperations } from '@ephor/contract'
import type { Principal } from '@ephor/contract'
import { makeLog, systemClock } from '@ephor/engine/kernel'
import { fastify } from 'fastify'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openWorld } from '../ledger.fixture.ts'
import type { World } from '../ledger.fixture.ts'
import { openErasure } from './open-erasure.ts'
import type { Erasure } from './open-erasure.ts'
import { mountErasure } from './routes.ts'

const [ANNA, OPERATOR, BERT] = ['agt_0000000000000000000000000a', 'per_00000000000000000000000000', 'per_0000000000000000000000000b']
const callers: Record<string, Principal> = {
  operator: { kind: 'person', id: OPERATOR, session: 'ses_1' },
  person: { kind: 'person', id: BERT, session: 'ses_2' },
  agent: { kind: 'agent', id: ANNA, credential: 'crd_1' },
}
/** What would be right for the operator to send. */
const BODIES: Partial<Record<keyof typeof ledgerErasureOperations, object>> = {
  previewErasure: { subject: ANNA },
  eraseSubject: { subject: ANNA, reason: 'other' },
  placeHold: { subject: ANNA, reason: 'case 7' },
  setRetention: { rules: [{ keep: 'forever' }] },
}

let world: World
let erasure: Erasure
let app: FastifyInstance

beforeAll(async () => {
  world = await openWorld()
  erasure = await openErasure({
    store: world.store,
    ledger: world.ledger,
    clock: systemClock,
    log: makeLog('silent'),
    file: join(world.folder, 'erased'),
  })
  app = fastify()
  const about = {
    isOperator: (id: string) => id === OPERATOR,
    groupsOf: () => [],
    namesOf: async (subject: string) => [{ room: 'registry', what: `the name of ${subject}` }],
    async erase(subject: string, how: { reason: string; by: string }) {
      const { named: _, ...done } = await erasure.erase(subject, how)
      return { ...done, names: [] }
    },
  }
  mountErasure(app, erasure, about, (request) => {
    const principal = callers[request.headers.authorization ?? '']
    return principal ? Promise.resolve(principal) : Promise.reject(new Fault('UNAUTHENTICATED', 'nobody'))
  })
  app.setErrorHandler((error, _request, reply) => reply.status(error instanceof Fault ? error.status : 500).send(error))
})

afterAll(async () => {
  await app.close()
  erasure.close()
  await world.close()
})

const operations = Object.entries(ledgerErasureOperations) as [keyof typeof ledgerErasureOperations, { method: 'GET'; path: string }][]

async function statusOf(name: (typeof operations)[number][0], { method, path }: { method: 'GET'; path: string }, authorization: string) {
  const payload = BODIES[name]
  const url = path.replace('{id}', 'hld_0')
  return (await app.inject({ method, url, headers: { authorization }, ...(payload ? { payload } : {}) })).statusCode
}

test.each(operations)('an agent can’t call %s, and nobody can without a credential', async (name, operation) => {
  expect(await statusOf(name, operation, 'agent')).toBe(403)
  expect(await statusOf(name, operation, 'nobody')).toBe(401)
})

test.each(operations.filter(([name, { method }]) => method !== 'GET' && name !== 'previewErasure'))(
  'only the operator calls %s',
  async (name, operation) => {
    expect(await statusOf(name, operation, 'person')).toBe(403)
    expect(await statusOf(name, operation, 'operator')).toBeOneOf([200, 201, 404])
  },
)

test.each(operations.filter(([name, { method }]) => method === 'GET' || name === 'previewErasure'))(
  'every person sees %s',
  async (name, operation) => {
    expect(await statusOf(name, operation, 'person')).toBe(200)
  },
)

test('a subject is an id and nothing else', async () => {
  for (const subject of ['', 'agt_1', "agt_0000000000000000000000000a' OR 1", 'system']) {
    const sent = await app.inject({
      method: 'POST',
      url: '/v1/ledger/erasures',
      headers: { authorization: 'operator' },
      payload: { subject, reason: 'other' },
    })
    expect(sent.statusCode).toBe(400)
  }
})

test('the preview names the rows of other rooms', async () => {
  const { body } = await app.inject({
    method: 'POST',
    url: '/v1/ledger/erasures/preview',
    headers: { authorization: 'person' },
    payload: { subject: ANNA },
  })
  expect(JSON.parse(body)).toMatchObject({ names: [{ room: 'registry', what: `the name of ${ANNA}` }] })
})
