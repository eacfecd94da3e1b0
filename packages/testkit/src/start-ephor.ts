/** Runs the real `ephor up` in a process of its own, on a data folder and a port of its own, and talks to it as people and agents do. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { allOperations } from '@ephor/contract'
import type { Classification, ServerDraft } from '@ephor/contract'
import { signOperatorAssertion } from '@ephor/engine/identity'
import { loadKeys } from '@ephor/engine/kernel'
import { makeClient } from '@ephor/sdk'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

const CLI = join(import.meta.dirname, '../../../apps/cli/bin/ephor.mjs')
const START_MS = 60_000
/** Tests start many processes of the same code: compiling it once halves what a start costs. */
const COMPILED = join(tmpdir(), 'ephor-test-compiled')

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('there is no free port')
  return address.port
}

export type StartOptions = {
  /** A data folder to start on again; a new one unless given. */
  home?: string
  port?: number
  environment?: Record<string, string>
  /** Arguments for Node itself, such as `--import FILE`. */
  node?: string[]
}

export type EphorProcess = Awaited<ReturnType<typeof startEphor>>

async function untilReady(url: string, ended: () => string | undefined): Promise<void> {
  for (const end = Date.now() + START_MS; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const ready = await fetch(`${url}/v1/health`).then(
      (answer) => answer.ok,
      () => false,
    )
    if (ready) return
    const output = ended()
    if (output !== undefined || Date.now() > end) throw new Error(`Ephor did not start: ${output ?? 'no answer'}`)
  }
}

export async function startEphor({ home = realpathSync(mkdtempSync(join(tmpdir(), 'ephor-story-'))), ...options }: StartOptions = {}) {
  const port = options.port ?? (await freePort())
  const url = `http://127.0.0.1:${port}`
  const child = spawn(process.execPath, [...(options.node ?? []), CLI, 'up', '--port', String(port)], {
    env: { PATH: process.env['PATH'] ?? '', HOME: home, EPHOR_HOME: home, NODE_COMPILE_CACHE: COMPILED, ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const gone = () => child.exitCode !== null || child.signalCode !== null
  await untilReady(url, () => (gone() ? output : undefined))

  const { operator: key } = loadKeys(join(home, 'keys'))
  const demo = join(home, 'demo-agent.credential')
  const operator = makeClient(allOperations, { url, bearer: () => signOperatorAssertion(key, Date.now()) })

  return {
    home,
    url,
    port,
    operator,
    exited,
    pid: child.pid ?? 0,
    /** Of the demo agent; empty where there is none. */
    credential: existsSync(demo) ? readFileSync(demo, 'utf8').trim() : '',
    output: () => output,
    /** Registers an agent. */
    async addAgent(name: string): Promise<{ id: string; credential: string }> {
      const { person } = await this.me()
      const { id } = await operator.registerAgent({ body: { name, owner: person, purpose: 'a story' } })
      const { secret } = await operator.issueCredential({ params: { id }, body: { kind: 'secret' } })
      return { id, credential: secret ?? '' }
    },
    async me(): Promise<{ person: string }> {
      return { person: (await operator.showPrincipal()).id }
    },
    /** Proposes a tool server, waits until its tools are known, and accepts it with these kinds. */
    async addServer(draft: ServerDraft, kinds: Record<string, Classification>): Promise<void> {
      await operator.proposeServer({ body: draft })
      const { digest } = await operator.diffServer({ params: { name: draft.name } })
      await operator.acceptServer({ params: { name: draft.name }, body: { digest, tools: kinds } })
    },
    /** An MCP client of the official kind, connected as an agent. */
    async mcp(credential: string): Promise<Client> {
      const client = new Client({ name: 'story', version: '1.0.0' })
      await client.connect(
        new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers: { authorization: `Bearer ${credential}` } } }),
      )
      return client
    },
    async stop({ keep = false } = {}): Promise<number | null> {
      child.kill('SIGTERM')
      const code = await exited
      if (!keep) rmSync(home, { recursive: true, force: true })
      return code
    },
    /** What a power cut or an impatient administrator does. */
    async kill(): Promise<void> {
      child.kill('SIGKILL')
      await exited
    },
    remove: () => rmSync(home, { recursive: true, force: true }),
  }
}
