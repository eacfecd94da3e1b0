/** A thousand calls by 32 clients of four agents at once, permitted, failing, held and refused: each is in the ledger exactly once, as its client was told. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { verifyReceipt } from '@ephor/proof'
import { startEphor } from '@ephor/testkit'
import type { EphorProcess } from '@ephor/testkit'
import type { Client } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { callTool } from './call-tool.ts'
import type { Answer } from './call-tool.ts'
import { readExport } from './read-export.ts'
import type { Exported } from './read-export.ts'

const CALLS = 1000
const CLIENTS = 32
const AGENTS = 4

/** What an agent was told of one call, in the words of the ledger. */
type Told = { tool: string; effect: string; fault?: string; outcome?: string; answer: Answer }

const folder = mkdtempSync(join(tmpdir(), 'ephor-thousand-'))
const file = join(folder, 'lines')
let ephor: EphorProcess
const agents: { id: string; credential: string; clients: Client[] }[] = []
const told: (Told & { agent: string })[] = []
let exported: Exported

// Nothing permits a write, and there is no limit to be met by chance.
const RIGHTS = '\n@id("no-writes")\n@reason("Nothing is written today.")\nforbid (principal, action in Action::"write", resource);\n'

beforeAll(async () => {
  writeFileSync(join(folder, 'kill'), '')
  writeFileSync(file, '')
  ephor = await startEphor({ environment: { EPHOR_LOG_LEVEL: 'warn' } })
  const args = [join(import.meta.dirname, 'append-server.ts'), file, join(folder, 'kill')]
  const transport = { type: 'stdio' as const, command: process.execPath, args, env: {} }
  for (const [name, kind] of [
    ['open', 'read'],
    ['held', 'destructive'],
    ['closed', 'write'],
  ] as const)
    await ephor.addServer({ name, transport, folders: [] }, { append: { kind } })
  writeFileSync(join(ephor.home, 'policies', 'writes.cedar'), RIGHTS)
  for (let i = 0; i < AGENTS; i++) {
    const agent = await ephor.addAgent(`agent ${i}`)
    const clients = await Promise.all(Array.from({ length: CLIENTS / AGENTS }, () => ephor.mcp(agent.credential)))
    agents.push({ ...agent, clients })
  }
  await expectActive()
}, 120_000)
afterAll(async () => {
  await ephor?.stop()
  rmSync(folder, { recursive: true, force: true })
}, 60_000)

async function expectActive(): Promise<void> {
  for (const end = Date.now() + 10_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 100)))
    if ((await ephor.operator.showPolicy()).policies.some(({ id }) => id === 'writes/no-writes')) return
  throw new Error('the policies did not become active')
}

function effectOf(tool: string, answer: Answer): Told {
  const common = { tool, answer }
  if (answer.code === 'APPROVAL_REQUIRED') return { ...common, effect: 'hold' }
  if (answer.code !== undefined) return { ...common, effect: 'deny', fault: answer.code }
  return { ...common, effect: 'permit', outcome: answer.ok ? 'succeeded' : 'failed' }
}

async function approve(handle: string): Promise<void> {
  const { digest } = await ephor.operator.showApproval({ params: { id: handle } })
  await ephor.operator.decideApproval({ params: { id: handle }, body: { verdict: 'approve', digest } })
}

/** Of ten calls: six run, one runs and fails, one is held, one is refused by policy, and one names nothing. Each client has its last held call approved. */
async function work(agent: string, client: Client, client0: number): Promise<void> {
  let last: { line: string; handle: string } | undefined
  const call = async (tool: string, line: string, meta?: Record<string, string>): Promise<Answer> => {
    const answer = await callTool(client, tool, { line }, meta)
    told.push({ agent, ...effectOf(tool, answer) })
    return answer
  }
  for (let i = client0; i < CALLS; i += CLIENTS) {
    const turn = Math.floor(i / CLIENTS) % 10
    if (turn < 6) await call('open__append', `line ${i}`)
    else if (turn === 6) await call('open__append', `fail ${i}`)
    else if (turn === 7) last = { line: `held ${i}`, handle: (await call('held__append', `held ${i}`)).approval ?? '' }
    else if (turn === 8) await call('closed__append', `closed ${i}`)
    else await call('open__missing', `missing ${i}`)
  }
  if (last === undefined) throw new Error('no call of this client was held')
  await approve(last.handle)
  await call('held__append', last.line, { 'dev.ephor/approval': last.handle })
  // The same approval opens nothing again.
  await call('held__append', last.line, { 'dev.ephor/approval': last.handle })
}

test('every call is answered, and every answer carries a receipt', { timeout: 240_000 }, async () => {
  await Promise.all(agents.flatMap(({ id, clients }, i) => clients.map((client, j) => work(id, client, i * clients.length + j))))
  expect(told).toHaveLength(CALLS + 2 * CLIENTS)
  expect(told.filter(({ answer }) => answer.receipt === undefined)).toEqual([])
  const tally = Map.groupBy(told, ({ effect, fault, outcome }) => fault ?? outcome ?? effect)
  expect([...tally.keys()].toSorted()).toEqual(['APPROVAL_SPENT', 'POLICY_DENIED', 'TOOL_UNKNOWN', 'failed', 'hold', 'succeeded'])
  for (const same of tally.values()) expect(same.length).toBeGreaterThanOrEqual(CLIENTS)
})

test('the export verifies offline, and holds every call exactly once, as its client was told', { timeout: 60_000 }, async () => {
  exported = await readExport(ephor.home, join(folder, 'export'))
  const bodies = exported.entries.map(({ body }) => body)
  const outcomes = new Map(bodies.filter(({ type }) => type === 'outcome').map((body) => [body['decision'], body['status']]))
  const inLedger = bodies.flatMap((body) =>
    body.type === 'decision'
      ? [{ id: body.id, agent: body['principal'], effect: body['effect'], fault: body['fault'], outcome: outcomes.get(body.id) }]
      : [],
  )
  const seen = told.map(({ agent, effect, fault, outcome, answer }) => ({ id: answer.receipt?.decision, agent, effect, fault, outcome }))
  const byId = (a: { id?: string | undefined }, b: { id?: string | undefined }) => ((a.id ?? '') < (b.id ?? '') ? -1 : 1)
  expect(inLedger.map((entry) => ({ ...entry, agent: (entry.agent as { id: string }).id })).toSorted(byId)).toEqual(seen.toSorted(byId))
  expect(outcomes.size).toBe(seen.filter(({ effect }) => effect === 'permit').length)
})

test('the tools ran exactly as often as calls were permitted, and no line twice', () => {
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  expect(new Set(lines).size).toBe(lines.length)
  expect(lines).toHaveLength(told.filter(({ effect }) => effect === 'permit').length)
  expect(lines.filter((line) => line.startsWith('held'))).toHaveLength(CLIENTS)
  expect(lines.filter((line) => /closed|missing/.test(line))).toEqual([])
})

test('each receipt is kept: the agent that got it proves its place in the ledger', { timeout: 120_000 }, async () => {
  const credentials = new Map(agents.map(({ id, credential }) => [id, credential]))
  const queue = [...told]
  async function prove(): Promise<void> {
    for (let next = queue.pop(); next; next = queue.pop()) {
      const { receipt } = next.answer
      if (receipt === undefined) throw new Error('an answer without a receipt')
      expect(exported.entries[receipt.seq]).toMatchObject({ leafHash: receipt.leafHash, body: { id: receipt.decision } })
      const answer = await fetch(`${ephor.url}/v1/ledger/entries/${receipt.seq}/proof`, {
        headers: { authorization: `Bearer ${credentials.get(next.agent)}` },
      })
      const { proof } = (await answer.json()) as { proof: string }
      expect((await verifyReceipt(receipt, proof, exported.key)).size).toBeGreaterThanOrEqual(exported.size)
    }
  }
  await Promise.all(Array.from({ length: 16 }, prove))
})
