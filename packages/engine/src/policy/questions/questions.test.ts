/** What people ask of policies: why a call came out so, who may do something, what somebody may do; each answer agrees with the decider. */
import fastify from 'fastify'
import { expect, test } from 'vitest'
import type { JsonObject } from '@ephor/engine/kernel'
import { openGood } from '../open-bundle.fixture.ts'
import { openGoodRoom, requestOf, world } from '../policy.fixture.ts'
import { sealedFacts } from '../recorded-question.ts'
import type { PolicyRequest, PolicyWorld } from '../types.ts'
import { explainCall } from './explain-call.ts'
import { openQuestions } from './open-questions.ts'
import { mountPolicyQuestions } from './routes.ts'

const POLICIES = `
@id("reads") @reason("Reading is permitted.") permit (principal, action in Action::"read", resource);
@id("force") @reason("Not by force.") permit (principal, action == Action::"fs/write", resource)
when { context.input has path } unless { context.input has force && context.input.force };
@id("trusted") @reason("Only the trusted remove.") permit (principal, action == Action::"fs/remove", resource) when { principal has tier && principal.tier < 2 };
@id("pays") @reason("Paying is possible.") permit (principal, action in Action::"money", resource);
@id("ask") @reason("Somebody agrees.") @approval("quorum:2") forbid (principal, action in Action::"money", resource);
`
const people: PolicyWorld = { ...world, agents: world.agents.map((agent, i) => ({ ...agent, tier: i + 1 })) }

function recordOf(request: PolicyRequest, answer: Parameters<typeof sealedFacts>[1], name: string) {
  const body: JsonObject = {
    type: 'decision',
    effect: answer.effect,
    principal: { type: 'agent', id: request.principal.id },
    door: 'mcp',
    session: 'sha256:s',
    method: 'tools/call',
    server: request.server,
    tool: { server: request.server, name },
    policy: answer.version ?? '',
    world: answer.world ?? '',
  }
  const payloads: Record<string, JsonObject> = {
    input: { server: request.server, name, input: request.input },
    facts: sealedFacts(request, answer),
  }
  return {
    find: async (id: string) => (id === 'dec_1' ? { seq: 1, leafHash: '', body } : undefined),
    payload: async (_: number, which: string) => payloads[which],
  }
}

const nothing = { find: async () => undefined, payload: async () => undefined }

async function ask(ledger: Parameters<typeof openQuestions>[0]['ledger'] = nothing) {
  const room = await openGoodRoom({ 'a.cedar': POLICIES }, { world: people })
  const parts = { policy: room.policy, ledger, world: () => people, pathsOf: () => undefined, now: () => 0 }
  return { room, parts, questions: openQuestions(parts) }
}

test('an explanation names every policy that covers the call, what its conditions saw, and the rest by name', async () => {
  const bundle = await openGood(POLICIES, people)
  const { decision, policies, elsewhere } = explainCall(bundle, requestOf('fs/write', { path: '/a', force: true }))
  expect(decision.effect).toBe('deny')
  expect(policies).toMatchObject([
    {
      policy: 'a/force',
      effect: 'permit',
      outcome: 'unsatisfied',
      line: 3,
      conditions: [
        { kind: 'when', text: 'context.input has path', held: true },
        { kind: 'unless', held: false, reads: expect.arrayContaining([{ path: 'context.input.force', value: true }]) },
      ],
    },
  ])
  expect(elsewhere).toEqual(['a/ask', 'a/pays', 'a/reads', 'a/trusted'])
})

test('a recorded decision is explained from what it was pinned to, and it is said whether it comes again', async () => {
  const bundle = await openGood(POLICIES, people)
  const request = requestOf('fs/write', { path: '/a' }, { now: 5 })
  const answer = bundle.decide(request)
  const { room, questions } = await ask(recordOf(request, answer, 'write'))
  expect(await questions.recorded('dec_1')).toMatchObject({
    decision: { effect: 'permit' },
    recorded: { effect: 'permit' },
    same: true,
    request: { input: { path: '/a' } },
  })
  await expect(questions.recorded('dec_2')).rejects.toThrow('no decision dec_2')
  await room.close()
  const forged = await ask(recordOf(request, { ...answer, effect: 'hold', asks: [], reasons: [], obligations: [] }, 'write'))
  expect(await forged.questions.recorded('dec_1')).toMatchObject({ decision: { effect: 'permit' }, same: false })
  await forged.room.close()
})

test('who can: permit, hold and deny only where it is certain, else what it depends on', async () => {
  const { room, questions } = await ask()
  const effects = async (action: string) => (await questions.whoCan(action)).map(({ name, effect }) => [name, effect])
  expect(await effects('fs/read')).toEqual([
    ['Ada', 'permit'],
    ['Bob', 'permit'],
  ])
  expect(await effects('fs/remove')).toEqual([
    ['Ada', 'permit'],
    ['Bob', 'deny'],
  ])
  expect(await effects('money')).toEqual([
    ['Ada', 'hold'],
    ['Bob', 'hold'],
  ])
  expect(await questions.whoCan('fs/write')).toMatchObject([
    { name: 'Ada', effect: 'depends', possible: ['permit', 'deny'], dependsOn: ['a/force'] },
    { name: 'Bob', effect: 'depends' },
  ])
  await expect(questions.whoCan('fs/none')).rejects.toThrow('no action fs/none')
  expect((await questions.whoCan('resources/read', 'mail')).map(({ server }) => server)).toEqual(['mail', 'mail'])
  await room.close()
})

test('what can: no answer is more certain than what the decider does, for any arguments', async () => {
  const { room, questions } = await ask()
  const bundle = await openGood(POLICIES, people)
  const all = await questions.whatCan('Ada')
  expect(all.map(({ action, effect }) => [action, effect])).toEqual(
    expect.arrayContaining([
      ['fs/read', 'permit'],
      ['fs/write', 'depends'],
      ['mail/pay', 'hold'],
      ['mail/send', 'deny'],
    ]),
  )
  for (const input of [{}, { path: '/a' }, { path: '/a', force: true }, { amount: 5 }])
    for (const { action, server, possible } of all) {
      const decision = bundle.decide({ ...requestOf(action, input), server })
      if (decision.effect === 'deny' && decision.fault === 'INPUT_INVALID') continue
      expect(possible).toContain(decision.effect)
    }
  await expect(questions.whatCan('Eve')).rejects.toThrow('no agent is called Eve')
  await room.close()
})

test('a charter counts: who only observes is refused, who confirms each is held, a risk appetite makes it depend', async () => {
  const permit = '@reason("r") permit (principal, action, resource);'
  const outlook = async (charter: string) => {
    const bundle = await openGood({ 'a.cedar': permit, 'charter.yaml': charter }, people)
    const { effect, possible } = bundle.outlook({ type: 'Agent', id: 'agt_1' }, 'mail/pay', 'mail')
    return [effect, ...possible]
  }
  expect(await outlook('autonomy: { default: observe }')).toEqual(['deny', 'deny'])
  expect(await outlook('autonomy: { default: confirm-each }')).toEqual(['hold', 'hold'])
  expect(await outlook('appetite: { confirm: high }')).toEqual(['depends', 'permit', 'hold'])
  expect(await outlook('appetite: { refuse: critical }')).toEqual(['depends', 'permit', 'deny'])
  expect(await outlook('{}')).toEqual(['permit', 'permit'])
})

test('over HTTP: people get answers, agents are refused, and the active texts can be tested', async () => {
  const { room, parts } = await ask()
  const serve = (kind: 'person' | 'agent') => {
    const app = fastify()
    app.setErrorHandler((error, _request, reply) => reply.status((error as { status?: number }).status ?? 500).send({}))
    const authenticate = async () =>
      kind === 'person' ? ({ kind, id: 'per_1', session: 'ses_1' } as const) : ({ kind, id: 'agt_1', credential: 'crd_1' } as const)
    mountPolicyQuestions(app, { ...parts, policy: room.policy, confine: () => ({ all: [], outside: [] }), authenticate })
    return app
  }
  const app = serve('person')
  const post = (url: string, payload: object) => app.inject({ method: 'POST', url, payload })
  const body = { who: 'Ada', what: 'fs/write', input: { path: '/a', __proto__: { force: true } }, facts: { labels: ['x'] } }
  expect((await post('/v1/policy/explain', body)).json()).toMatchObject({
    effect: 'permit',
    action: 'fs/write',
    elsewhere: expect.any(Array),
  })
  expect((await app.inject('/v1/policy/who-can?action=fs/read')).json().items).toHaveLength(2)
  expect((await app.inject('/v1/policy/what-can?agent=agt_2')).json().items.length).toBeGreaterThan(5)
  const cases = `world: { agents: [{ name: a }], servers: [{ name: fs }], tools: [{ tool: fs/read, kind: read }] }\ncases: [{ name: r, who: a, what: fs/read, expect: deny }]\n`
  const files = { 'a.cedar': '@reason("r") permit (principal, action, resource);', 'a.test.yaml': cases }
  expect((await post('/v1/policy/test', { source: { files } })).json()).toMatchObject({
    ok: false,
    results: [{ line: 2, got: 'permit because of a/1' }],
  })
  // No case at all is no test.
  expect((await post('/v1/policy/test', { source: 'active' })).json()).toMatchObject({ ok: false, results: [] })
  const refused = serve('agent')
  for (const url of ['/v1/policy/who-can?action=fs/read', '/v1/policy/what-can?agent=agt_2'])
    expect((await refused.inject(url)).statusCode).toBe(403)
  expect((await refused.inject({ method: 'POST', url: '/v1/policy/explain', payload: { decision: 'dec_1' } })).statusCode).toBe(403)
  await room.close()
})
