/** What is found wrong with policy texts, where, and what is advised. */
import { createEntities, evaluate, recordOf } from '@ephor/cedar'
import { expect, test } from 'vitest'
import { checkFiles } from './check-files.ts'
import { world } from './policy.fixture.ts'
import type { PolicyFiles } from './types.ts'

const REASON = '@reason("r")\n'

async function findingsOf(files: PolicyFiles | string) {
  const { findings } = await checkFiles(typeof files === 'string' ? { 'a.cedar': files } : files, world)
  return findings
}

test('good policies have no findings, and keep their ids when a file is added', async () => {
  const files = { 'a.cedar': `${REASON}permit (principal, action, resource);\n@id("x") ${REASON} forbid (principal, action, resource);` }
  const one = await checkFiles(files, world)
  const two = await checkFiles({ '0.cedar': `${REASON}permit (principal, action, resource);`, ...files }, world)
  expect(one.findings).toEqual([])
  expect([...one.policies.keys()]).toEqual(['a/1', 'a/x'])
  expect([...two.policies.keys()]).toEqual(['0/1', 'a/1', 'a/x'])
  expect(one.version).not.toBe(two.version)
  expect((await checkFiles(Object.fromEntries(Object.entries(files)), world)).version).toBe(one.version)
})

test('a typing error in a condition is an error with line, column and the name that was meant', async () => {
  const text = `// ünïcode 😀\n${REASON}permit (principal, action == Action::"fs/read", resource)\nwhen { "é😀" == "" || (context.input has path && context.input.pth == "/a") };`
  expect(await findingsOf(text)).toEqual([
    {
      code: 'ATTRIBUTE_UNKNOWN',
      severity: 'error',
      file: 'a.cedar',
      line: 4,
      column: 50,
      message: 'attribute `input.pth` in context for Action::"fs/read" not found',
      suggestion: 'did you mean `path`?',
      policy: 'a/1',
    },
  ])
})

const MISTAKES: [string, string, string | undefined][] = [
  ['permit (principal, action == Action::"fs/raed", resource);', 'ACTION_UNKNOWN', 'did you mean Action::"fs/read"?'],
  ['permit (principal is Agnt, action, resource);', 'TYPE_UNKNOWN', 'did you mean `Agent`?'],
  ['permit (principal, action == Action::"fs/read", resource) when { context.input.lines == 1 };', 'ATTRIBUTE_OPTIONAL', undefined],
  ['permit (principal, action, resource) when { context.door == 1 };', 'TYPE_MISMATCH', undefined],
  ['@approvel("") forbid (principal, action, resource);', 'ANNOTATION_INVALID', 'did you mean @approval?'],
  ['@approval("deadline:soon") forbid (principal, action, resource);', 'ANNOTATION_INVALID', undefined],
  ['@approval("deadline:1m deadline:2m") forbid (principal, action, resource);', 'ANNOTATION_INVALID', undefined],
  ['@approval("group:Ops!") forbid (principal, action, resource);', 'ANNOTATION_INVALID', undefined],
  ['@approval("vote:3") forbid (principal, action, resource);', 'ANNOTATION_INVALID', undefined],
  ['@approval("") permit (principal, action, resource);', 'ANNOTATION_INVALID', undefined],
  ['@obligation("limit:0/minute") permit (principal, action, resource);', 'ANNOTATION_INVALID', undefined],
  ['@obligation("limit:5/minute;") permit (principal, action, resource);', 'ANNOTATION_INVALID', undefined],
  ['@obligation("timeout:2h") permit (principal, action, resource);', 'ANNOTATION_INVALID', undefined],
  ['@obligation("redact:snn") permit (principal, action, resource);', 'ANNOTATION_INVALID', 'did you mean ssn?'],
  ['@obligation("encrypt:all") permit (principal, action, resource);', 'ANNOTATION_INVALID', undefined],
  ['@approval("group:ops quorm:2") forbid (principal, action, resource);', 'ANNOTATION_INVALID', 'did you mean quorum:2?'],
  ['@control("") permit (principal, action, resource);', 'ANNOTATION_INVALID', undefined],
  ['@severity("sever") forbid (principal, action, resource);', 'ANNOTATION_INVALID', undefined],
  ['permit (principal, action, resource) when { context.risk.scor > 5 };', 'ATTRIBUTE_UNKNOWN', 'did you mean `score`?'],
  ['permit (principal, action, resource) when { context.budget.pay_day.left > 5 };', 'ATTRIBUTE_UNKNOWN', undefined],
  ['permit (principal in Taem::"x", action, resource);', 'TYPE_UNKNOWN', 'did you mean `Team`?'],
  ['@obligation("timeout:1s") forbid (principal, action, resource);', 'ANNOTATION_INVALID', undefined],
  ['@id("a b") permit (principal, action, resource);', 'ANNOTATION_INVALID', undefined],
  ['@id("2") permit (principal, action, resource); @reason("r") permit (principal, action, resource);', 'ID_TAKEN', undefined],
  ['permit (principal == ?principal, action, resource);', 'POLICY_TEMPLATE', undefined],
  ['permit (principal, action, resource) when { context. };', 'POLICY_SYNTAX', undefined],
  ['permit (principal, action, resource)', 'POLICY_SYNTAX', undefined],
  ['permit (principal, action, resource) when { "open };', 'POLICY_SYNTAX', undefined],
  // Cedar may end a comment where the scanner doesn't: a policy that one of them doesn't see must not go missing.
  ['permit (principal, action, resource); // x\rforbid (principal, action, resource);', 'POLICY_SYNTAX', undefined],
]

test('each mistake is an error at its file, and says what was meant', async () => {
  // One folder with a file a mistake: none hides another.
  const findings = await findingsOf(Object.fromEntries(MISTAKES.map(([text], i) => [`${i}.cedar`, REASON + text])))
  for (const [i, [text, code, suggestion]] of MISTAKES.entries()) {
    const found = findings.find((one) => one.file === `${i}.cedar`)
    expect({ text, ...found }).toMatchObject({ text, code, severity: 'error', ...(suggestion ? { suggestion } : {}) })
  }
  expect((await findingsOf('// nothing here'))[0]).toMatchObject({ code: 'POLICY_NONE', severity: 'error' })
})

test('a mistake in an annotation is shown at the word that is wrong', async () => {
  const text = `@id("group")\n${REASON}@approval("group:ops quorum:99")\nforbid (principal, action, resource);`
  expect(await findingsOf(text)).toMatchObject([{ code: 'ANNOTATION_INVALID', line: 3, column: 22, policy: 'a/group' }])
})

test('what policies may say of session, labels, time, risk, budgets, amounts and groups has its type', async () => {
  const conditions = [
    'context.session.calls < 100 && context.session.age < 3600',
    'context.labels.contains("web")',
    'context.time.now < datetime("2030-01-01") && context.time.hour >= 8 && context.time.weekday <= 5',
    'context.risk.score < 45 && ["low", "medium"].contains(context.risk.tier)',
    'context.budget has pay_day && context.budget.pay_day.left >= 500',
    'principal in Team::"finance" && principal has tier && principal.tier < 3',
    'context has onBehalfOf && context.onBehalfOf in Group::"cfo"',
  ]
  const policies = conditions.map(
    (one) => `${REASON}permit (principal is Agent, action in Action::"tools/call", resource) when { ${one} };`,
  )
  const amount = `${REASON}forbid (principal, action in Action::"money", resource) when { context has amount && context.amount.value > 100000 };`
  const charter = 'budgets: { pay_day: { measure: calls, per: agent, period: day, limit: 9, covers: [money] } }'
  expect(await findingsOf({ 'a.cedar': [...policies, amount].join('\n'), 'charter.yaml': charter })).toEqual([])
})

test('a charter that cannot be read makes the whole bundle unreadable', async () => {
  const files = { 'a.cedar': `${REASON}permit (principal, action, resource);`, 'charter.yaml': 'budgets: [' }
  const { readable, findings } = await checkFiles(files, world)
  expect(readable).toBe(false)
  expect(findings[0]).toMatchObject({ severity: 'error', file: 'charter.yaml' })
})

test('integers of 64 bits mean what they say', async () => {
  const { set, findings } = await checkFiles(
    { 'a.cedar': `${REASON}permit (principal, action, resource) when { 9007199254740993 == 9007199254740992 };` },
    world,
  )
  expect(findings.filter(({ severity }) => severity === 'error')).toEqual([])
  const request = {
    principal: { type: 'Agent', id: 'agt_1' },
    action: { type: 'Action', id: 'fs/read' },
    resource: { type: 'ToolServer', id: 'fs' },
  }
  expect(evaluate(set, createEntities(), { ...request, context: recordOf([]) }).permits).toEqual([])
})

test('a policy that can never apply, that gives no reason, or that names nobody is a warning', async () => {
  const codes = (await findingsOf('permit (principal == Agent::"agt_11", action, resource) when { 1 == 2 };')).map(
    ({ code, severity }) => `${severity} ${code}`,
  )
  expect(codes.toSorted()).toEqual(['warning ENTITY_UNKNOWN', 'warning POLICY_IMPOSSIBLE', 'warning REASON_MISSING'].toSorted())
})

test('a rule on a group that has no tools yet is no mistake', async () => {
  expect(await findingsOf(`${REASON}permit (principal is Agent, action in Action::"identity", resource);`)).toEqual([])
})

test('conditions that would overflow an engine are refused', async () => {
  const conditions = [
    `${'('.repeat(60)}true${')'.repeat(60)}`,
    `${'['.repeat(100)}${']'.repeat(100)} == []`,
    `${'if true then true else '.repeat(200)}true`,
    Array(2000).fill('true').join(' && '),
    `context${'.a'.repeat(4000)}`,
    `context${'.a'.repeat(700)} == 1`,
  ]
  const findings = await findingsOf(
    Object.fromEntries(conditions.map((one, i) => [`${i}.cedar`, `permit (principal, action, resource) when { ${one} };`])),
  )
  const deep = findings.filter(({ code }) => code === 'POLICY_TOO_DEEP')
  expect(new Set(deep.map(({ file }) => file)).size).toBe(conditions.length)
})

test('the deepest that the limits let through is read, not overflowed', async () => {
  const deep = (condition: string) => `${REASON}permit (principal, action, resource) when { ${condition} };`
  const conditions = [
    `${'('.repeat(31)}true${')'.repeat(31)}`,
    `${'['.repeat(31)}${']'.repeat(31)} == []`,
    `${'if true then true else '.repeat(24)}true`,
    Array(700).fill('true').join(' && '),
    `${Array(390).fill('1').join(' + ')} == 1`,
    `context${'.a'.repeat(390)} == 1`,
  ]
  const files = Object.fromEntries(conditions.map((condition, i) => [`${i}.cedar`, deep(condition)]))
  const { readable, policies } = await checkFiles(files, world)
  expect(readable).toBe(true)
  expect(policies.size).toBe(conditions.length)
})

test('too much, badly named or badly encoded text is refused before it is parsed', async () => {
  const permit = `${REASON}permit (principal, action, resource);`
  expect((await findingsOf({ 'a.cedar': permit + ' '.repeat(300_000) }))[0]).toMatchObject({ code: 'POLICY_TOO_LARGE' })
  expect((await findingsOf({ '../a.cedar': permit }))[0]).toMatchObject({ code: 'FILE_NAME' })
  expect((await findingsOf({ 'a.cedar': '// \ud800' }))[0]).toMatchObject({ code: 'POLICY_SYNTAX' })
  expect((await findingsOf(Object.fromEntries(Array.from({ length: 201 }, (_, i) => [`${i}.cedar`, permit]))))[0]).toMatchObject({
    code: 'POLICY_TOO_LARGE',
  })
})

test('what stands in comments and strings is not taken for a policy or an effect', async () => {
  const text = `// permit (principal, action, resource);
@id("a") @reason("forbid; permit (") // forbid
forbid (principal, action, resource) when { context.door == "permit; \\" //" };`
  const { findings, policies } = await checkFiles({ 'a.cedar': text }, world)
  expect(findings).toEqual([])
  expect(policies.get('a/a')).toMatchObject({ effect: 'forbid', line: 2, reason: 'forbid; permit (' })
})
