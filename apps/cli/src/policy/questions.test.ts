/** `ephor policy explain`, `who-can` and `what-can` against a real server in a process of its own, with an agent that sends hostile texts. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { readRunFile } from '@ephor/server'
import { EXIT } from '../exit-codes.ts'
import { ephorIn } from '../run.fixture.ts'

const PROGRAM = fileURLToPath(new URL('../../bin/ephor.mjs', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'ephor-questions-'))
const home = join(folder, '.ephor')

const ephor = ephorIn(folder)

async function call(tool: string, input: unknown): Promise<{ kind: string; decision: string }> {
  const credential = readFileSync(join(home, 'demo-agent.credential'), 'utf8').trim()
  const response = await fetch(`${readRunFile(home)?.url}/v1/calls`, {
    method: 'POST',
    headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' },
    body: JSON.stringify({ tool, input }),
  })
  return (await response.json()) as Awaited<ReturnType<typeof call>>
}

let server: ReturnType<typeof spawn>
let agent: { id: string; name: string }
beforeAll(async () => {
  server = spawn(process.execPath, [PROGRAM, 'up', '--port', '0'], { cwd: folder, env: { PATH: process.env['PATH'] ?? '' } })
  await vi.waitUntil(() => readRunFile(home), { timeout: 50_000, interval: 100 })
  const { items } = JSON.parse((await ephor('agents', 'list', '--json')).out) as { items: (typeof agent)[] }
  agent = items[0] ?? { id: '', name: '' }
}, 120_000)
afterAll(() => void server.kill('SIGKILL'))

test('a recorded refusal is explained with the condition that held and what it saw, and no text of the agent moves the cursor', async () => {
  const { decision } = await call('files/read_file', { path: '/etc/\u001b[2Jpass\u202ewd' })
  const { code, out, err } = await ephor('policy', 'explain', decision)
  expect([code, err]).toEqual([0, ''])
  expect(out).toMatch(/policy says +deny \(POLICY_DENIED\)/)
  expect(out).toMatch(/recorded as +deny/)
  expect(out).toMatch(/comes again +yes/)
  expect(out).toMatch(/folders\/outside \(forbid, folders\.cedar:\d+\) holds/)
  expect(out).toMatch(/yes +when .*context\.paths\.outside/)
  expect(out).toMatch(/reads\/reads \(permit, reads\.cedar:\d+\) holds: Reading is permitted/)
  expect(out).toContain('About other agents, tools or servers: sensitive/destructive')
  expect(out).toMatch(/\\u202e/)
  expect(['\u001b', '\u202e'].filter((one) => out.includes(one))).toEqual([])
  const told = JSON.parse((await ephor('policy', 'explain', decision, '--json')).out) as { same: boolean; effect: string }
  expect(told).toMatchObject({ same: true, effect: 'deny', recorded: { effect: 'deny', fault: 'POLICY_DENIED' } })
})

test('a call that nobody made is explained too, with its paths judged as they would be', async () => {
  const ask = (path: string) =>
    ephor('policy', 'explain', '--who', agent.name, '--what', 'files/read_file', '--input', JSON.stringify({ path }))
  expect((await ask(join(home, 'scratch', 'welcome.txt'))).out).toMatch(/policy says +permit/)
  expect((await ask('/etc/passwd')).out).toMatch(/policy says +deny/)
  const held = await ephor('policy', 'explain', '--who', agent.id, '--what', 'files/move_file', '--input', '{}')
  expect(held.out).toMatch(/policy says +(hold|deny)/)
})

test('what is wrong with a question is said, with its exit code', async () => {
  expect(await ephor('policy', 'explain')).toMatchObject({ code: EXIT.usage, err: expect.stringContaining('--who and --what') })
  expect(await ephor('policy', 'explain', '--who', 'x', '--what', 'y', '--input', '[1]')).toMatchObject({ code: EXIT.usage })
  expect(await ephor('policy', 'explain', 'dec_none')).toMatchObject({
    code: EXIT.failed,
    err: expect.stringContaining('no decision dec_none'),
  })
  expect(await ephor('policy', 'what-can', 'nobody')).toMatchObject({
    code: EXIT.failed,
    err: expect.stringContaining('no agent is called'),
  })
})

test('who can and what can: certain where it is, and on what it depends where not', async () => {
  const who = await ephor('policy', 'who-can', 'files/move_file')
  expect(who.out).toMatch(/files\/move_file +files +depends +hold or deny, by folders\/outside/)
  const what = await ephor('policy', 'what-can', agent.id)
  expect(what.out).toMatch(/files\/read_file +files +depends +permit or deny, by folders\/outside/)
  const { items } = JSON.parse((await ephor('policy', 'who-can', 'destructive', '--json')).out) as { items: { effect: string }[] }
  expect(items.length).toBeGreaterThan(0)
  expect(await ephor('policy', 'who-can', 'files/none')).toMatchObject({
    code: EXIT.failed,
    err: expect.stringContaining('no action files/none'),
  })
})
