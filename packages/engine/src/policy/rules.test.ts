/** The pure parts: what texts of another version mean, which scopes cover what, which parts of the context are looked at. */
import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { expect, test } from 'vitest'
import { mergeObligations, parseApproval, parseObligations } from './annotations.ts'
import { compilePolicy } from './compile-policy.ts'
import { nearest } from './nearest.ts'
import { openGoodRoom, requestOf } from './policy.fixture.ts'
import { referencesOf } from './references.ts'
import type { RefTree } from './references.ts'
import { conclude } from './rules.ts'
import { covers } from './scope.ts'

function jsonOf(text: string): PolicyJson {
  const answer = cedar.policyToJson(text)
  if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors))
  return answer.json
}

const compiled = (id: string, text: string) => {
  const json = jsonOf(text)
  return [id, compilePolicy({ id, file: 'a.cedar', line: 1 }, text, text.indexOf(`${json.effect} (`), json)] as const
}

const PINS = { version: 'v', world: 'w' }

test('terms that this version does not know close what another version opened', () => {
  const policies = new Map([
    compiled('p', '@obligation("redact:ssn") permit (principal, action, resource);'),
    compiled('s', '@approval("quorum:2") forbid (principal, action, resource);'),
    compiled('ok', 'permit (principal, action, resource);'),
  ])
  const after = (...satisfied: string[]) => conclude({ satisfied, errors: [] }, policies, [{ id: 'a', by: ['p'], policies: ['s'] }], PINS)
  expect(after('ok')).toMatchObject({ effect: 'permit' })
  expect(after('ok', 'p')).toMatchObject({ effect: 'deny', fault: 'OBLIGATION_UNKNOWN', reasons: [{ policy: 'p' }] })
  expect(after('ok', 's')).toMatchObject({ effect: 'deny', fault: 'POLICY_DENIED' })
})

test('an error outweighs everything, and a hold needs a permit', () => {
  const policies = new Map([
    compiled('ok', 'permit (principal, action, resource);'),
    compiled('s', '@approval("") forbid (principal, action, resource);'),
  ])
  const errors = [{ policy: 'x', message: 'm' }]
  expect(conclude({ satisfied: ['ok'], errors }, policies, [], PINS)).toMatchObject({ effect: 'deny', fault: 'POLICY_ERROR' })
  expect(conclude({ satisfied: ['s'], errors: [] }, policies, [], PINS)).toMatchObject({ effect: 'deny', fault: 'POLICY_NO_PERMIT' })
  expect(conclude({ satisfied: [], errors: [] }, policies, [], PINS)).toMatchObject({ effect: 'deny', fault: 'POLICY_NO_PERMIT' })
})

test('terms are parsed, and merged to the strictest', () => {
  expect(parseApproval('deadline:15m group:finance-eu')).toEqual({ deadlineMs: 900_000, group: 'finance-eu' })
  expect(parseApproval('')).toEqual({})
  expect(parseObligations('limit:5/day;timeout:250ms')).toEqual([
    { kind: 'limit', count: 5, per: 'day' },
    { kind: 'timeout', ms: 250 },
  ])
  for (const text of ['', 'limit:5', 'limit:5/week', 'limit:-1/day', 'timeout:0s', 'timeout:1.5s', 'timeout:1s;;'])
    expect(typeof parseObligations(text)).toBe('string')
  const merged = mergeObligations([
    { kind: 'limit', count: 9, per: 'minute', policy: 'a' },
    { kind: 'timeout', ms: 9, policy: 'a' },
    { kind: 'limit', count: 3, per: 'minute', policy: 'b' },
    { kind: 'timeout', ms: 5, policy: 'b' },
  ])
  expect(merged.map(({ policy }) => policy)).toEqual(['b', 'b'])
})

const plain = (tree: RefTree): unknown =>
  tree === 'all' ? 'all' : Object.fromEntries([...tree].map(([name, inner]) => [name, plain(inner)]))

test.each<[string, unknown]>([
  ['context.door == "x"', { door: 'all' }],
  ['context.input has path && context.input.path like "a*"', { input: { path: 'all' } }],
  ['context has paths', { paths: {} }],
  ['context.input has opts.mode', { input: { opts: { mode: {} } } }],
  ['context has paths && context["paths"]["outside"].isEmpty()', { paths: { outside: 'all' } }],
  ['context.input == context.input', { input: 'all' }],
  ['{ x: context }.x has door', 'all'],
  ['(if context.door == "a" then context else context) has input', 'all'],
  ['[context.input].isEmpty()', { input: 'all' }],
  ['{ Var: 1, "has": context.door, "Value": context.input } has Var', { door: 'all', input: 'all' }],
  ['principal has owner', {}],
])('%s looks at no more and no less than it could depend on', (condition, expected) => {
  const { conditions } = jsonOf(`permit (principal, action, resource) when { ${condition} };`)
  expect(plain(referencesOf(conditions).context)).toEqual(expected)
})

test('entities that a condition names are found', () => {
  const { conditions } = jsonOf(
    'permit (principal, action, resource) when { [Agent::"a", Agent::"b"].contains(principal) || Agent::"c".owner == "x" };',
  )
  expect(
    referencesOf(conditions)
      .entities.map(({ id }) => id)
      .toSorted(),
  ).toEqual(['a', 'b', 'c'])
})

test.each([
  ['principal, action, resource', true],
  ['principal is Agent, action in Action::"read", resource is ToolServer', true],
  ['principal == Agent::"a", action == Action::"s/t", resource == ToolServer::"s"', true],
  ['principal in Agent::"a", action in [Action::"x", Action::"read"], resource in ToolServer::"s"', true],
  ['principal is Agent in Agent::"a", action, resource', true],
  ['principal is ToolServer, action, resource', false],
  ['principal == Agent::"b", action, resource', false],
  ['principal is Agent in Agent::"b", action, resource', false],
  ['principal == ToolServer::"a", action, resource', false],
  ['principal, action == Action::"read", resource', false],
  ['principal, action in Action::"write", resource', false],
  ['principal, action in [], resource', false],
  ['principal, action, resource == ToolServer::"t"', false],
])('a scope of (%s) covers the call: %s', (scope, expected) => {
  const action = { id: 's/t', withGroups: new Set(['s/t', 'read']) }
  expect(covers(jsonOf(`permit (${scope});`), { type: 'Agent', id: 'a' }, action, { type: 'ToolServer', id: 's' })).toBe(expected)
})

test('the nearest name is offered only when it is near', () => {
  expect(nearest('obligaton', ['reason', 'obligation'])).toBe('obligation')
  expect(nearest('entirely-different', ['reason', 'obligation'])).toBeUndefined()
})

test('a decision that takes too long is a denial, and the next ones are answered', async () => {
  const room = await openGoodRoom({ 'a.cedar': 'permit (principal, action, resource);' }, { timeoutMs: 1 })
  expect(await room.policy.decide(requestOf('fs/read'))).toMatchObject({
    effect: 'deny',
    fault: 'POLICY_TIMEOUT',
    version: room.policy.version(),
  })
  await room.close()
})
