/** `ephor policy init`, `fmt` and `test` on folders, without a server: what they write, what they refuse, and what hostile files can do. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { EXIT } from '../exit-codes.ts'
import { ephorIn } from '../run.fixture.ts'

const folder = mkdtempSync(join(tmpdir(), 'ephor-folders-'))

const ephor = ephorIn(folder)

test('what init writes is formatted, passes its own tests and covers all of itself', async () => {
  expect(await ephor('policy', 'init', 'start')).toMatchObject({ code: 0, out: expect.stringContaining('policies.test.yaml') })
  expect(await ephor('policy', 'fmt', 'start', '--check')).toMatchObject({ code: 0 })
  const tested = await ephor('policy', 'test', 'start', '--coverage')
  expect(tested).toMatchObject({ code: 0, err: '' })
  expect(tested.out).toContain('conditions: 100%')
  expect(tested.out).not.toContain('FAIL')
})

test('init overwrites nothing, whatever else the folder holds', async () => {
  mkdirSync(join(folder, 'mine'))
  writeFileSync(join(folder, 'mine', 'own.cedar'), 'mine')
  expect(await ephor('policy', 'init', 'mine')).toMatchObject({ code: EXIT.usage, err: expect.stringContaining('own.cedar') })
  expect(readdirSync(join(folder, 'mine'))).toEqual(['own.cedar'])
  writeFileSync(join(folder, 'file'), '')
  expect((await ephor('policy', 'init', 'file')).code).toBe(EXIT.usage)
})

test('fmt changes what is not in form, leaves what it cannot read, and with --check changes nothing', async () => {
  const at = (name: string) => join(folder, 'ugly', name)
  mkdirSync(join(folder, 'ugly'))
  writeFileSync(at('a.cedar'), '// why\npermit(principal,action,resource);')
  writeFileSync(at('b.cedar'), 'permit (')
  expect(await ephor('policy', 'fmt', 'ugly', '--check')).toMatchObject({
    code: EXIT.failed,
    out: expect.stringMatching(/b\.cedar:1:\d+: error POLICY_SYNTAX[\s\S]*Not formatted: .*a\.cedar/),
  })
  expect(readFileSync(at('a.cedar'), 'utf8')).toContain('permit(')
  expect((await ephor('policy', 'fmt', 'ugly')).code).toBe(EXIT.failed)
  expect(readFileSync(at('a.cedar'), 'utf8')).toBe('// why\npermit (principal, action, resource);\n')
  expect(readFileSync(at('b.cedar'), 'utf8')).toBe('permit (')
  expect(readdirSync(join(folder, 'ugly')).toSorted()).toEqual(['a.cedar', 'b.cedar'])
  expect(await ephor('policy', 'fmt', 'ugly/a.cedar')).toMatchObject({ code: 0, out: '1 of 1 files are as they should be.\n' })
})

const WORLD =
  'world: { agents: [{ name: a }], servers: [{ name: s }], tools: [{ tool: s/read, kind: read }, { tool: s/pay, kind: money }] }\n'

function folderOf(name: string, cases: string): string {
  mkdirSync(join(folder, name))
  writeFileSync(
    join(folder, name, 'p.cedar'),
    '@reason("r") permit (principal, action in Action::"read", resource) when { context.labels.isEmpty() };\n',
  )
  writeFileSync(join(folder, name, 'p.test.yaml'), `${WORLD}${cases}`)
  return name
}

test('what fails is shown with its place, as text, JSON, SARIF and JUnit, and the exit code says so', async () => {
  const name = folderOf('failing', 'cases:\n  - { name: "reads \\e[2J </testcase>", who: a, what: s/read, expect: deny }\n')
  const text = await ephor('policy', 'test', name, '--coverage', '--junit', 'out.xml')
  expect(text.code).toBe(EXIT.failed)
  expect(text.out).toContain('failing/p.test.yaml:3:5): expected deny, got permit because of p/1')
  expect(text.out).toContain('in no case does this not hold: when context.labels.isEmpty()')
  expect(text.out).toContain('s/pay: no policy speaks of it')
  // What a file says can't move the cursor of whoever runs its tests.
  expect(text.out).not.toContain('\u001b')
  const xml = readFileSync(join(folder, 'out.xml'), 'utf8')
  expect(xml).toContain('failures="1"')
  expect(xml.match(/<testcase /g)).toHaveLength(1)
  expect(JSON.parse((await ephor('policy', 'test', name, '--json', '--coverage')).out)).toMatchObject({
    ok: false,
    results: [{ file: 'p.test.yaml', line: 3, ok: false }],
    coverage: { uncovered: ['s/pay'] },
  })
  const sarif = JSON.parse((await ephor('policy', 'test', name, '--sarif')).out) as { runs: { results: object[] }[] }
  expect(sarif.runs[0]?.results).toMatchObject([
    {
      ruleId: 'CASE_FAILED',
      level: 'error',
      locations: [{ physicalLocation: { artifactLocation: { uri: 'failing/p.test.yaml' }, region: { startLine: 3, startColumn: 5 } } }],
    },
  ])
})

test('a file of cases that can not be read fails the tests, also for build servers', async () => {
  const name = folderOf('broken', 'cases: [{ name: x, whom: a }]\n')
  const { code, out } = await ephor('policy', 'test', name, '--junit', 'broken.xml')
  expect([code, out.includes('error CASES_UNKNOWN')]).toEqual([EXIT.failed, true])
  expect(readFileSync(join(folder, 'broken.xml'), 'utf8')).toMatch(/failures="[1-9]/)
  const empty = folderOf('empty', '')
  expect(await ephor('policy', 'test', empty)).toMatchObject({ code: EXIT.failed, out: expect.stringContaining('0 of 0') })
})
