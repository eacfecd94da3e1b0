/** Tests of the command line against a real server in a process of its own: verbs, output, exit codes, signals. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { readRunFile } from '@ephor/server'
import { EXIT } from './exit-codes.ts'
import { ephorIn } from './run.fixture.ts'

const PROGRAM = fileURLToPath(new URL('../bin/ephor.mjs', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'ephor-cli-'))
const home = join(folder, '.ephor')

function up(cwd: string, flags: string[] = [], environment: Record<string, string> = {}): ChildProcess & { text: () => string } {
  const child = spawn(process.execPath, [PROGRAM, 'up', '--port', '0', ...flags], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', ...environment },
  })
  let text = ''
  child.stdout.on('data', (data: Buffer) => (text += data.toString()))
  child.stderr.on('data', (data: Buffer) => (text += data.toString()))
  return Object.assign(child, { text: () => text })
}
const exitOf = (child: ChildProcess) => new Promise<number | null>((resolve) => child.once('exit', resolve))

const ephor = ephorIn(folder)
async function json(...argv: string[]): Promise<Record<string, unknown> & { items: Record<string, string>[] }> {
  const { code, out, err } = await ephor(...argv, '--json')
  expect([code, err]).toEqual([0, ''])
  return JSON.parse(out) as Awaited<ReturnType<typeof json>>
}

async function call(tool: string, input: unknown): Promise<{ kind: string; decision: string; approval: { id: string } }> {
  const credential = readFileSync(join(home, 'demo-agent.credential'), 'utf8').trim()
  const response = await fetch(`${readRunFile(home)?.url}/v1/calls`, {
    method: 'POST',
    headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' },
    body: JSON.stringify({ tool, input }),
  })
  return (await response.json()) as Awaited<ReturnType<typeof call>>
}

let server: ReturnType<typeof up>
beforeAll(async () => {
  server = up(folder)
  await vi.waitUntil(() => readRunFile(home), { timeout: 50_000, interval: 100 })
}, 60_000)
afterAll(async () => {
  server.kill('SIGTERM')
  await exitOf(server)
}, 20_000)

const scratch = (name: string) => join(home, 'scratch', name)

test('a held call is listed, shown with its exact arguments, and approved', async () => {
  const held = await call('files/move_file', { source: scratch('welcome.txt'), destination: scratch('new\u202etxt') })
  expect(held.kind).toBe('held')
  expect((await ephor('approvals', 'list')).out).toContain(held.approval.id)
  const shown = await ephor('approvals', 'show', held.approval.id)
  // An agent's text can't turn the direction of a line that a person decides by.
  expect(shown.out).toContain('new\\u202etxt')
  expect(shown.out).toContain('This can destroy or overwrite')
  expect(shown.out).toContain('0 of 1 so far, needs: anyone')
  expect(await ephor('approvals', 'approve', held.approval.id, '--note', 'fine')).toMatchObject({
    code: 0,
    out: expect.stringContaining('Approved'),
  })
  expect(await ephor('approvals', 'deny', held.approval.id)).toMatchObject({
    code: EXIT.failed,
    err: expect.stringMatching(/^ephor: The approval was already decided/),
  })
  expect((await ephor('approvals', 'list')).out).toBe('Nothing waits for a person.\n')
})

test('decisions are listed, filtered and shown', async () => {
  const { decision } = await call('files/read_file', { path: '/etc/passwd' })
  const { items } = await json('decisions', 'list', '--effect', 'deny')
  expect(items[0]).toMatchObject({ id: decision, effect: 'deny', fault: 'POLICY_DENIED' })
  expect((await ephor('decisions', 'show', decision)).out).toMatch(/effect +deny[\s\S]*outside the folders[\s\S]*"path": "\/etc\/passwd"/)
})

test('agents are registered, given a credential that is shown once, and retired', async () => {
  const agent = await json('agents', 'add', 'invoices', '--purpose', 'files invoices')
  const id = String(agent['id'])
  const issued = await json('agents', 'token', id)
  expect(issued['secret']).toMatch(/^eph_/)
  expect((await ephor('agents', 'token', id, '--list')).out).not.toContain(String(issued['secret']))
  expect((await ephor('agents', 'token', id, '--revoke', String(issued['id']))).code).toBe(0)
  expect((await ephor('agents', 'retire', id)).out).toContain('Retired')
})

test('tools are listed and classified', async () => {
  expect((await ephor('tools', 'list', '--server', 'files')).out).toMatch(/files\/move_file +accepted +destructive/)
  expect((await ephor('tools', 'classify', 'files/create_directory', '--risk', 'low')).out).toBe(
    'files/create_directory is write, risk low, paths /path.\n',
  )
  expect((await ephor('tools', 'classify', 'nonsense', '--risk', 'low')).code).toBe(EXIT.usage)
})

test('the ledger verifies as it is and as an export; a changed byte does not, and says so by its exit code', async () => {
  expect((await ephor('ledger', 'verify')).out).toMatch(/^Verified: \d+ entries/)
  const evidence = join(folder, 'evidence')
  expect((await ephor('ledger', 'export', evidence)).code).toBe(0)
  expect((await ephor('ledger', 'verify', evidence)).code).toBe(0)
  expect((await ephor('ledger', 'export', evidence)).err).toContain('is not empty')
  expect((await ephor('ledger', 'proof', '0')).out).toMatch(/^c2sp\.org\/tlog-proof@v1/)
  const entries = join(evidence, 'tile', 'entries')
  const bundle = readdirSync(entries, { recursive: true, withFileTypes: true }).find((found) => found.isFile())
  const file = join(bundle?.parentPath ?? '', bundle?.name ?? '')
  const bytes = readFileSync(file)
  bytes[100] = (bytes[100] ?? 0) ^ 1
  writeFileSync(file, bytes)
  expect(await ephor('ledger', 'verify', evidence)).toMatchObject({ code: EXIT.failed, out: expect.stringMatching(/^Does not verify/) })
})

test('policies are shown and checked, with the place of a mistake', async () => {
  expect((await ephor('policy', 'show')).out).toContain('sensitive/destructive')
  expect((await ephor('policy', 'check')).code).toBe(0)
  const wrong = mkdtempSync(join(tmpdir(), 'ephor-policy-'))
  writeFileSync(join(wrong, 'a.cedar'), '@id("a")\n@reason("a")\npermit (principal, action, resource)\nwhen { context.inptu.x == 1 };\n')
  expect(await ephor('policy', 'check', wrong)).toMatchObject({ code: EXIT.failed, out: expect.stringMatching(/a\.cedar:\d+:\d+: error/) })
})

test('the policy pack decides as its tests say, and a wrong expectation fails', async () => {
  const pack = fileURLToPath(new URL('../../../policies', import.meta.url))
  expect(await ephor('policy', 'test', pack)).toMatchObject({ code: 0, out: expect.stringContaining('cases as expected') })
  const folderOf = mkdtempSync(join(tmpdir(), 'ephor-policy-'))
  writeFileSync(join(folderOf, 'a.cedar'), readFileSync(join(pack, 'reads.cedar')))
  writeFileSync(
    join(folderOf, 'a.test.yaml'),
    'world: { agents: [{ name: a }], servers: [{ name: s }], tools: [{ tool: s/pay, kind: money }] }\ncases: [{ name: pays, who: a, what: s/pay, expect: permit }]\n',
  )
  expect(await ephor('policy', 'test', folderOf)).toMatchObject({
    code: EXIT.failed,
    out: expect.stringContaining('expected permit, got deny (POLICY_NO_PERMIT)'),
  })
  writeFileSync(join(folderOf, 'a.test.yaml'), 'cases: []\n')
  expect(await ephor('policy', 'test', folderOf)).toMatchObject({
    code: EXIT.failed,
    out: expect.stringContaining('a.test.yaml:1:1: error CASES_INVALID: world'),
  })
})

test('doctor finds everything in order, and login makes a link', async () => {
  const { code, out } = await ephor('doctor')
  expect([code, out.includes('PROBLEM')]).toEqual([0, false])
  expect((await ephor('login')).out).toMatch(/\/#code=epl_/)
})

test('usage, settings and an unreachable server have their own exit codes and one sentence each', async () => {
  expect((await ephor('nonsense')).code).toBe(EXIT.usage)
  expect((await ephor('--help')).out).toContain('Exit codes:')
  expect(await ephor('config', 'show', '--port', 'many')).toMatchObject({
    code: EXIT.usage,
    err: expect.stringContaining('the setting "port" (from --port) must be a number'),
  })
  expect(await ephor('decisions', 'list', '--url', 'http://127.0.0.1:1')).toMatchObject({ code: EXIT.unreachable })
  expect(await ephor('decisions', 'list', '--url', 'http://elsewhere.example')).toMatchObject({
    code: EXIT.forbidden,
    err: expect.stringContaining('EPHOR_CREDENTIAL'),
  })
  const { code, out } = await ephor('config', 'show', '--no-demo', '--json')
  expect(code).toBe(0)
  expect((JSON.parse(out) as { settings: unknown[] }).settings).toContainEqual(
    expect.objectContaining({ name: 'demo', value: false, source: 'flag' }),
  )
})

test('the log of a server without a terminal is JSON lines without any link or credential', () => {
  const lines = server.text().trim().split('\n')
  for (const text of lines) expect(() => JSON.parse(text) as unknown).not.toThrow()
  expect(server.text()).not.toMatch(/epl_|eph_|eps_/)
})

test('a second ephor on the folder exits with one sentence; a misspelt setting too', async () => {
  const second = up(folder)
  expect(await exitOf(second)).toBe(EXIT.machine)
  expect(second.text()).toMatch(/^ephor: Another Ephor runs on this data folder: [^\n]*\n$/)
  const misspelt = up(folder, [], { EPHOR_PROT: '1' })
  expect(await exitOf(misspelt)).toBe(EXIT.usage)
  expect(misspelt.text()).toContain('did you mean "EPHOR_PORT"?')
})

test('SIGTERM stops it cleanly, after which the ledger is exported without a server', async () => {
  const other = mkdtempSync(join(tmpdir(), 'ephor-cli-'))
  const child = up(other, ['--no-demo'])
  await expect.poll(() => readRunFile(join(other, '.ephor')), { timeout: 30_000 }).toBeDefined()
  child.kill('SIGTERM')
  expect(await exitOf(child)).toBe(0)
  expect(readRunFile(join(other, '.ephor'))).toBeUndefined()
  const evidence = join(other, 'evidence')
  expect(await ephor('ledger', 'export', evidence, '--home', join(other, '.ephor'))).toMatchObject({ code: 0 })
  expect(await ephor('ledger', 'verify', evidence)).toMatchObject({ code: 0 })
}, 60_000)

/** A tool server whose one tool answers after `ms`, and says in a file that it ran. */
function slowServer(ms: number): string {
  const file = join(mkdtempSync(join(tmpdir(), 'ephor-slow-')), 'slow.mjs')
  writeFileSync(
    file,
    `import { createInterface } from 'node:readline'
const say = (id, result) => console.log(JSON.stringify({ jsonrpc: '2.0', id, result }))
createInterface({ input: process.stdin }).on('line', (text) => {
  const { id, method } = JSON.parse(text)
  if (method === 'initialize') say(id, { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'slow', version: '1' } })
  else if (method === 'tools/list') say(id, { tools: [{ name: 'wait', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } }] })
  else if (method === 'tools/call') setTimeout(() => say(id, { content: [{ type: 'text', text: 'done' }] }), ${ms})
  else if (id !== undefined) console.log(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32601, message: 'no' } }))
})`,
  )
  return file
}

test('an agent on stdin calls a tool that the operator added; a stop waits for the call in flight', async () => {
  const other = mkdtempSync(join(tmpdir(), 'ephor-cli-'))
  const data = join(other, '.ephor')
  const child = up(other)
  await expect.poll(() => readRunFile(data), { timeout: 30_000 }).toBeDefined()
  expect((await ephor('servers', 'add', 'slow', '--home', data, '--', process.execPath, slowServer(3000))).out).toContain('with 1 tools')
  expect((await ephor('servers', 'diff', 'slow', '--home', data)).out).toContain('wait (proposed)  would be read')
  expect((await ephor('servers', 'accept', 'slow', '--home', data)).out).toContain('Accepted slow with 1 tools')

  const agent = spawn(process.execPath, [PROGRAM, 'mcp', '--home', data], { cwd: other, env: { PATH: process.env['PATH'] ?? '' } })
  let heard = ''
  agent.stdout.on('data', (bytes: Buffer) => (heard += bytes.toString()))
  const send = (message: unknown) => agent.stdin.write(`${JSON.stringify(message)}\n`)
  const capabilities = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } }
  send({ jsonrpc: '2.0', id: 1, method: 'initialize', params: capabilities })
  await expect.poll(() => heard, { timeout: 20_000 }).toContain('"id":1')
  send({ jsonrpc: '2.0', method: 'notifications/initialized' })
  send({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'slow__wait', arguments: {} } })
  await expect
    .poll(async () => (await ephor('decisions', 'list', '--server', 'slow', '--home', data)).out, { timeout: 20_000 })
    .toContain('permit')
  child.kill('SIGTERM')
  expect(await exitOf(child)).toBe(0)
  const answers = heard
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { id?: number; result?: unknown })
  expect(answers.find(({ id }) => id === 2)?.result).toMatchObject({ content: [{ text: 'done' }] })
  agent.stdin.end()
  await exitOf(agent)
}, 90_000)

test('the same signal from several sides is one; a second one later stops at once', async () => {
  const other = mkdtempSync(join(tmpdir(), 'ephor-cli-'))
  const data = join(other, '.ephor')
  const child = up(other)
  await expect.poll(() => readRunFile(data), { timeout: 30_000 }).toBeDefined()
  await ephor('servers', 'add', 'slow', '--home', data, '--', process.execPath, slowServer(60_000))
  await ephor('servers', 'accept', 'slow', '--home', data)
  const credential = readFileSync(join(data, 'demo-agent.credential'), 'utf8').trim()
  const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'slow__wait', arguments: {} } }
  const agent = spawn(process.execPath, [PROGRAM, 'mcp', '--home', data], {
    cwd: other,
    env: { PATH: process.env['PATH'] ?? '', EPHOR_CREDENTIAL: credential },
  })
  const send = (message: unknown) => agent.stdin.write(`${JSON.stringify(message)}\n`)
  send({
    jsonrpc: '2.0',
    id: 0,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } },
  })
  await new Promise((resolve) => agent.stdout.once('data', resolve))
  send(body)
  await expect
    .poll(async () => (await ephor('decisions', 'list', '--server', 'slow', '--home', data)).out, { timeout: 20_000 })
    .toContain('permit')
  const over = exitOf(child)
  child.kill('SIGTERM')
  child.kill('SIGTERM')
  const early = await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 1500, 'draining'))])
  expect(early).toBe('draining')
  child.kill('SIGTERM')
  expect(await over).toBe(143)
  agent.kill()

  // The next start finds the call that was cut off, and says that nobody knows what it did.
  const again = up(other)
  await expect.poll(() => readRunFile(data)?.pid, { timeout: 30_000 }).toBe(again.pid)
  expect((await ephor('decisions', 'list', '--server', 'slow', '--home', data)).out).toMatch(/permit +unknown/)
  again.kill('SIGTERM')
  expect(await exitOf(again)).toBe(0)
}, 90_000)
