/** Small policy folders with known answers: what has to be found, and what must not be. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { toolOf, world } from '../policy.fixture.ts'
import type { PolicyWorld } from '../types.ts'
import { checkFiles } from '../check-files.ts'
import type { Checked } from '../check-files.ts'
import { analyze, examine } from './analyze.ts'
import type { Analysis } from './types.ts'
import { startSolver } from './start-solver.ts'

// Reading and solving take processor time, of which other tests take some.
vi.setConfig({ testTimeout: 120_000 })

// One solver for all: starting it is most of the time that a small folder takes.
const solver = startSolver({ questionMs: 60_000, totalMs: 900_000 })
afterAll(() => solver.close())

const AGENT = 'principal is Agent'
const WRITE = 'action == Action::"fs/write"'
const READ = 'action == Action::"fs/read"'
const PAY = 'action == Action::"mail/pay"'

/** `@id` by position: p1, p2, … */
const written = (policies: readonly string[]) => policies.map((policy, i) => `@id("p${i + 1}") @reason("r") ${policy}`).join('\n')

/** Without what Cedar's own validator warns of as well. */
function codesIn({ findings }: Analysis): string[] {
  const ours = findings.filter(({ code }) => code !== 'POLICY_IMPOSSIBLE')
  return ours.map(({ code, policy }) => `${code} ${policy?.split('/')[1] ?? ''}`.trim()).toSorted()
}

async function codesOf(policies: readonly string[], in_: PolicyWorld = world, charter?: string) {
  const files = { 'a.cedar': written(policies), ...(charter === undefined ? {} : { 'charter.yaml': charter }) }
  const checked = await checkFiles(files, in_)
  expect(checked.findings.filter(({ severity }) => severity === 'error')).toEqual([])
  const analysis = await examine(checked, { files, world: in_, solver, until: Infinity })
  return { codes: codesIn(analysis), ...analysis }
}

const when = (head: string, condition: string) => `${head} when { ${condition} };`
const permit = (action: string, condition: string, who = AGENT) => when(`permit (${who}, ${action}, resource)`, condition)
const forbid = (action: string, condition: string, who = AGENT) => when(`forbid (${who}, ${action}, resource)`, condition)
const path = 'context.input.path'
const lines = 'context.input has lines && context.input.lines'

const LABELLED: [name: string, policies: string[], codes: string[]][] = [
  ['numbers that contradict each other', [permit(READ, `${lines} > 5 && context.input.lines < 3`)], ['NEVER_APPLIES p1']],
  ['numbers that only just fit', [permit(READ, `${lines} > 5 && context.input.lines < 7`)], []],
  ['sums that contradict each other', [permit(READ, `${lines} - 2 > 5 && context.input.lines + 2 < 9`)], ['NEVER_APPLIES p1']],
  ['patterns that contradict each other', [permit(WRITE, `${path} like "/srv/*" && !(${path} like "/srv*")`)], ['NEVER_APPLIES p1']],
  ['patterns of which one is within the other', [permit(WRITE, `${path} like "/srv/*" && !(${path} like "/srv/*.key")`)], []],
  ['a star that is a character', [permit(WRITE, String.raw`${path} like "a\*" && ${path} == "ab"`)], ['NEVER_APPLIES p1']],
  ['a star that is any text', [permit(WRITE, `${path} like "a*" && ${path} == "ab"`)], []],
  ['texts beyond ASCII, quotes and escapes', [permit(WRITE, String.raw`${path} like "*é\"\u{1F600}*" && ${path} like "\\*"`)], []],
  ['a guard that is always false', [permit(READ, 'context.input has lines && !(context.input has lines)')], ['NEVER_APPLIES p1']],
  ['a guard before a value', [permit(READ, `${lines} == 4`), permit(READ, '!(context.input has lines)')], []],
  [
    'a set that holds and does not hold',
    [permit(READ, 'context.labels.contains("a") && ["b"].containsAll(context.labels)')],
    ['NEVER_APPLIES p1'],
  ],
  [
    'an empty set that holds something',
    [permit(READ, 'context.labels.isEmpty() && context.labels.containsAny(["a", "b"])')],
    ['NEVER_APPLIES p1'],
  ],
  ['a set with two members', [permit(READ, 'context.labels.containsAll(["a", "b"]) && !context.labels.contains("c")')], []],
  ['two owners at once', [permit(READ, 'principal.owner == "per_1" && principal.owner == "per_2"')], ['NEVER_APPLIES p1']],
  ['a team and an owner', [permit(READ, 'principal.owner == "per_1"', 'principal in Team::"ops"')], []],
  ['an action in a group that it is not in', [permit(WRITE, 'action in Action::"read"')], ['NEVER_APPLIES p1']],
  ['an action in its group', [permit(WRITE, 'action in Action::"risk:low"')], []],
  ['hours that there are not', [permit(READ, 'context.time.hour == 24')], ['NEVER_APPLIES p1']],
  [
    'a weekday and its time that disagree',
    [permit(READ, 'context.time.now < datetime("1970-01-02") && context.time.weekday == 1')],
    ['NEVER_APPLIES p1'],
  ],
  ['a working day', [permit(READ, 'context.time.hour >= 9 && context.time.hour < 17 && context.time.weekday <= 5')], []],
  [
    'a permit within a forbid',
    [permit(WRITE, `${path} like "/srv/tmp/*"`), forbid('action', 'action in Action::"write"'), permit(READ, `${lines} == 1`)],
    ['SHADOWED_PERMIT p1'],
  ],
  [
    'a permit that two forbids share out',
    [
      permit(PAY, 'context.input has amount'),
      forbid(PAY, 'context.input has amount && context.input.amount > 5'),
      forbid(PAY, 'context.input has amount && context.input.amount <= 5'),
    ],
    ['SHADOWED_PERMIT p1'],
  ],
  [
    'a permit beside a forbid',
    [permit(PAY, 'context.input has amount'), forbid(PAY, 'context.input has amount && context.input.amount > 5')],
    [],
  ],
  ['a forbid where nothing is permitted', [permit(READ, `${lines} == 1`), forbid(WRITE, `${path} == "/etc"`)], ['NEEDLESS_FORBID p2']],
  [
    'a forbid beside a permit for other values',
    [permit(WRITE, `${path} == "/a"`), forbid(WRITE, `${path} like "/b*"`)],
    ['NEEDLESS_FORBID p2'],
  ],
  [
    'an ask that a forbid cuts off',
    [
      permit(PAY, 'context.input has amount'),
      `@approval("") ${forbid(PAY, 'context.input has amount && context.input.amount > 9')}`,
      forbid(PAY, 'context.input has amount && context.input.amount > 5'),
    ],
    ['SHADOWED_ASK p2'],
  ],
  [
    'an ask for the middle',
    [
      permit(PAY, 'context.input has amount'),
      `@approval("") ${forbid(PAY, 'context.input has amount && context.input.amount > 5')}`,
      forbid(PAY, 'context.input has amount && context.input.amount > 9'),
    ],
    [],
  ],
  [
    'two permits of which one says all',
    [permit(WRITE, `${path} like "/srv/a/*"`), permit(WRITE, `${path} like "/srv/*"`)],
    ['REDUNDANT p1'],
  ],
  ['two equal permits: one stays', [permit(READ, `${lines} == 1`), permit(READ, `${lines} == 1`)], ['REDUNDANT p1']],
  [
    'an obligation is not redundant',
    [`@obligation("timeout:1s") ${permit(WRITE, `${path} like "/srv/a/*"`)}`, permit(WRITE, `${path} like "/srv/*"`)],
    [],
  ],
  ['a product that overflows', [permit(PAY, 'context.input has amount && context.input.amount * 1024 * 4 > 5')], ['CAN_FAIL p1']],
  [
    'a product that is bounded first',
    [
      permit(
        PAY,
        'context.input has amount && context.input.amount < 100 && context.input.amount > 0 && context.input.amount * 1024 * 4 > 5',
      ),
    ],
    [],
  ],
  ['any agent may send', [`permit (${AGENT}, action in Action::"external", resource);`], ['UNCONSTRAINED_PERMIT p1']],
  ['any agent may read', [`permit (${AGENT}, action in Action::"read", resource);`], []],
  [
    'any agent may send once a person agrees',
    [
      `permit (${AGENT}, action in Action::"external", resource);`,
      `@approval("") forbid (${AGENT}, action in Action::"external", resource);`,
    ],
    [],
  ],
  [
    'an approval that no policy asks for',
    [permit(PAY, 'context.approvals.contains("a/p9")')],
    ['APPROVAL_IMPOSSIBLE p1', 'NEVER_APPLIES p1'],
  ],
  [
    'an approval that a policy asks for',
    [permit(PAY, 'context.approvals.contains("a/p2")'), `@approval("") ${forbid(PAY, 'context.input has amount')}`],
    [],
  ],
]

// Read at once, a file each, and then reasoned about one by one.
let labelled: Checked
beforeAll(async () => {
  const files = LABELLED.map(([, policies], i): [string, string] => [`c${i}.cedar`, written(policies).replaceAll('"a/', `"c${i}/`)])
  labelled = await checkFiles(Object.fromEntries(files), world)
  const error = labelled.findings.find(({ severity }) => severity === 'error')
  if (error) throw new Error(`${error.file}: ${error.message}`)
}, 120_000)

test.each(LABELLED.map((one, i) => [...one, i] as const))('%s', async (_, __, codes, i) => {
  const policies = new Map([...labelled.policies].filter(([id]) => id.startsWith(`c${i}/`)))
  const analysis = await examine({ ...labelled, policies, findings: [] }, { files: {}, world, solver, until: Infinity })
  expect(codesIn(analysis)).toEqual(codes)
  expect(analysis.undecided).toEqual([])
})

test('a finding has a place, what to do, and a request that was evaluated', async () => {
  const { findings } = await codesOf([
    permit(WRITE, `${path} like "/srv/tmp/*"`),
    forbid(WRITE, `${path} like "/srv*"`),
    permit(WRITE, `${path} == "x"`),
  ])
  expect(findings).toEqual([
    {
      code: 'SHADOWED_PERMIT',
      severity: 'warning',
      file: 'a.cedar',
      line: 1,
      column: 1,
      policy: 'a/p1',
      message: 'everything that this permits is refused, in the example by a/p2',
      suggestion: 'narrow the forbid, or remove the permit',
      basis: 'proven',
      witness: expect.objectContaining({
        principal: { type: 'Agent', id: 'agt_1' },
        action: { type: 'Action', id: 'fs/write' },
        resource: { type: 'ToolServer', id: 'fs' },
        context: expect.objectContaining({ input: { path: expect.stringMatching(/^\/srv\/tmp\//) as string } }) as object,
      }) as object,
    },
  ])
})

test('the default policies have no finding, and nothing of them stays open', async () => {
  const folder = fileURLToPath(new URL('../../../../../policies/', import.meta.url))
  const files = Object.fromEntries(
    readdirSync(folder)
      .filter((name) => name.endsWith('.cedar'))
      .map((name) => [name, readFileSync(folder + name, 'utf8')]),
  )
  expect(await analyze(files, world)).toMatchObject({ findings: [], undecided: [] })
  expect(await analyze(files, { agents: [], servers: [], tools: [] })).toMatchObject({ findings: [], undecided: [] })
})

test('asks that the people there are can’t answer', async () => {
  const people = [
    { id: 'per_1', groups: ['finance'] },
    { id: 'per_2', groups: [] },
  ]
  const asks = (terms: string) => [
    permit(PAY, 'context.input has amount'),
    `@approval("${terms}") ${forbid(PAY, 'context.input has amount')}`,
  ]
  const severities = async (terms: string, in_ = people) =>
    (await codesOf(asks(terms), { ...world, people: in_ })).findings.map(({ code, severity }) => `${severity} ${code}`)
  expect(await severities('group:finance')).toEqual([])
  expect(await severities('group:finance quorum:2')).toEqual(['error APPROVAL_IMPOSSIBLE'])
  expect(await severities('group:nobody')).toEqual(['error APPROVAL_IMPOSSIBLE'])
  expect(await severities('quorum:2')).toEqual([])
  expect(await severities('quorum:3')).toEqual(['error APPROVAL_IMPOSSIBLE'])
  expect(await severities('group:finance deadline:5m escalate:board')).toEqual(['warning APPROVAL_IMPOSSIBLE'])
  // Without knowing who there is, nothing is said.
  expect((await codesOf(asks('group:nobody'))).codes).toEqual([])
})

test('what charter and policies say against each other', async () => {
  const risky = permit(PAY, 'context.risk.tier == "critical"')
  expect((await codesOf([risky], world, 'appetite: { refuse: high }')).codes).toEqual(['CHARTER_CONTRADICTION p1'])
  expect((await codesOf([risky], world, 'appetite: { confirm: high }')).codes).toEqual([])
  expect((await codesOf([permit(WRITE, `${path} == "a"`)], world, 'autonomy: { default: observe }')).codes).toEqual([
    'CHARTER_CONTRADICTION p1',
  ])
  expect((await codesOf([permit(READ, `${lines} == 1`)], world, 'autonomy: { default: observe }')).codes).toEqual([])
  const alone = 'autonomy:\n  rules:\n    - { mode: autonomous, actions: [write] }\n'
  const held = [permit(WRITE, `${path} like "/srv/*"`), `@approval("") forbid (${AGENT}, action in Action::"write", resource);`]
  const { findings } = await codesOf(held, world, alone)
  expect(findings).toMatchObject([{ code: 'CHARTER_CONTRADICTION', file: 'charter.yaml', line: 3, column: 37 }])
  expect((await codesOf(held.slice(0, 1), world, alone)).codes).toEqual([])
})

test('policies with errors are not reasoned about', async () => {
  const analysis = await analyze({ 'a.cedar': 'permit (principal, action, resource) when { context.nothing };' }, world)
  expect(analysis.findings.map(({ code }) => code)).toContain('ATTRIBUTE_UNKNOWN')
  expect(analysis.work.questions).toBe(0)
})

test('a question that takes too long stays open, and nothing is claimed', async () => {
  const cubes = toolOf(
    'cubes',
    'money',
    { x: { type: 'integer' }, y: { type: 'integer' }, z: { type: 'integer' } },
    { required: ['x', 'y', 'z'] },
  )
  const [x, y, z] = ['x', 'y', 'z'].map((name) => `context.input.${name}`)
  const fermat = permit(
    'action == Action::"fs/cubes"',
    `${x} > 0 && ${y} > 0 && ${z} > 0 && ${x} * ${x} * ${x} + ${y} * ${y} * ${y} == ${z} * ${z} * ${z}`,
  )
  const started = performance.now()
  const analysis = await analyze(
    { 'a.cedar': `@reason("r") ${fermat}` },
    { ...world, tools: [...world.tools, cubes] },
    { questionMs: 1500, totalMs: 6000 },
  )
  expect(performance.now() - started).toBeLessThan(60_000)
  expect(analysis.findings.map(({ code }) => code).filter((code) => code !== 'CAN_FAIL')).toEqual([])
  expect(analysis.undecided).toContainEqual({ policy: 'a/1', question: 'whether it can ever apply', actions: ['fs/cubes'] })
})

test('patterns that would blow up a backtracking matcher are answered, or stay open, in time', async () => {
  const stars = (n: number, end: string) => `${path} like "${'*a'.repeat(n)}*${end}"`
  const started = performance.now()
  const { codes } = await codesOf([
    permit(WRITE, `${stars(60, 'b')} && !(${stars(30, '')})`),
    permit(WRITE, `${stars(40, 'b')} && ${stars(41, 'c')}`),
  ])
  expect(performance.now() - started).toBeLessThan(90_000)
  // Both are impossible; whatever is said has to agree with that.
  expect(codes.every((code) => code.startsWith('NEVER_APPLIES'))).toBe(true)
})

test('the deepest and longest that is let through is answered in time', async () => {
  const long = Array.from({ length: 180 }, (_, i) => `${path} != "${i}"`).join(' && ')
  const sum = Array(230).fill('context.session.calls').join(' + ')
  const deep = `${'('.repeat(30)}true${')'.repeat(30)}`
  const nested = `${'if context.session.calls > 3 then false else '.repeat(20)}true`
  const started = performance.now()
  const analysis = await codesOf([permit(WRITE, long), permit(WRITE, `${sum} > 5`), permit(WRITE, `${deep} && (${nested})`)])
  expect(performance.now() - started).toBeLessThan(90_000)
  expect(analysis.codes.filter((code) => code.startsWith('NEVER_APPLIES'))).toEqual([])
})
