/** Decisions over HTTP: an enforcement point asks and reports, people list and read, and nobody sees another agent's. */
import { openWorld } from '@ephor/testkit'
import type { World } from '@ephor/testkit'
import { fastify } from 'fastify'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sendFault } from '@ephor/engine/kernel'
import { mountBroker } from './index.ts'

let world: World
let app: FastifyInstance
let agent: Awaited<ReturnType<World['agent']>>
let session: string
beforeAll(async () => {
  world = await openWorld()
  agent = await world.agent()
  const { code } = await world.identity.createLink(world.identity.operator)
  session = (await world.identity.openSession(code)).secret
  app = fastify()
  app.setErrorHandler((error, _, reply) => sendFault(reply, error))
  mountBroker(app, world.broker, world.identity.authenticate)
})
afterAll(async () => {
  await app.close()
  await world.close()
})

async function send(method: 'GET' | 'POST', url: string, bearer: string, payload?: object, headers: Record<string, string> = {}) {
  const answer = await app.inject({
    method,
    url,
    headers: { authorization: `Bearer ${bearer}`, ...headers },
    ...(payload ? { payload } : {}),
  })
  return { status: answer.statusCode, body: answer.json<Record<string, unknown>>() }
}

const ask = (tool: string, input: object = {}, headers = {}) =>
  send('POST', '/v1/calls', agent.bearer, { tool, input, session: 's' }, headers)

test('a permitted call comes with its warrant and deadline, and takes one outcome', async () => {
  const { status, body } = await ask('box/look', {}, { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' })
  expect(status).toBe(200)
  expect(body).toMatchObject({
    kind: 'permitted',
    warrant: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
    deadline: expect.stringMatching(/Z$/),
  })
  const outcome = `/v1/calls/${String(body['decision'])}/outcome`
  expect(await send('POST', outcome, agent.bearer, { status: 'succeeded', result: 1 })).toMatchObject({
    status: 200,
    body: { status: 'succeeded' },
  })
  expect(await send('POST', outcome, agent.bearer, { status: 'failed' })).toMatchObject({ status: 409, body: { code: 'OUTCOME_DECIDED' } })
  expect((await send('GET', `/v1/decisions/${String(body['decision'])}`, session)).body).toMatchObject({
    effect: 'permit',
    outcome: 'succeeded',
    result: 1,
    input: { server: 'box', name: 'look' },
    outcomeReceipt: { seq: expect.any(Number) },
  })
})

test('a decision shows its risk with the sum, and tokens are reported with the outcome, never fewer than none', async () => {
  const { body } = await ask('box/look')
  const outcome = `/v1/calls/${String(body['decision'])}/outcome`
  for (const tokens of [-1, 0.5, 1e300, '7'])
    expect((await send('POST', outcome, agent.bearer, { status: 'succeeded', tokens })).status, String(tokens)).toBe(400)
  expect((await send('POST', outcome, agent.bearer, { status: 'succeeded', tokens: 7 })).status).toBe(200)
  const shown = (await send('GET', `/v1/decisions/${String(body['decision'])}`, session)).body
  const { score, parts } = shown['riskScore'] as { score: number; parts: { points: number }[] }
  expect(parts.reduce((sum, { points }) => sum + points, 0)).toBe(score)
  expect(shown).not.toHaveProperty('spends')
})

test('a held and a refused call say so, with handle and reasons', async () => {
  expect((await ask('box/wipe', { what: 'x' })).body).toMatchObject({ kind: 'held', approval: { id: expect.stringMatching(/^apr_/) } })
  expect((await ask('box/nothing')).body).toMatchObject({ kind: 'refused', fault: 'TOOL_UNKNOWN', detail: expect.stringMatching(/\w/) })
})

test('the same Idempotency-Key gets the same decision', async () => {
  const [first, second] = [await ask('box/look', {}, { 'idempotency-key': 'k' }), await ask('box/look', {}, { 'idempotency-key': 'k' })]
  expect(second.body['decision']).toBe(first.body['decision'])
})

test('a body that tries to say who asks is refused, and so is a person', async () => {
  const body = { tool: 'box/look', input: {}, agent: 'agt_other' }
  expect(await send('POST', '/v1/calls', agent.bearer, body)).toMatchObject({ status: 400, body: { code: 'REQUEST_INVALID' } })
  expect(await send('POST', '/v1/calls', session, { tool: 'box/look', input: {} })).toMatchObject({
    status: 403,
    body: { code: 'FORBIDDEN' },
  })
})

test('people page through decisions, newest first, and filter them', async () => {
  for (let i = 0; i < 3; i++) await ask('box/look')
  const first = (await send('GET', '/v1/decisions?limit=2', session)).body as { items: { id: string }[]; next: string }
  expect(first.items).toHaveLength(2)
  const second = (await send('GET', `/v1/decisions?limit=2&cursor=${first.next}`, session)).body as { items: { id: string }[] }
  expect(second.items[0]?.id && second.items[0].id < (first.items[1]?.id ?? '')).toBe(true)
  const filtered = (await send('GET', `/v1/decisions?effect=permit&agent=${agent.id}&server=box`, session)).body as {
    items: { effect: string }[]
  }
  expect(new Set(filtered.items.map(({ effect }) => effect))).toEqual(new Set(['permit']))
})

test('an agent reads its own decisions and no others, and lists none', async () => {
  const { body } = await ask('box/look')
  const other = await world.agent('other')
  const url = `/v1/decisions/${String(body['decision'])}`
  expect((await send('GET', url, agent.bearer)).status).toBe(200)
  expect(await send('GET', url, other.bearer)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } })
  expect(await send('GET', '/v1/decisions', agent.bearer)).toMatchObject({ status: 403 })
})

test('listeners hear of decisions and outcomes until they stop listening', async () => {
  const heard: string[] = []
  const stop = world.broker.on(({ kind, decision }) => heard.push(`${kind} ${decision.effect}`))
  const { body } = await ask('box/look')
  await send('POST', `/v1/calls/${String(body['decision'])}/outcome`, agent.bearer, { status: 'failed' })
  stop()
  await ask('box/look')
  expect(heard).toEqual(['decision permit', 'outcome permit'])
})
