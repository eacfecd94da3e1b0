/** Two agents with different rights by a policy file: what one may, has and is given is worth nothing to the other; and an agent can be stopped. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { httpServer, startEphor } from '@ephor/testkit'
import type { EphorProcess, HttpServer } from '@ephor/testkit'
import type { Client } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { callTool } from './call-tool.ts'

const TIMEOUT = { timeout: 60_000 }

type Agent = { id: string; credential: string; client: Client }

let ephor: EphorProcess
let suite: HttpServer
let reader: Agent
let writer: Agent

const rights = () => `@id("reader")
@reason("It may read files.")
permit (principal == Agent::"${reader.id}", action in Action::"read", resource == ToolServer::"files");

@id("writer")
@reason("It may read and write, anywhere.")
permit (principal == Agent::"${writer.id}", action in [Action::"read", Action::"write"], resource);
`

async function addAgent(name: string): Promise<Agent> {
  const { id, credential } = await ephor.addAgent(name)
  return { id, credential, client: await ephor.mcp(credential) }
}

beforeAll(async () => {
  suite = await httpServer('conformant')
  ephor = await startEphor()
  await ephor.addServer({ name: 'suite', transport: { type: 'http', url: suite.url, headers: {} }, folders: [] }, {})
  reader = await addAgent('reader')
  writer = await addAgent('writer')
  const policies = join(ephor.home, 'policies')
  for (const name of ['reads.cedar', 'writes.cedar']) rmSync(join(policies, name))
  writeFileSync(join(policies, 'rights.cedar'), rights())
  await vi.waitUntil(
    async () => {
      const ids = (await ephor.operator.showPolicy()).policies.map(({ id }) => id)
      return ids.includes('rights/writer') && !ids.includes('reads/reads')
    },
    { timeout: 10_000, interval: 100 },
  )
}, 90_000)
afterAll(async () => {
  await ephor?.stop()
  await suite?.close()
}, 30_000)

const scratch = (name: string) => join(ephor.home, 'scratch', name)
const namesOf = async ({ client }: Agent) => (await client.listTools()).tools.map(({ name }) => name)

test('each is shown what it could be permitted, and nothing else', TIMEOUT, async () => {
  const [readers, writers] = [await namesOf(reader), await namesOf(writer)]
  expect(readers).toEqual(expect.arrayContaining(['files__read_text_file', 'files__move_file']))
  expect(readers).not.toContain('files__write_file')
  expect(writers).toEqual(expect.arrayContaining(['files__read_text_file', 'files__write_file', 'files__move_file']))
})

test('the same calls are decided differently, whatever a list showed', TIMEOUT, async () => {
  const write = (text: string) => ['files__write_file', { path: scratch('note.txt'), content: text }] as const
  const refused = await callTool(reader.client, ...write('by the reader'))
  expect(refused).toMatchObject({ ok: false, code: 'POLICY_NO_PERMIT' })
  expect(existsSync(scratch('note.txt'))).toBe(false)
  expect(await callTool(writer.client, ...write('by the writer'))).toMatchObject({ ok: true })
  expect(readFileSync(scratch('note.txt'), 'utf8')).toBe('by the writer')
  expect(await callTool(reader.client, 'files__read_text_file', { path: scratch('note.txt') })).toMatchObject({ ok: true })

  const { items } = await ephor.operator.listDecisions({ query: { agent: reader.id } })
  expect(items.map(({ tool, effect }) => [tool, effect])).toEqual([
    ['read_text_file', 'permit'],
    ['write_file', 'deny'],
  ])
})

test('the session of one answers the other as if it did not exist', TIMEOUT, async () => {
  const post = (credential: string, method: string, session?: string) =>
    fetch(`${ephor.url}/mcp`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${credential}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(session === undefined ? {} : { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }),
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method,
        params:
          method === 'initialize' ? { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } } : {},
      }),
    })
  const session = (await post(writer.credential, 'initialize')).headers.get('mcp-session-id') ?? ''
  expect(session).not.toBe('')
  const [own, taken, invented] = [
    await post(writer.credential, 'tools/list', session),
    await post(reader.credential, 'tools/list', session),
    await post(reader.credential, 'tools/list', `${session}x`),
  ]
  expect([own.status, taken.status, invented.status]).toEqual([200, 404, 404])
  expect(await taken.text()).toBe(await invented.text())
  expect(await own.text()).toContain('files__write_file')
})

test('an approval that one was given opens nothing for the other', TIMEOUT, async () => {
  const move = { source: scratch('notes.md'), destination: scratch('archive.md') }
  const held = await callTool(writer.client, 'files__move_file', move)
  expect(held.code).toBe('APPROVAL_REQUIRED')
  const handle = held.approval ?? ''
  const { digest } = await ephor.operator.showApproval({ params: { id: handle } })
  await ephor.operator.decideApproval({ params: { id: handle }, body: { verdict: 'approve', digest } })

  const meta = { 'dev.ephor/approval': handle }
  expect(await callTool(reader.client, 'files__move_file', move, meta)).toMatchObject({ ok: false, code: 'APPROVAL_MISMATCH' })
  expect(existsSync(scratch('archive.md'))).toBe(false)
  // The attempt has not used it up.
  expect(await callTool(writer.client, 'files__move_file', move, meta)).toMatchObject({ ok: true })
  expect(existsSync(scratch('archive.md'))).toBe(true)
})

test('resources that one may read are neither listed for the other nor read by it, under any of their names', TIMEOUT, async () => {
  const { resources } = await writer.client.listResources()
  const uri = resources[0]?.uri ?? ''
  expect((await writer.client.readResource({ uri })).contents).not.toEqual([])
  const others = await reader.client.listResources().catch(() => ({ resources: [] }))
  expect(others.resources).toEqual([])
  for (const name of [uri, `ephor+suite:${uri}`])
    await expect(reader.client.readResource({ uri: name })).rejects.toMatchObject({ message: expect.stringMatching(/^Refused|No such/) })
})

test('one can’t look at what the other did, or report on it', TIMEOUT, async () => {
  const read = await callTool(writer.client, 'files__read_text_file', { path: scratch('welcome.txt') })
  const at = (path: string, { credential }: Agent, init: RequestInit = {}) =>
    fetch(`${ephor.url}/v1/${path}`, { ...init, headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' } })
  const decision = read.receipt?.decision ?? ''
  expect((await at(`decisions/${decision}`, writer)).status).toBe(200)
  expect((await at(`decisions/${decision}`, reader)).status).toBe(404)
  const asked = await at('calls', writer, {
    method: 'POST',
    body: JSON.stringify({ tool: 'files/read_text_file', input: { path: scratch('welcome.txt') } }),
  })
  const { decision: permit, kind } = (await asked.json()) as { decision: string; kind: string }
  expect(kind).toBe('permitted')
  const report = (agent: Agent) =>
    at(`calls/${permit}/outcome`, agent, { method: 'POST', body: JSON.stringify({ status: 'failed', result: 'a lie' }) })
  expect((await report(reader)).status).toBe(404)
  expect((await report(writer)).status).toBe(200)
})

test('a credential that is revoked in the middle of a session opens nothing from then on', TIMEOUT, async () => {
  const read = ['files__read_text_file', { path: scratch('welcome.txt') }] as const
  expect((await callTool(reader.client, ...read)).ok).toBe(true)
  const { items } = await ephor.operator.listCredentials({ params: { id: reader.id } })
  await ephor.operator.revokeCredential({ params: { id: items[0]?.id ?? '' } })
  const unauthorized = { status: 401 }
  await expect(reader.client.callTool({ name: read[0], arguments: read[1] })).rejects.toMatchObject(unauthorized)
  await expect(reader.client.listTools()).rejects.toMatchObject(unauthorized)
  const answer = await fetch(`${ephor.url}/mcp`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${reader.credential}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
  })
  expect(answer.status).toBe(401)
  expect((await callTool(writer.client, ...read)).ok).toBe(true)
})

test('a retired agent is stopped, with every credential that it has', TIMEOUT, async () => {
  const { secret: other } = await ephor.operator.issueCredential({ params: { id: writer.id }, body: { kind: 'secret' } })
  const second = await ephor.mcp(other ?? '')
  await ephor.operator.retireAgent({ params: { id: writer.id } })
  const late = ['files__write_file', { path: scratch('late.txt'), content: '' }] as const
  for (const client of [writer.client, second]) expect(await callTool(client, ...late)).toMatchObject({ ok: false })
  // It is known, so what it tries with a new connection is on record.
  const again = await ephor.mcp(other ?? '')
  expect(await callTool(again, ...late)).toMatchObject({ ok: false, code: 'AGENT_RETIRED', receipt: { seq: expect.any(Number) } })
  expect(existsSync(scratch('late.txt'))).toBe(false)
  // Nobody else was meant.
  const demo = await ephor.mcp(ephor.credential)
  expect(await callTool(demo, 'files__read_text_file', { path: scratch('welcome.txt') })).toMatchObject({ code: 'POLICY_NO_PERMIT' })
})
