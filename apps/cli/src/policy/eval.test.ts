/** Tests of `ephor policy eval` as programs use it: a process that reads lines and answers lines. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'
import { EXIT } from '../exit-codes.ts'
import { startEvaluator } from './start-evaluator.ts'

// Each test starts a whole process, and the machine may be busy.
vi.setConfig({ testTimeout: 60_000 })

const PROGRAM = fileURLToPath(new URL('../../bin/ephor.mjs', import.meta.url))

async function ephor(flags: string[], input: string | Buffer): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [PROGRAM, 'policy', 'eval', ...flags], { env: { PATH: process.env['PATH'] ?? '' } })
  let [out, err] = ['', '']
  child.stdout.on('data', (data: Buffer) => (out += data.toString()))
  child.stderr.on('data', (data: Buffer) => (err += data.toString()))
  child.stdin.end(input)
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, out, err }
}

type Answer = { decision?: string; reasons?: string[]; errors?: string[]; error?: { code: string; message: string } }

async function answers(...lines: string[]): Promise<{ code: number | null; answers: Answer[] }> {
  const { code, out, err } = await ephor(['--ndjson'], `${lines.join('\n')}\n`)
  expect(err).toBe('')
  return {
    code,
    answers: out
      .trimEnd()
      .split('\n')
      .map((text) => JSON.parse(text) as Answer),
  }
}

const REQUEST = { principal: 'User::"ada"', action: 'Action::"read"', resource: 'File::"a"', context: {} }
const ask = (more: object): string =>
  JSON.stringify({ policies: 'permit(principal, action, resource);', entities: [], request: REQUEST, ...more })
/** The same with a context that is JSON text, as it stands. */
const askWith = (policies: string, context: string) =>
  ask({ policies, request: { ...REQUEST, context: 'CONTEXT' } }).replace('"CONTEXT"', context)
const allow = { decision: 'allow', reasons: ['policy0'], errors: [] }
const refused = (code: string, message: RegExp) => ({ error: { code, message: expect.stringMatching(message) as string } })

test('each line is answered in its place: decision, reasons, and the policies in error', async () => {
  const policies = [
    '@id("named") permit(principal, action, resource) when { context.n > 0 };',
    'forbid(principal, action, resource) when { resource.closed };',
    ...Array.from({ length: 9 }, (_, i) => `permit(principal, action, resource) when { context.n > ${i} };`),
  ].join('\n')
  const file = (closed: unknown) => [{ uid: 'File::"a"', attrs: { closed }, parents: ['Folder::"x"'] }]
  const asked = (n: number, closed: unknown) => ask({ policies, entities: file(closed), request: { ...REQUEST, context: { n } } })
  const result = await answers(asked(1, false), asked(0, true), '', asked(9, 'maybe'))
  expect(result).toEqual({
    code: 0,
    answers: [
      { decision: 'allow', reasons: ['policy0', 'policy2'], errors: [] },
      { decision: 'deny', reasons: ['policy1'], errors: [] },
      { decision: 'allow', reasons: ['policy0', 'policy10', ...[2, 3, 4, 5, 6, 7, 8, 9].map((i) => `policy${i}`)], errors: ['policy1'] },
    ],
  })
})

test('uids are texts or objects, with whatever ids people give', async () => {
  const policies = String.raw`permit(principal == App::User::"a \"b\"\n\u{1f600}", action in Action::"all", resource in Folder::"");`
  const entities = [
    { uid: { type: 'Action', id: 'read' }, attrs: {}, parents: [{ __entity: { type: 'Action', id: 'all' } }] },
    { uid: 'File::"a"', attrs: {}, parents: ['Folder::""'] },
  ]
  const principals = [
    String.raw`App::User::"a \"b\"\n\u{1F600}"`,
    { type: 'App::User', id: 'a "b"\n😀' },
    { __entity: { type: 'App::User', id: 'a "b"\n😀' } },
  ]
  const lines = principals.map((principal) => ask({ policies, entities, request: { ...REQUEST, principal } }))
  expect(await answers(...lines)).toEqual({ code: 0, answers: [allow, allow, allow] })
  const odd = [
    'User',
    'User::ada',
    'User::"ada',
    String.raw`User::"\u{d800}"`,
    String.raw`User::"\q"`,
    'User::"a", action, resource); //"',
    7,
  ]
  const result = await answers(...odd.map((principal) => ask({ request: { ...REQUEST, principal } })))
  expect(result).toEqual({ code: EXIT.failed, answers: odd.map(() => refused('REQUEST_INVALID', /failed to parse principal/)) })
})

test('64-bit integers are read to the last digit', async () => {
  const equal = (n: string) => `permit(principal, action, resource) when { context.n == ${n} };`
  const over = 'permit(principal, action, resource) when { context.n + 1 > 0 };'
  const { answers: given } = await answers(
    askWith(equal('9223372036854775807'), '{"n":9223372036854775807}'),
    askWith(equal('9223372036854775807'), '{"n":9223372036854775806}'),
    askWith(equal('-9223372036854775808'), '{"n":-9223372036854775808}'),
    askWith(equal('9007199254740993'), '{"n":9007199254740992}'),
    askWith(over, '{"n":9223372036854775807}'),
  )
  const deny = { decision: 'deny', reasons: [], errors: [] }
  expect(given).toEqual([allow, deny, allow, deny, { ...deny, errors: ['policy0'] }])
})

test('what the official engine refuses is refused with a code, and the other lines are answered', async () => {
  const schema = `entity User; entity File = { n: Long }; action read appliesTo { principal: User, resource: File, context: { at?: datetime } };`
  const cases: [line: string, code: string, message: RegExp][] = [
    ['nonsense', 'JSON_INVALID', /\{ is missing/],
    ['{"policies":"",}', 'JSON_INVALID', /key/],
    [ask({ policies: 'permit(principal, action);' }), 'POLICY_INVALID', /missing the `resource`/],
    [ask({ policies: 'permit(principal == ?principal, action, resource);' }), 'POLICY_INVALID', /template/],
    [ask({ policies: ['permit(principal, action, resource);'] }), 'REQUEST_INVALID', /^policies/],
    [ask({ schema: 'entity User in Nowhere;' }), 'POLICY_INVALID', /^schema.*Nowhere/],
    [ask({ schema: { '': { entityTypes: {}, actions: {}, typo: 1 } } }), 'POLICY_INVALID', /^schema/],
    [ask({ entities: {} }), 'REQUEST_INVALID', /^entities/],
    [ask({ entities: [{ uid: 'File::"a"', attrs: { x: null }, parents: [] }] }), 'REQUEST_INVALID', /null/],
    [ask({ entities: [{ uid: 'File::"a"', attrs: {}, parents: ['File::"a"'] }] }), 'REQUEST_INVALID', /cycle/],
    [ask({ schema, entities: [{ uid: 'File::"a"', attrs: { n: '1' }, parents: [] }] }), 'REQUEST_INVALID', /type/],
    [ask({ schema, request: { ...REQUEST, action: 'Action::"write"' } }), 'REQUEST_INVALID', /write/],
    [ask({ schema, request: { ...REQUEST, resource: 'User::"b"' } }), 'REQUEST_INVALID', /not valid for/],
    [ask({ schema, request: { ...REQUEST, context: { at: 'noon' } } }), 'REQUEST_INVALID', /datetime/],
    [ask({ request: undefined }), 'REQUEST_INVALID', /^request/],
    [ask({ request: { ...REQUEST, context: undefined } }), 'REQUEST_INVALID', /context/],
    [askWith('', '{"a":1,"a":1}'), 'JSON_INVALID', /twice/],
    [askWith('', '{"a":1.0}'), 'JSON_INVALID', /not an integer/],
    [askWith('', '{"a":9223372036854775808}'), 'JSON_INVALID', /64 bits/],
    [askWith('', '{"a":"\\ud800"}'), 'JSON_INVALID', /surrogate/],
    [`${ask({}).slice(0, -1)},"entities":[]}`, 'REQUEST_INVALID', /twice/],
  ]
  const result = await answers(...cases.flatMap(([line]) => [line, ask({})]))
  expect(result.code).toBe(EXIT.failed)
  expect(result.answers).toEqual(cases.flatMap(([, code, message]) => [refused(code, message), allow]))
})

test('a schema lets escapes be left out, names the groups of actions, and is judged with what it is asked about', async () => {
  const schema = {
    '': {
      entityTypes: {
        User: {},
        File: {
          shape: { type: 'Record', attributes: { owner: { type: 'Entity', name: 'User' }, from: { type: 'Extension', name: 'ipaddr' } } },
        },
      },
      actions: {
        all: {},
        read: {
          memberOf: [{ id: 'all' }],
          appliesTo: { principalTypes: ['User'], resourceTypes: ['File'], context: { type: 'Record', attributes: {} } },
        },
      },
    },
  }
  const policies =
    'permit(principal, action in Action::"all", resource) when { resource.owner == principal && resource.from.isInRange(ip("10.0.0.0/8")) };'
  const entities = [{ uid: 'File::"a"', attrs: { owner: { type: 'User', id: 'ada' }, from: '10.1.2.3' }, parents: [] }]
  const invalid = { ...REQUEST, context: { extra: 1 } }
  const result = await answers(
    ask({ policies, schema, entities }),
    // The same entities without the schema: now they are texts and records.
    ask({ policies, entities }),
    ask({ policies, schema, entities }),
    ask({ policies, schema, entities, request: invalid }),
    ask({ policies, schema: null, entities, request: invalid }),
  )
  const none = { decision: 'deny', reasons: [], errors: [] }
  expect(result.answers).toEqual([allow, none, allow, refused('REQUEST_INVALID', /extra/), none])
})

test('names that mean something to JavaScript are names like any other', async () => {
  const policies =
    'permit(principal, action, resource) when { context has __proto__ && context.__proto__.a == 1 && !(context has constructor) && !(context has toString) };'
  expect((await answers(askWith(policies, '{"__proto__":{"a":1}}'))).answers).toEqual([allow])
})

test('an unknown of the engine’s own does not switch a forbid off', async () => {
  const policies = 'permit(principal, action, resource); forbid(principal, action, resource) when { context.path like "/etc/*" };'
  const { answers: given } = await answers(
    askWith(policies, '{"path":{"__extn":{"fn":"unknown","arg":"x"}}}'),
    askWith(policies, '{"path":"/etc/passwd"}'),
  )
  expect(given[0]).toHaveProperty('error')
  expect(given[1]).toEqual({ decision: 'deny', reasons: ['policy1'], errors: [] })
})

test('a policy that breaks the engine is refused alone: what stands around it is answered', async () => {
  const deep = `permit(principal, action, resource) when { ${'('.repeat(5000)}true${')'.repeat(5000)} };`
  const { code, answers: given } = await answers(ask({}), ask({ policies: deep }), ask({}), ask({ policies: deep }), ask({}))
  expect(code).toBe(EXIT.failed)
  const broken = refused('POLICY_ERROR', /the official engine failed/)
  expect(given).toEqual([allow, broken, allow, broken, allow])
})

test('a line that is too long or not UTF-8 is refused without being held, and the next is answered', async () => {
  const bytes = [Buffer.from(`${'x'.repeat(17 * 1024 * 1024)}\n`), Buffer.from([0xff, 0xfe, 10]), Buffer.from(ask({}))]
  const { code, out } = await ephor(['--ndjson'], Buffer.concat(bytes))
  const [long, binary, last] = out
    .trimEnd()
    .split('\n')
    .map((text) => JSON.parse(text) as Answer)
  expect(code).toBe(EXIT.failed)
  expect([long, binary, last]).toEqual([refused('BODY_TOO_LARGE', /16777216/), refused('JSON_INVALID', /UTF-8/), allow])
})

test('a line that takes too long is refused, and so is each that waits behind it as long', async () => {
  // No thread starts in a millisecond.
  const evaluator = startEvaluator(1)
  const given = await Promise.all([evaluator.ask(ask({})), evaluator.ask(ask({}))])
  evaluator.close()
  expect(given.map((text) => JSON.parse(text) as Answer)).toEqual([refused('POLICY_TIMEOUT', /1 ms/), refused('POLICY_TIMEOUT', /1 ms/)])
})

test('without --ndjson it says what to do', async () => {
  const { code, out, err } = await ephor([], '')
  expect([code, out]).toEqual([EXIT.usage, ''])
  expect(err).toContain('add --ndjson')
})
