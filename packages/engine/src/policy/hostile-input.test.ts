/** The agent controls every argument: none of them may turn a forbid into a permit. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Json, JsonObject } from '@ephor/engine/kernel'
import { openGoodRoom, requestOf, toolOf, world } from './policy.fixture.ts'

const PACK = `
permit (principal is Agent, action in Action::"tools/call", resource);
forbid (principal, action == Action::"fs/read", resource) unless { context.input has path && context.input.path == "/srv/ok" };
forbid (principal, action == Action::"fs/deep", resource) when { context.input has box && context.input.box has name && context.input.box.name == "bad" };
forbid (principal, action == Action::"fs/count", resource) when { context.input.n > 100 };
`
const tools = [
  ...world.tools,
  toolOf('deep', 'read', { box: { type: 'object', properties: { name: { type: 'string' }, __entity: { type: 'string' } } }, any: {} }),
  toolOf('count', 'read', { n: { type: 'integer' }, ratio: { type: 'number' } }, { required: ['n'] }),
  { ...toolOf('closed', 'read'), inputSchema: { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: false } },
]

let room: Awaited<ReturnType<typeof openGoodRoom>>
beforeAll(async () => {
  room = await openGoodRoom({ 'a.cedar': PACK }, { world: { ...world, tools } })
})
afterAll(() => room.close())

const effectOf = async (action: string, input: JsonObject) => {
  const decision = await room.policy.decide(requestOf(action, input))
  return decision.effect === 'deny' ? decision.fault : decision.effect
}

const escapes: Json[] = [
  { __extn: { fn: 'unknown', arg: 'x' } },
  { __extn: { fn: 'ip', arg: '1.1.1.1' } },
  { __entity: { type: 'Agent', id: 'agt_2' } },
  { __expr: 'true' },
]

test.each(escapes)("Cedar's own escapes in arguments are data: %j", async (escape) => {
  expect(await effectOf('fs/read', { path: '/srv/ok' })).toBe('permit')
  expect(await effectOf('fs/read', { path: escape })).toBe('INPUT_INVALID')
  expect(await effectOf('fs/read', escape as JsonObject)).toBe('POLICY_DENIED')
  expect(await effectOf('fs/deep', { box: escape })).toBe('permit')
  expect(await effectOf('fs/deep', { box: { name: 'bad', ...(escape as JsonObject) } })).toBe('POLICY_DENIED')
  expect(await effectOf('fs/deep', { box: { name: 'bad' }, any: escape })).toBe('POLICY_DENIED')
})

test.each([1.5, 2 ** 53, -(2 ** 53), 1e300, Number.POSITIVE_INFINITY, Number.NaN, null, '5', true, [], {}])(
  'a number that is not the integer it is declared to be is refused: %s',
  async (n) => {
    expect(await effectOf('fs/count', { n })).toBe('INPUT_INVALID')
  },
)

test('integers are compared as they are, up to the largest that JSON carries', async () => {
  expect(await effectOf('fs/count', { n: 100 })).toBe('permit')
  expect(await effectOf('fs/count', { n: -0 })).toBe('permit')
  expect(await effectOf('fs/count', { n: Number.MAX_SAFE_INTEGER })).toBe('POLICY_DENIED')
  expect(await effectOf('fs/count', { n: Number.MIN_SAFE_INTEGER })).toBe('permit')
})

test('a missing argument, a wrong type and half of a surrogate pair are refused, with the place and not the value', async () => {
  expect(await effectOf('fs/count', {})).toBe('INPUT_INVALID')
  expect(await effectOf('fs/read', { tags: ['a', 5] })).toBe('INPUT_INVALID')
  expect(await effectOf('fs/closed', { b: 1 })).toBe('INPUT_INVALID')
  const decision = await room.policy.decide(requestOf('fs/read', { tags: ['hush\ud800'] }))
  expect(decision).toMatchObject({
    effect: 'deny',
    fault: 'INPUT_INVALID',
    detail: 'The argument /tags/0 contains half of a surrogate pair.',
  })
})

test('what has no type in Cedar is left out, however deep or odd it is', async () => {
  let deep: Json = 'x'
  for (let i = 0; i < 5000; i++) deep = i % 2 ? [deep] : { a: deep }
  expect(await effectOf('fs/deep', { any: deep })).toBe('permit')
  expect(await effectOf('fs/deep', { any: deep, box: { name: 'bad' } })).toBe('POLICY_DENIED')
  expect(await effectOf('fs/count', { n: 1, ratio: 0.5 })).toBe('permit')
  expect(await effectOf('fs/read', { path: deep })).toBe('INPUT_INVALID')
})

test('names that objects inherit are not arguments', async () => {
  const inherits = Object.create({ path: '/srv/ok' }) as JsonObject
  expect(await effectOf('fs/read', inherits)).toBe('POLICY_DENIED')
  expect(await effectOf('fs/read', JSON.parse('{"__proto__": {"path": "/srv/ok"}}') as JsonObject)).toBe('POLICY_DENIED')
})

test('odd facts from a door are refused too', async () => {
  const request = requestOf('fs/read', { path: '/srv/ok' }, { paths: { all: ['/srv/\udc00'], outside: [] } })
  expect(await room.policy.decide(request)).toMatchObject({ effect: 'deny', fault: 'INPUT_INVALID' })
})
