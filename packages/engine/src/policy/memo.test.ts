/** Remembering answers changes none of them: properties over random policies and requests, and attacks on the key. */
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { JsonObject } from '@ephor/engine/kernel'
import { checkFiles } from './check-files.ts'
import { makeDecider } from './make-decider.ts'
import { makeMemo } from './make-memo.ts'
import { makeSchema } from './make-schema.ts'
import { openEvaluator } from './open-evaluator.ts'
import type { Evaluator } from './open-evaluator.ts'
import { openGoodRoom, requestOf, toolOf, world as base } from './policy.fixture.ts'
import type { Decision, PolicyFiles, PolicyRequest } from './types.ts'

const world = {
  ...base,
  tools: [
    ...base.tools,
    toolOf('box', 'write', {
      path: { type: 'string' },
      n: { type: 'integer' },
      on: { type: 'boolean' },
      tags: { type: 'array', items: { type: 'string' } },
      opts: { type: 'object', properties: { mode: { type: 'string' }, level: { type: 'integer' } }, required: ['mode'] },
    }),
  ],
}
const schema = makeSchema(world)

// Conditions that look at different parts of the context, in different ways.
const CONDITIONS = [
  'context.input has path && context.input.path like "/a*"',
  'context.input has n && context.input.n > 1',
  'context.input has n && 9223372036854775806 + context.input.n > 0',
  'context.input has tags && context.input.tags.contains("x")',
  'context.input has tags && context.input.tags.isEmpty()',
  'context.input has opts && context.input.opts.mode == "m"',
  'context.input has opts.level && context.input.opts.level == 0',
  'context.input has opts',
  'context.input has on',
  'context has paths && !context.paths.outside.isEmpty()',
  'context.door == "mcp"',
  'context.approvals.contains("p/0")',
  'context has onBehalfOf && context.onBehalfOf == Person::"per_1"',
  'principal.owner == "per_1"',
  'principal has name && principal.name like "A*"',
  'Agent::"agt_2".owner == principal.owner',
  'resource.folders.contains("/srv")',
  'action in Action::"risk:low"',
  '{ a: context.input } == { a: context.input } && context.input has path',
]
const policyText = fc
  .record({
    effect: fc.constantFrom('permit', 'forbid', '@approval("") forbid'),
    scope: fc.constantFrom('principal is Agent, action == Action::"fs/box"', 'principal == Agent::"agt_1", action == Action::"fs/box"'),
    tests: fc.array(fc.constantFrom(...CONDITIONS), { maxLength: 2 }),
    kind: fc.constantFrom('when', 'unless'),
  })
  .map(({ effect, scope, tests, kind }) => `${effect} (${scope}, resource) ${tests.map((one) => `${kind} { ${one} }`).join(' ')};`)

const request: fc.Arbitrary<PolicyRequest> = fc.record({
  principal: fc.constantFrom({ type: 'Agent', id: 'agt_1' } as const, { type: 'Agent', id: 'agt_2' } as const),
  action: fc.constant('fs/box'),
  server: fc.constant('fs'),
  input: fc.record(
    {
      path: fc.constantFrom('/a', '/a1', '/b', ''),
      n: fc.constantFrom(0, -0, 1, 2, 5),
      on: fc.boolean(),
      tags: fc.array(fc.constantFrom('x', 'y'), { maxLength: 3 }),
      opts: fc.record({ mode: fc.constantFrom('m', 'n'), level: fc.constantFrom(0, 1) }, { requiredKeys: ['mode'] }),
      other: fc.constant({ __entity: { type: 'Agent', id: 'agt_2' } }),
    },
    { requiredKeys: [] },
  ) as fc.Arbitrary<JsonObject>,
  facts: fc.record(
    {
      door: fc.constantFrom('mcp', 'api'),
      approvals: fc.constantFrom(
        [],
        [{ id: 'apr_1', by: ['per_1'], policies: ['p/0'] }],
        [{ id: 'apr_1', by: ['per_1'], policies: ['p/1'] }],
      ),
      now: fc.nat(),
      onBehalfOf: fc.constantFrom('per_1', 'per_2'),
      paths: fc.record({ all: fc.constant(['/a']), outside: fc.constantFrom([], ['/x']) }),
    },
    { requiredKeys: ['door', 'approvals', 'now'] },
  ),
})

async function deciders(files: PolicyFiles) {
  const checked = await checkFiles(files, schema, world)
  expect(checked.readable).toBe(true)
  const texts = Object.fromEntries([...checked.policies].map(([id, { asPermit }]) => [id, asPermit]))
  const evaluator = openEvaluator(texts, 10_000)
  let asked = 0
  const counting: Evaluator = { ...evaluator, evaluate: (...all) => (asked++, evaluator.evaluate(...all)) }
  const make = (entries: number) =>
    makeDecider({ bundle: checked, world, schema, evaluator: counting, onError: () => undefined, memory: { entries, bytes: 1e9 } })
  return { remembering: make(10_000), forgetting: make(0), asked: () => asked, close: () => evaluator.close() }
}

test('remembered and fresh decisions are the same', async () => {
  let effects = new Set<string>()
  let [asked, total] = [0, 0]
  await fc.assert(
    fc.asyncProperty(
      fc.array(policyText, { minLength: 2, maxLength: 6 }),
      fc.array(request, { minLength: 60, maxLength: 60 }),
      async (texts, requests) => {
        const files = {
          'p.cedar': ['@id("0") permit (principal, action, resource);', ...texts.map((text, i) => `@id("${i + 1}") ${text}`)].join('\n'),
        }
        const { remembering, forgetting, close, asked: count } = await deciders(files)
        const once = await Promise.all(requests.map((one) => remembering.decide(one)))
        const before = count()
        const again = await Promise.all(requests.map((one) => remembering.decide(one)))
        expect(count()).toBe(before)
        const fresh: Decision[] = []
        for (const one of requests) fresh.push(await forgetting.decide(one))
        close()
        expect(once).toEqual(fresh)
        expect(again).toEqual(fresh)
        ;[asked, total] = [asked + before, total + requests.length]
        effects = new Set([...effects, ...fresh.map((one) => (one.effect === 'deny' ? one.fault : one.effect))])
      },
    ),
    { numRuns: 5 },
  )
  // The property would be empty if everything were the same, or nothing were ever remembered.
  expect(effects.size).toBeGreaterThan(1)
  expect(asked).toBeLessThan(total)
}, 60_000)

let room: Awaited<ReturnType<typeof openGoodRoom>>
beforeAll(async () => {
  const pack = `
permit (principal, action, resource);
forbid (principal == Agent::"agt_2", action == Action::"fs/box", resource);
forbid (principal, action == Action::"fs/box", resource) when { context.input has path && context.input.path == "/bad" };
forbid (principal, action == Action::"fs/box", resource) when { context.input has opts && context.input.opts.mode == "bad" };
forbid (principal, action == Action::"fs/box", resource) when { context.input has tags && context.input.tags.contains("bad") };
forbid (principal, action == Action::"fs/box", resource) when { context.input has n && context.input.n == 7 };
forbid (principal, action == Action::"fs/box", resource) when { context.input has on };
forbid (principal, action == Action::"fs/box", resource) when { context.door == "api" };
forbid (principal, action == Action::"fs/box", resource) when { context has paths && context.paths.outside.contains("/x") };
forbid (principal, action == Action::"fs/box", resource) when { context has onBehalfOf && context.onBehalfOf == Person::"per_9" };`
  room = await openGoodRoom({ 'a.cedar': pack }, { world })
})
afterAll(() => room.close())

const good = requestOf(
  'fs/box',
  { path: '/ok', n: 1, tags: ['a'], opts: { mode: 'm' } },
  { onBehalfOf: 'per_1', paths: { all: [], outside: [] } },
)
const attacks: [string, PolicyRequest][] = [
  ['a string', { ...good, input: { ...good.input, path: '/bad' } }],
  ['a nested string', { ...good, input: { ...good.input, opts: { mode: 'bad' } } }],
  ['an element', { ...good, input: { ...good.input, tags: ['a', 'bad'] } }],
  ['an element that is written like two', { ...good, input: { ...good.input, tags: ['bad', 'a","b'] } }],
  ['an integer', { ...good, input: { ...good.input, n: 7 } }],
  ['whether it is there', { ...good, input: { ...good.input, on: false } }],
  ['the door', { ...good, facts: { ...good.facts, door: 'api' } }],
  ['a path outside', { ...good, facts: { ...good.facts, paths: { all: [], outside: ['/x'] } } }],
  ['the person', { ...good, facts: { ...good.facts, onBehalfOf: 'per_9' } }],
  ['the agent', { ...good, principal: { type: 'Agent', id: 'agt_2' } }],
]

test.each(attacks)('a call that differs only in %s gets its own answer, not the remembered one', async (_what, request) => {
  expect(await room.policy.decide(good)).toMatchObject({ effect: 'permit' })
  expect(await room.policy.decide(request)).toMatchObject({ effect: 'deny', fault: 'POLICY_DENIED' })
  expect(await room.policy.decide(good)).toMatchObject({ effect: 'permit' })
})

test('a remembered decision cannot be changed by who gets it', async () => {
  const decision = await room.policy.decide(good)
  if (decision.effect !== 'permit') throw new Error('expected a permit')
  expect(() => (decision.reasons as unknown[]).push('x')).toThrow(TypeError)
})

test('the memory is bounded in entries and in bytes, and keeps what is used', () => {
  const memo = makeMemo<number>(20, 1e9)
  memo.set('hot', 1)
  for (let i = 0; i < 1000; i++) {
    memo.set(`cold${i}`, i)
    expect(memo.get('hot')).toBe(1)
    expect(memo.size).toBeLessThanOrEqual(20)
  }
  expect(memo.get('cold0')).toBeUndefined()
  expect(memo.get('cold999')).toBe(999)
  const small = makeMemo<number>(1000, 5000)
  for (let i = 0; i < 100; i++) small.set(`${i}${'x'.repeat(500)}`, i)
  expect(small.size).toBeLessThan(5)
  for (const key of ['y'.repeat(100_000), 'y'.repeat(4000)]) {
    small.set(key, 1)
    expect(small.get(key)).toBeUndefined()
  }
  const none = makeMemo<number>(0, 1e9)
  none.set('a', 1)
  expect(none.get('a')).toBeUndefined()
})
