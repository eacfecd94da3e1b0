/** `ephor policy analyze`, `diff` and `check --sarif` against a real server in a process of its own. */
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { readRunFile } from '@ephor/server'
import { EXIT } from '../exit-codes.ts'
import { ephorIn } from '../run.fixture.ts'

const PROGRAM = fileURLToPath(new URL('../../bin/ephor.mjs', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'ephor-analyze-'))

const ephor = ephorIn(folder)

let server: ReturnType<typeof spawn>
beforeAll(async () => {
  server = spawn(process.execPath, [PROGRAM, 'up', '--port', '0'], { cwd: folder, env: { PATH: process.env['PATH'] ?? '' } })
  await vi.waitUntil(() => readRunFile(join(folder, '.ephor')), { timeout: 50_000, interval: 100 })
  cpSync(fileURLToPath(new URL('../../../../policies', import.meta.url)), join(folder, 'mine'), {
    recursive: true,
    filter: (name) => !name.endsWith('.ts'),
  })
}, 120_000)
afterAll(() => void server.kill('SIGKILL'))

test('the policies as they come have no findings', async () => {
  expect(await ephor('policy', 'analyze', './mine')).toMatchObject({
    code: 0,
    err: '',
    out: expect.stringMatching(/^0 findings; \d+ questions/),
  })
})

test('a permit that a forbid takes back is shown with its place and an example, as text, JSON and SARIF', async () => {
  const writes = readFileSync(join(folder, 'mine', 'writes.cedar'), 'utf8')
  writeFileSync(
    join(folder, 'mine', 'writes.cedar'),
    `${writes}\n@id("stop") @reason("r") forbid (principal, action in Action::"write", resource);\n`,
  )
  const { code, out } = await ephor('policy', 'analyze', './mine')
  expect(code).toBe(0)
  expect(out).toMatch(/^mine\/writes\.cedar:\d+:1: warning SHADOWED_PERMIT: .* \(writes\/writes\)\n {4}.*\n {4}for example: Agent::"/m)
  expect(JSON.parse((await ephor('policy', 'analyze', './mine', '--json')).out)).toMatchObject({
    findings: [{ code: 'SHADOWED_PERMIT', basis: 'proven' }],
  })
  const { runs } = JSON.parse((await ephor('policy', 'analyze', './mine', '--sarif')).out) as { runs: { results: object[] }[] }
  expect(runs[0]?.results).toMatchObject([
    { ruleId: 'SHADOWED_PERMIT', locations: [{ physicalLocation: { artifactLocation: { uri: 'mine/writes.cedar' } } }] },
  ])
})

test('a difference is told in one sentence, and what is the same is counted', async () => {
  const { code, out } = await ephor('policy', 'diff', 'active', './mine')
  expect(code).toBe(0)
  expect(out).toMatch(/^- newly refused: any agent, .*the forbid writes\/stop \(new\) applies to all; for example: Agent /)
  expect(out).toMatch(/\n1 differences; \d+ actions are decided alike, which is proven\.\n$/)
})

test('errors of the texts end in a code of their own: nothing is claimed of them', async () => {
  writeFileSync(join(folder, 'mine', 'wrong.cedar'), 'permit (principal, action, resource) when { context.nothing };\n')
  expect(await ephor('policy', 'analyze', './mine')).toMatchObject({
    code: EXIT.failed,
    out: expect.stringContaining('error ATTRIBUTE_UNKNOWN'),
  })
  expect(await ephor('policy', 'diff', 'active', './mine')).toMatchObject({
    code: EXIT.failed,
    out: expect.stringContaining('Nothing was compared: ./mine has errors.'),
  })
  const { code, out } = await ephor('policy', 'check', './mine', '--sarif')
  expect(code).toBe(EXIT.failed)
  expect(JSON.parse(out)).toMatchObject({
    version: '2.1.0',
    runs: [{ results: expect.arrayContaining([expect.objectContaining({ ruleId: 'ATTRIBUTE_UNKNOWN', level: 'error' })]) as object }],
  })
  expect(await ephor('policy', 'diff', 'active', './nowhere')).toMatchObject({ code: EXIT.failed, err: expect.stringContaining('nowhere') })
})
