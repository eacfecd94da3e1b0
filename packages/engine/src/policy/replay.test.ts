/** Everything that decided is kept: from an entry, its payloads, the texts and the world, the same decision comes again. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { JsonObject } from '@ephor/engine/kernel'
import { digestOfWorld } from './digest.ts'
import { openBundle } from './open-bundle.ts'
import { openGood } from './open-bundle.fixture.ts'
import { openGoodRoom, requestOf, world } from './policy.fixture.ts'
import { readAnswer, readQuestion, sealedFacts } from './recorded-question.ts'
import type { PolicyRequest } from './types.ts'
import { digestOfVerdict } from './verdict-of.ts'

const PERMIT = '@reason("r") permit (principal, action, resource);'
const later = { ...world, agents: [...world.agents, { id: 'agt_3', name: 'Eve', owner: 'per_3', purpose: 'p', groups: ['ops'], tier: 2 }] }

test('each world is kept once, with an entry of digests and counts only, and comes back as it was', async () => {
  const { policy, ledger, store, close } = await openGoodRoom({ 'a.cedar': PERMIT })
  await policy.setWorld(later)
  await policy.setWorld(world)
  await policy.setWorld(later)
  expect(ledger.worlds.map(({ body }) => body)).toEqual([
    { world: digestOfWorld(world), agents: 2, servers: 2, tools: 5 },
    { world: digestOfWorld(later), agents: 3, servers: 2, tools: 5 },
  ])
  expect(await policy.world(digestOfWorld(world))).toEqual(world)
  expect(await policy.world(digestOfWorld(later))).toEqual(later)
  expect(await policy.world('sha256:none')).toBeUndefined()
  // The tools, which are most of it, are in the store once.
  const rows = await store.reader<{ policy_world_part: { content: string } }>().selectFrom('policy_world_part').select('content').execute()
  expect(rows.filter(({ content }) => content.includes('inputSchema'))).toHaveLength(1)
  await close()
})

test('a world is handed to the ledger before any decision that is made in it', async () => {
  const { policy, ledger, close } = await openGoodRoom({ 'a.cedar': PERMIT })
  const order: string[] = []
  const { append } = ledger
  ledger.append = (part) => {
    order.push(part.entries[0]?.type ?? 'rows')
    return append(part)
  }
  const changing = policy.setWorld(later)
  expect(order).toEqual(['policy.world'])
  expect((await policy.decide(requestOf('fs/read'))).world).toBe(digestOfWorld(later))
  await changing
  await close()
})

test('a world that could not be written is written at the next look', async () => {
  const { policy, ledger, close } = await openGoodRoom({ 'a.cedar': PERMIT }, { pollMs: 60_000 })
  const { append } = ledger
  ledger.append = () => Promise.reject(new Error('disk full'))
  await expect(policy.setWorld(later)).rejects.toThrow('disk full')
  ledger.append = append
  expect(await policy.world(digestOfWorld(later))).toBeUndefined()
  await policy.reload()
  expect(await policy.world(digestOfWorld(later))).toEqual(later)
  await close()
})

test('texts and worlds that somebody changed in the tables are not those that decided', async () => {
  const { policy, store, lines, close } = await openGoodRoom({ 'a.cedar': PERMIT })
  const version = policy.version() ?? ''
  expect(await policy.bundle(version)).toEqual({ 'a.cedar': PERMIT })
  await store.commit({
    changes: [
      { sql: `UPDATE policy_files SET files = '{"a.cedar":""}'`, params: [] },
      { sql: `UPDATE policy_world_part SET content = '[]'`, params: [] },
    ],
  })
  expect(await policy.bundle(version)).toBeUndefined()
  expect(await policy.world(digestOfWorld(world))).toBeUndefined()
  expect(lines.join('')).toContain('is not the one with this digest')
  await close()
})

const FILES = {
  'a.cedar': `
permit (principal is Agent, action, resource);
@approval("group:ops quorum:2") forbid (principal, action in Action::"risk:high", resource);
forbid (principal, action, resource) when { context.session.calls > 5 || context.session.age > 100 };
forbid (principal, action, resource) when { context.labels.contains("web") && context.time.hour < 8 };
forbid (principal, action, resource) when { context.budget has day && context.budget.day.left < 3 };
forbid (principal, action in Action::"tools/call", resource) when { context has paths && !context.paths.outside.isEmpty() };
forbid (principal, action == Action::"resources/read", resource) when { context has uri && context.uri like "file:*" };
@approval("") forbid (principal, action in Action::"money", resource) when { context has amount && context.amount.value > 10 };
forbid (principal, action, resource) when { context has onBehalfOf && context.onBehalfOf == Person::"per_9" };`,
  'charter.yaml': `
budgets: { day: { measure: calls, per: agent, period: day, limit: 9 } }
tools: { mail/pay: { amount: { at: /amount, currency: EUR }, data: [financial] } }
autonomy: { rules: [{ agents: [agt_2], mode: confirm-each }] }`,
}
const small = fc.integer({ min: 0, max: 9 })
const questions = fc.record({
  agent: fc.constantFrom('agt_1', 'agt_2', 'agt_9'),
  call: fc.constantFrom<[string, string, JsonObject]>(
    ['tools/call', 'fs/read', { path: '/srv/a', lines: 3 }],
    ['tools/call', 'fs/remove', { path: '/etc' }],
    ['tools/call', 'mail/pay', { amount: 12 }],
    ['tools/call', 'mail/pay', { amount: -1 }],
    ['resources/read', 'resources/read', {}],
    ['resources/subscribe', 'resources/read', {}],
    ['prompts/get', 'prompts/get', {}],
  ),
  facts: fc.record(
    {
      now: fc.constantFrom(0, 50_000_000, 2_000_000),
      session: fc.record({ id: fc.constant('sha256:s'), calls: small, startedAt: fc.constantFrom(0, 49_990_000) }),
      labels: fc.constantFrom([], ['web'], ['web', 'mail']),
      budgets: fc.constantFrom({}, { day: { used: 7, left: 2, limit: 9 } }),
      paths: fc.constantFrom({ all: ['/srv/a'], outside: [] }, { all: ['/etc'], outside: ['/etc'] }),
      novel: fc.boolean(),
      onBehalfOf: fc.constantFrom('per_1', 'per_9'),
      approvals: fc.constantFrom([], [{ id: 'apr_1', by: ['per_1', 'per_2'], policies: ['a/2', 'a/8', 'charter.yaml#autonomy'] }]),
    },
    { requiredKeys: ['now', 'approvals'] },
  ),
})

test('a decision is the same again from what was recorded of it', async () => {
  const bundle = await openGood(FILES)
  const effects = new Set<string>()
  await fc.assert(
    fc.asyncProperty(questions, async ({ agent, call: [method, action, input], facts }) => {
      const named = method === 'tools/call' ? {} : method === 'prompts/get' ? { name: 'ask' } : { uri: 'file:///srv/x' }
      const request: PolicyRequest = {
        principal: { type: 'Agent', id: agent },
        action,
        server: action.startsWith('mail/') ? 'mail' : 'fs',
        input,
        facts: { door: 'mcp', ...named, ...facts },
      }
      const decision = bundle.decide(request)
      effects.add(decision.effect === 'deny' ? decision.fault : decision.effect)
      const [server, tool] = method === 'tools/call' ? action.split('/') : [request.server]
      const { onBehalfOf } = facts
      const body: JsonObject = {
        principal: { type: 'agent', id: agent },
        door: 'mcp',
        session: 'sha256:s',
        method,
        server: server ?? '',
        world: decision.world ?? null,
        ...(tool === undefined ? {} : { tool: { server: server ?? '', name: tool } }),
        ...(onBehalfOf === undefined ? {} : { onBehalfOf }),
      }
      const name = tool ?? ('uri' in named ? named.uri : (named as { name: string }).name)
      const payloads = JSON.parse(JSON.stringify([{ server: server ?? '', name, input }, sealedFacts(request, decision)])) as [
        JsonObject,
        JsonObject,
      ]
      const again = readQuestion(body, ...payloads)
      expect(again && bundle.decide(again)).toEqual(decision)
      expect(readAnswer(payloads[1])).toBe(digestOfVerdict(decision))
    }),
    // Calls that are held come up seldom by chance.
    {
      numRuns: 500,
      examples: [[{ agent: 'agt_1', call: ['tools/call', 'fs/remove', { path: '/etc' }], facts: { now: 0, approvals: [] } }]],
    },
  )
  for (const effect of ['permit', 'hold', 'POLICY_DENIED', 'INPUT_INVALID', 'AGENT_UNKNOWN']) expect(effects).toContain(effect)
})

test('what was decided without policy, or whose payloads were erased, is no question', () => {
  expect(readQuestion({ principal: { type: 'agent', id: 'agt_1' } }, {}, {})).toBeUndefined()
  expect(readQuestion({ world: 'sha256:w' }, undefined, {})).toBeUndefined()
  expect(readQuestion({ world: 'sha256:w' }, {}, undefined)).toBeUndefined()
})

test('a bundle off the live one decides as the live one, also in another world', async () => {
  const { policy, close } = await openGoodRoom(FILES)
  const bundle = await openBundle(FILES, world)
  const request = requestOf('mail/pay', { amount: 12 })
  expect(bundle.decide(request)).toEqual(await policy.decide(request))
  const eve = { ...request, principal: { type: 'Agent' as const, id: 'agt_3' } }
  expect(bundle.decide(eve)).toMatchObject({ fault: 'AGENT_UNKNOWN' })
  await policy.setWorld(later)
  expect(bundle.under(later).decide(eve)).toEqual(await policy.decide(eve))
  expect(bundle.decide(eve)).toMatchObject({ fault: 'AGENT_UNKNOWN', world: digestOfWorld(world) })
  await close()
})

test('texts that cannot be read to the end decide nothing; texts that only do not fit the world do', async () => {
  await expect(openBundle({ 'a.cedar': 'permit (principal' }, world)).rejects.toMatchObject({ code: 'POLICY_INVALID' })
  const bundle = await openBundle({ 'a.cedar': `${PERMIT} forbid (principal, action == Action::"fs/gone", resource);` }, world)
  expect(bundle.findings).toContainEqual(expect.objectContaining({ code: 'ACTION_UNKNOWN', policy: 'a/2' }))
  expect(bundle.decide(requestOf('fs/read'))).toMatchObject({ effect: 'permit' })
})
