/** The whole story in one run: an agent reads, writes, is held, is approved and is refused; then its record is verified and tampered with. */
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify, stripVTControlCharacters, styleText } from 'node:util'
import { identityOperations, approvalsOperations } from '@ephor/contract'
import { makeClient } from '@ephor/sdk'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..')
const ephor = join(root, 'apps/cli/bin/ephor.mjs')
const verifier = join(root, 'packages/proof/bin/ephor-verify.mjs')
const home = realpathSync(mkdtempSync(join(tmpdir(), 'ephor-demo-')))

let number = 0
const step = (title: string) => console.log(`\n${styleText('bold', `${++number}. ${title}`)}`)
const say = (text: string) =>
  console.log(
    text
      .split('\n')
      .map((line) => `   ${line}`)
      .join('\n'),
  )
const good = (text: string) => say(styleText('green', text))
const held = (text: string) => say(styleText('yellow', text))
const bad = (text: string) => say(styleText('red', text))

class DemoFailed extends Error {}
function expect(condition: unknown, what: string): asserts condition {
  if (!condition) throw new DemoFailed(`this was not as it should be: ${what}`)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  expect(typeof address === 'object' && address, 'a free port')
  return address.port
}

async function startEphor(port: number): Promise<{ stop(): Promise<void> }> {
  const child = spawn(process.execPath, [ephor, 'up', '--port', String(port)], {
    env: { ...process.env, EPHOR_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  for (const end = Date.now() + 60_000; ; await new Promise((resolve) => setTimeout(resolve, 100))) {
    const ready = await fetch(`http://127.0.0.1:${port}/v1/health`).then(
      (answer) => answer.ok,
      () => false,
    )
    if (ready) break
    if (child.exitCode !== null || Date.now() > end) throw new DemoFailed(`Ephor did not start:\n${output}`)
  }
  return {
    async stop() {
      child.kill('SIGTERM')
      await exited
    },
  }
}

type ToolAnswer = { isError?: boolean | undefined; content?: unknown; _meta?: Record<string, unknown> | undefined }

function textOf(answer: ToolAnswer): string {
  const content = answer.content as { type: string; text?: string }[]
  return stripVTControlCharacters(content.map(({ text }) => text ?? '').join('\n')).trim()
}

function receiptOf(answer: ToolAnswer): string {
  const receipt = answer._meta?.['dev.ephor/receipt'] as { decision: string; seq: number } | undefined
  return receipt ? `receipt: decision ${receipt.decision}, entry ${receipt.seq} of the ledger` : ''
}

/** Signs in as the operator does: with the one-time link that only the owner of the data folder can make. */
async function signIn(url: string) {
  const { stdout } = await run(process.execPath, [ephor, 'login', '--json'], { env: { ...process.env, EPHOR_HOME: home, EPHOR_URL: url } })
  const { code } = JSON.parse(stdout) as { code: string }
  const { secret } = await makeClient({ openSession: identityOperations.openSession }, { url }).openSession({
    body: { code, deliver: 'bearer' },
  })
  expect(secret, 'a session for the person')
  return makeClient(approvalsOperations, { url, bearer: () => secret })
}

async function main(): Promise<void> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  step('Start Ephor on an empty data folder')
  const server = await startEphor(port)
  try {
    await story(url, () => server.stop())
  } finally {
    await server.stop()
  }
}

async function story(url: string, stop: () => Promise<void>): Promise<void> {
  const credential = readFileSync(join(home, 'demo-agent.credential'), 'utf8').trim()
  const scratch = join(home, 'scratch')
  good(`It listens on ${url} and stands in front of a file-system tool server that may touch ${scratch}.`)

  step('The agent connects with the official MCP client and lists its tools')
  const agent = new Client({ name: 'demo-agent', version: '1.0.0' })
  await agent.connect(
    new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers: { authorization: `Bearer ${credential}` } } }),
  )
  const { tools } = await agent.listTools()
  good(
    `${tools.length} tools, for instance ${tools
      .slice(0, 4)
      .map(({ name }) => name)
      .join(', ')}.`,
  )
  const call = (name: string, input: Record<string, unknown>): Promise<ToolAnswer> => agent.callTool({ name, arguments: input })

  step('It reads a file: permitted')
  const read = await call('files__read_text_file', { path: join(scratch, 'welcome.txt') })
  expect(!read.isError, textOf(read))
  good(`"${textOf(read).split('\n')[0]}"`)
  say(receiptOf(read))

  step('It writes a file: permitted, with an obligation (at most 60 writes a minute)')
  const written = await call('files__write_file', { path: join(scratch, 'report.txt'), content: 'written by an agent\n' })
  expect(!written.isError, textOf(written))
  good(textOf(written))

  step('It moves a file: held, because a move can destroy what is there')
  const move = { source: join(scratch, 'report.txt'), destination: join(scratch, 'final.txt') }
  const waiting = await call('files__move_file', move)
  expect(waiting.isError && readdirSync(scratch).includes('report.txt'), 'the move waits')
  held(textOf(waiting))

  step('A person looks at exactly this call and approves it')
  const person = await signIn(url)
  const { items } = await person.listApprovals({ query: { state: 'pending' } })
  const [approval] = items
  expect(approval && items.length === 1, 'one approval is pending')
  const shown = await person.showApproval({ params: { id: approval.id } })
  say(`${approval.server}/${approval.tool}: ${JSON.stringify(shown.arguments)}`)
  say(`because: ${approval.reasons.map(({ text }) => text).join('; ')}`)
  await person.decideApproval({ params: { id: approval.id }, body: { verdict: 'approve', digest: approval.digest } })
  good('approved, for this call, once')

  step('The agent repeats the call: done. And once more: the approval is spent')
  const moved = await call('files__move_file', move)
  expect(!moved.isError && readdirSync(scratch).includes('final.txt'), textOf(moved))
  good(textOf(moved))
  const again = await call('files__move_file', move)
  expect(again.isError, 'an approval serves one call')
  held(textOf(again).split('\n')[0] ?? '')

  step('It tries to read outside its folder, and to call a tool that nobody knows: refused, with reasons')
  const outside = await call('files__read_text_file', { path: join(scratch, '..', 'keys', 'ledger.key') })
  expect(outside.isError, 'reading a key is refused')
  bad(textOf(outside))
  const unknown = await call('files__format_disk', {}).catch((error: unknown) => error as Error)
  expect(unknown instanceof Error || unknown.isError, 'an unknown tool is refused')
  bad(unknown instanceof Error ? unknown.message : textOf(unknown))
  await agent.close()

  await audit(url, stop)
}

/** The auditor has the export and the verifier, and needs neither Ephor nor its keys. */
async function audit(url: string, stop: () => Promise<void>): Promise<void> {
  step('The ledger is exported, and Ephor is stopped')
  const folder = join(home, 'export')
  await run(process.execPath, [ephor, 'ledger', 'export', folder], { env: { ...process.env, EPHOR_HOME: home, EPHOR_URL: url } })
  await stop()
  good(`${readdirSync(folder).join(', ')} in ${folder}`)

  step('An auditor verifies it offline')
  const { stdout } = await run(process.execPath, [verifier, folder])
  good(stdout.trim())

  step('Somebody changes one byte of the export: the same check fails')
  const bundle = join(
    folder,
    'tile/entries',
    readdirSync(join(folder, 'tile/entries'), { recursive: true })
      .map(String)
      .find((name) => /\d$/.test(name) && !name.endsWith('.p')) ?? '',
  )
  const bytes = readFileSync(bundle)
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
  writeFileSync(bundle, bytes)
  const failed = await run(process.execPath, [verifier, folder]).then(
    () => undefined,
    (error: { stdout: string; stderr: string }) => `${error.stdout}${error.stderr}`.trim(),
  )
  expect(failed !== undefined, 'a changed byte is detected')
  bad(failed)
}

try {
  await main()
  console.log(`\n${styleText('bold', 'That is all of it.')} Run it yourself: npm start`)
} catch (error) {
  console.error(error instanceof DemoFailed ? `\n${error.message}` : error)
  process.exitCode = 1
} finally {
  rmSync(home, { recursive: true, force: true })
}
