/** What is found wrong with policy texts, where, and what is advised. */
import { expect, test } from 'vitest'
import { checkFiles } from './check-files.ts'
import { makeSchema } from './make-schema.ts'
import { world } from './policy.fixture.ts'
import type { PolicyFiles } from './types.ts'

const schema = makeSchema(world)
const REASON = '@reason("r")\n'

async function findingsOf(files: PolicyFiles | string) {
  const { findings } = await checkFiles(typeof files === 'string' ? { 'a.cedar': files } : files, schema, world)
  return findings
}

test('good policies have no findings, and keep their ids when a file is added', async () => {
  const files = { 'a.cedar': `${REASON}permit (principal, action, resource);\n@id("x") ${REASON} forbid (principal, action, resource);` }
  const one = await checkFiles(files, schema, world)
  const two = await checkFiles({ '0.cedar': `${REASON}permit (principal, action, resource);`, ...files }, schema, world)
  expect(one.findings).toEqual([])
  expect([...one.policies.keys()]).toEqual(['a/1', 'a/x'])
  expect([...two.policies.keys()]).toEqual(['0/1', 'a/1', 'a/x'])
  expect(one.version).not.toBe(two.version)
  expect((await checkFiles(Object.fromEntries(Object.entries(files)), schema, world)).version).toBe(one.version)
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
  ['@obligation("redact:ssn") permit (principal, action, resource);', 'ANNOTATION_INVALID', undefined],
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

test('a policy that can never apply, that gives no reason, or that names nobody is a warning', async () => {
  const codes = (await findingsOf('permit (principal == Agent::"agt_11", action, resource) when { 1 == 2 };')).map(
    ({ code, severity }) => `${severity} ${code}`,
  )
  expect(codes.toSorted()).toEqual(['warning ENTITY_UNKNOWN', 'warning POLICY_IMPOSSIBLE', 'warning REASON_MISSING'].toSorted())
})

test('a rule on a group that has no tools yet is no mistake', async () => {
  expect(await findingsOf(`${REASON}permit (principal is Agent, action in Action::"identity", resource);`)).toEqual([])
})

test('conditions that would overflow the engine never reach it', async () => {
  const conditions = [
    `${'('.repeat(60)}true${')'.repeat(60)}`,
    `${'['.repeat(100)}${']'.repeat(100)} == []`,
    `${'if true then true else '.repeat(200)}true`,
    Array(2000).fill('true').join(' && '),
    `context${'.a'.repeat(4000)}`,
  ]
  const findings = await findingsOf(
    Object.fromEntries(conditions.map((one, i) => [`${i}.cedar`, `permit (principal, action, resource) when { ${one} };`])),
  )
  expect(findings.map(({ code }) => code)).toEqual(conditions.map(() => 'POLICY_TOO_DEEP'))
})

test('the deepest that the limits let through is read, not overflowed', async () => {
  const deep = (condition: string) => `${REASON}permit (principal, action, resource) when { ${condition} };`
  const conditions = [
    `${'('.repeat(31)}true${')'.repeat(31)}`,
    `${'['.repeat(31)}${']'.repeat(31)} == []`,
    `${'if true then true else '.repeat(24)}true`,
    Array(700).fill('true').join(' && '),
    `${Array(700).fill('1').join(' + ')} == 1`,
    `context${'.a'.repeat(700)} == 1`,
  ]
  const files = Object.fromEntries(conditions.map((condition, i) => [`${i}.cedar`, deep(condition)]))
  const { readable, policies } = await checkFiles(files, schema, world)
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
  const { findings, policies } = await checkFiles({ 'a.cedar': text }, schema, world)
  expect(findings).toEqual([])
  expect(policies.get('a/a')).toMatchObject({ effect: 'forbid', line: 2, reason: 'forbid; permit (' })
  expect(policies.get('a/a')?.asPermit).toContain('\npermit (principal')
})
