/** Analysis over HTTP: of texts, of what is active, of versions; for people only. */
import fastify from 'fastify'
import { expect, test } from 'vitest'
import { openRoom } from '../policy.fixture.ts'
import { mountPolicyAnalysis } from './routes.ts'

const PAY = '@reason("r") permit (principal is Agent, action in Action::"money", resource) when { context.risk.score < 5 };'
const ASK = '@reason("r") @approval("group:finance quorum:2") forbid (principal is Agent, action in Action::"money", resource);'

async function serve(kind: 'person' | 'agent', files: Record<string, string>) {
  const room = await openRoom(files)
  const app = fastify()
  app.setErrorHandler((error, _request, reply) =>
    reply.status((error as { status?: number }).status ?? 500).send({ code: (error as { code?: string }).code }),
  )
  mountPolicyAnalysis(
    app,
    room.policy,
    () => [{ id: 'per_1', groups: ['finance'] }],
    async () => (kind === 'person' ? { kind, id: 'per_1', session: 'ses_1' } : { kind, id: 'agt_1', credential: 'crd_1' }),
  )
  const post = (verb: string, payload: object) => app.inject({ method: 'POST', url: `/v1/policy/${verb}`, payload })
  return { post, room }
}

test('a person has texts analysed and compared, with the groups of the people there are', async () => {
  const { post, room } = await serve('person', { 'a.cedar': PAY })
  const analysed = (await post('analyze', { source: { files: { 'a.cedar': `${PAY}\n${ASK}` } } })).json()
  expect(analysed).toMatchObject({
    findings: [{ code: 'APPROVAL_IMPOSSIBLE', severity: 'error', file: 'a.cedar', line: 2 }],
    undecided: [],
  })
  const compared = (await post('diff', { from: 'active', to: { files: { 'a.cedar': `${PAY}\n${ASK}` } } })).json()
  expect(compared).toMatchObject({ differences: [{ from: 'permit', to: 'hold', actions: ['mail/pay'] }], charter: false })
  const same = (await post('diff', { from: 'active', to: { version: room.policy.version() } })).json()
  expect(same).toMatchObject({ differences: [], undecided: [], work: { questions: 0 } })
  await room.close()
})

test('what is no source, or an unknown version, is refused', async () => {
  const { post, room } = await serve('person', { 'a.cedar': PAY })
  expect((await post('analyze', { source: { version: `sha256:${'0'.repeat(64)}` } })).statusCode).toBe(404)
  for (const source of ['folder', {}, { files: { 'a.cedar': 5 } }, { version: 'latest' }])
    expect((await post('analyze', { source })).statusCode).toBe(400)
  await room.close()
})

test('an agent learns nothing of it', async () => {
  const { post, room } = await serve('agent', {})
  expect((await post('analyze', { source: 'active' })).statusCode).toBe(403)
  expect((await post('diff', { from: 'active', to: 'active' })).statusCode).toBe(403)
  await room.close()
})
