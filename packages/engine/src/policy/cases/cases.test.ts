/** Cases of policies: what a file may say, what is compared, and files that attack whoever runs them. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '@ephor/contract'
import { expect, test } from 'vitest'
import type { PolicyFiles } from '../types.ts'
import { readCases } from './read-cases.ts'
import { reportTests, testBundle } from './test-bundle.ts'

const PACK = join(import.meta.dirname, '../../../../../policies')
const inside = (_: unknown, input: object) => {
  const all = Object.values(input).filter((value) => typeof value === 'string')
  return { all, outside: all.filter((path) => !path.startsWith('/srv/') || path.includes('..')) }
}

const POLICIES = `
@id("reads") @reason("Reading is permitted.")
permit (principal is Agent, action in Action::"read", resource);
@id("writes") @reason("Writing is limited.") @obligation("limit:60/minute; timeout:30s")
permit (principal is Agent, action in Action::"write", resource)
when { context.labels.isEmpty() } unless { principal has standing && principal.standing == "watched" };
@id("pays") @reason("Paying is possible.")
permit (principal in Team::"finance", action in Action::"money", resource);
@id("ask") @reason("Two of finance agree.") @approval("group:finance quorum:2 deadline:15m escalate:cfo")
forbid (principal, action in Action::"money", resource);
`
const WORLD = `
world:
  agents: [{ name: ada, groups: [finance], tier: 1 }, { name: bob, tier: 3 }]
  people: [{ id: per_1, groups: [finance, cfo] }, { id: per_2, groups: [finance] }]
  servers: [{ name: s }]
  tools:
    - { tool: s/read, kind: read }
    - { tool: s/write, kind: write }
    - { tool: s/pay, kind: money, input: { type: object, properties: { amount: { type: integer } } } }
`
const bundle = (cases: string, more: PolicyFiles = {}): PolicyFiles => ({ 'a.cedar': POLICIES, 'a.test.yaml': `${WORLD}${cases}`, ...more })
const run = (cases: string, more: PolicyFiles = {}) => testBundle(bundle(cases, more), inside)
const gotOf = async (cases: string) => (await run(cases)).results.map(({ ok, got }) => [ok, got])
const findingsOf = (text: string) => {
  const read = readCases({ 'a.test.yaml': text }, 'a.test.yaml')
  return 'findings' in read ? read.findings : []
}

test('the default pack decides as its own cases say, and they reach all of it', async () => {
  const names = readdirSync(PACK).filter((name) => /\.(?:cedar|test\.yaml)$/.test(name))
  const files = Object.fromEntries(names.map((name) => [name, readFileSync(join(PACK, name), 'utf8')]))
  const outside = (_: unknown, input: object) => {
    const all = Object.values(input).filter((value) => typeof value === 'string' && value.startsWith('/'))
    return { all, outside: all.filter((path) => !path.startsWith('/srv/shared/') || path.includes('..')) }
  }
  const { results, coverage } = await testBundle(files, outside)
  expect(results.filter(({ ok }) => !ok)).toEqual([])
  expect(coverage).toMatchObject({ share: 1, uncovered: [] })
})

test('a case can expect reasons, obligations and risk, each to the letter', async () => {
  const right = 'expect: permit, reasons: [writes], obligations: ["timeout:30s", "limit:60/minute"], risk: medium'
  expect(await gotOf(`cases: [{ name: w, who: bob, what: s/write, ${right} }]`)).toEqual([[true, 'permit because of a/writes']])
  for (const [wrong, said] of [
    ['reasons: [reads]', 'reasons: expected "reads", got "a/writes"'],
    ['reasons: []', 'reasons: expected none'],
    ['obligations: ["limit:60/minute"]', 'obligations: expected'],
    ['obligations: ["limit:61/minute", "timeout:30s"]', '"count":61'],
    ['risk: low', 'risk: expected low, got medium'],
  ] as const)
    expect(await gotOf(`cases: [{ name: w, who: bob, what: s/write, expect: permit, ${wrong} }]`)).toEqual([
      [false, expect.stringContaining(said)],
    ])
})

test('what is asked of people is compared as a whole: group, quorum, deadline and escalation', async () => {
  const asked = (terms: string) => gotOf(`cases: [{ name: p, who: ada, what: s/pay, expect: hold, approvals: { ask: "${terms}" } }]`)
  expect(await asked('group:finance quorum:2 deadline:15m escalate:cfo')).toEqual([[true, 'hold because of a/ask']])
  for (const terms of [
    'group:finance',
    'group:finance quorum:1 deadline:15m escalate:cfo',
    'group:legal quorum:2 deadline:15m escalate:cfo',
  ])
    expect(await asked(terms)).toEqual([[false, expect.stringContaining('approvals: expected a/ask to ask')]])
  expect(await gotOf('cases: [{ name: p, who: ada, what: s/read, expect: permit, approvals: { ask: "" } }]')).toEqual([
    [false, expect.stringContaining('expected asks of "ask", got none')],
  ])
})

test('as many people as a case says have approved, and only what it says', async () => {
  const cases = ['approved: true', 'approved: 2', 'approved: { by: 2, policies: [ask] }', 'approved: { by: 2, policies: [other] }']
  const text = cases.map((approved) => `{ name: p, who: ada, what: s/pay, expect: permit, ${approved} }`).join(', ')
  expect((await gotOf(`cases: [${text}]`)).map(([ok]) => ok)).toEqual([false, true, true, false])
})

test('an agent can be described where it is needed, and circumstances are facts', async () => {
  const cases = [
    '{ name: a, who: { groups: [finance] }, what: s/pay, expect: hold }',
    '{ name: b, who: { standing: watched }, what: s/write, expect: deny, reason: POLICY_NO_PERMIT }',
    '{ name: c, who: ada, what: s/write, labels: [untrusted], expect: deny }',
    '{ name: d, who: ada, what: resources/read, server: s, uri: "file:///x", expect: permit }',
  ]
  expect((await gotOf(`cases: [${cases.join(', ')}]`)).map(([ok]) => ok)).toEqual([true, true, true, true])
})

test('the rows of a table are cases of their own, each with its place', async () => {
  const { results } = await run(
    [
      'cases:',
      '  - name: writing',
      '    what: s/write',
      '    expect: permit',
      '    each:',
      '      - { who: ada }',
      '      - { who: bob, labels: [x], expect: deny, name: labelled }',
      '      - { who: bob, expect: hold }',
    ].join('\n'),
  )
  expect(results.map(({ ok, name }) => [ok, name])).toEqual([
    [true, 'writing [1: {"who":"ada"}]'],
    [true, 'writing [labelled]'],
    [false, 'writing [3: {"who":"bob","expect":"hold"}]'],
  ])
  const [, , third] = results
  expect(third).toMatchObject({ file: 'a.test.yaml', line: WORLD.split('\n').length + 7, column: 9 })
})

test('files share a world by naming it, and policies that do not fit it fail loudly', async () => {
  const other = 'world: a.test.yaml\ncases: [{ name: r, who: bob, what: s/read, expect: permit }]\n'
  const { results } = await run('', { 'b.test.yaml': other })
  expect(results).toMatchObject([{ file: 'b.test.yaml', ok: true }])
  const { findings } = await run('', { 'b.test.yaml': other.replace('a.test', 'none.test') })
  expect(findings).toMatchObject([
    { code: 'CASES_INVALID', file: 'b.test.yaml', line: 1, message: expect.stringContaining('does not exist') },
  ])
  const loop = await run('', { 'b.test.yaml': 'world: b.test.yaml\n' })
  expect(loop.findings).toMatchObject([{ message: expect.stringContaining('no world of its own') }])
  const unfit = { ...bundle(''), 'a.cedar': 'permit (principal, action == Action::"s/none", resource);' }
  await expect(testBundle(unfit, inside)).rejects.toSatisfy((error: unknown) => error instanceof Fault && error.code === 'POLICY_INVALID')
})

test('a case that names what its world does not have fails and says so', async () => {
  expect(await gotOf('cases: [{ name: n, who: eve, what: s/read, expect: deny }, { name: m, who: ada, what: t/x, expect: deny }]')).toEqual(
    [
      [false, 'the case names the agent eve, which its world does not have'],
      [false, 'the case names t/x on no server, which its world does not have'],
    ],
  )
})

test('mistakes have a code, a place and a suggestion', () => {
  expect(findingsOf(`${WORLD}cases:\n  - { name: x, who: a, what: s/read, expct: permit }\n`)).toMatchObject([
    { code: 'CASES_INVALID', line: 11, column: 5 },
    { code: 'CASES_UNKNOWN', line: 11, suggestion: 'did you mean expect?' },
  ])
  expect(findingsOf('world: {')).toMatchObject([{ code: 'CASES_SYNTAX', line: 1 }])
  expect(findingsOf('cases: []')).toMatchObject([{ code: 'CASES_INVALID', line: 1, column: 1, message: expect.stringContaining('world') }])
  expect(findingsOf(`${WORLD}cases: [{ never: {}, always: {}, be: permit }]`)).toMatchObject([{ code: 'CASES_INVALID' }])
})

test('a bomb of aliases, a heap of brackets and a huge file are refused at once', () => {
  const aliases = ['a: &a [x,x,x,x,x,x,x,x,x]', ...'bcdefghi'.split('').map((c, i) => `${c}: &${c} [${`*${'abcdefgh'[i]},`.repeat(9)}]`)]
  const bombs: [string, string][] = [
    [aliases.join('\n'), 'CASES_SYNTAX'],
    [`world: ${'['.repeat(50_000)}`, 'CASES_SYNTAX'],
    [`world: "${'x'.repeat(300_000)}"`, 'CASES_TOO_LARGE'],
    [
      `${WORLD}cases:\n${`  - { name: t, who: ada, what: s/read, expect: permit, each: [${'{},'.repeat(2000)}] }\n`.repeat(25)}`,
      'CASES_TOO_LARGE',
    ],
  ]
  for (const [text, code] of bombs) {
    const started = performance.now()
    expect(findingsOf(text)[0]?.code).toBe(code)
    expect(performance.now() - started).toBeLessThan(5000)
  }
})

test('as many described agents as a file can hold take one world, not one each', async () => {
  const rows = Array.from({ length: 2000 }, (_, i) => `{ who: { owner: o${i} } }`).join(', ')
  const started = performance.now()
  const { results } = await run(`cases:\n  - { name: t, what: s/read, expect: permit, each: [${rows}] }\n`)
  expect(results.filter(({ ok }) => ok)).toHaveLength(2000)
  expect(performance.now() - started).toBeLessThan(20_000)
})

test('many files can not hold more cases than a bundle may, and are refused before any runs', async () => {
  const rows = Array.from({ length: 1999 }, () => '{}').join(',')
  const table = `  - { name: t, who: ada, what: s/read, expect: permit, each: [${rows}] }\n`
  const files = Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`f${i}.test.yaml`, `world: a.test.yaml\ncases:\n${table}${table}`]))
  expect(await run('', files)).toMatchObject({ results: [], findings: [{ code: 'CASES_TOO_LARGE' }] })
})

test('names of a prototype are names like any other', async () => {
  const text = [
    'cases:',
    '  - { name: __proto__, who: __proto__, what: constructor, server: toString, expect: deny }',
    '  - { name: p, who: ada, what: s/pay, input: { __proto__: { amount: 1 }, constructor: 1 }, expect: hold, approvals: { __proto__: "" } }',
  ].join('\n')
  expect((await gotOf(text)).map(([ok]) => ok)).toEqual([false, false])
  const files = bundle('', { 'b.test.yaml': 'world: constructor.test.yaml\n' })
  expect((await testBundle(files, inside)).findings).toMatchObject([{ message: expect.stringContaining('does not exist') }])
  expect(({} as { amount?: number }).amount).toBeUndefined()
})

test('what keeps a version from being published is every mistake, failing case and missing file', async () => {
  const failing = await reportTests(bundle('cases: [{ name: n, who: bob, what: s/read, expect: deny }]'), inside)
  expect(failing).toEqual({
    cases: 1,
    failed: [{ file: 'a.test.yaml:10:9', name: 'n', detail: 'expected deny, got permit because of a/reads' }],
  })
  expect(await reportTests(bundle('cases: 5'), inside)).toMatchObject({ cases: 0, failed: [{ name: 'CASES_INVALID' }] })
  expect(await reportTests({ 'a.cedar': POLICIES }, inside)).toEqual({ cases: 0, failed: [] })
})
