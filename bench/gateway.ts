/** What the gateway adds to an MCP call: the same server called directly and through Ephor, in turns, by the same client in the same revision. */
import { readFileSync } from 'node:fs'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { httpServer, startEphor } from '@ephor/testkit'
import { httpFloor, threadFloor } from './wake-floor.ts'
import { closedLoop, printTable } from './measure.ts'
import type { Figures } from './measure.ts'

const DURATION = { warmupMs: 1000, ms: 4000 }
const ROUNDS = 3

/** Ephor speaks the newer one with this server, whatever the client speaks: only there both legs do the same work. */
const REVISIONS = ['2026-07-28', '2025-11-25'] as const
type Revision = (typeof REVISIONS)[number]
type Target = { label: string; url: string; tool: string; headers: Record<string, string> }
type Round = Figures & { processorMs: number }

/** Processor time that a process took so far, in ms: it says more than the clock where others use the machine too. */
function processorMs(pid: number): number {
  if (process.platform !== 'linux') return Number.NaN
  const [user = 0, system = 0] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ').slice(11, 13).map(Number) ?? []
  return (user + system) * 10
}

async function measure({ url, tool, headers }: Target, callers: number, revision: Revision, pid: number): Promise<Round> {
  const clients = await Promise.all(
    Array.from({ length: callers }, async () => {
      const mode = revision === '2026-07-28' ? { pin: revision } : 'legacy'
      const client = new Client({ name: 'bench', version: '1' }, { versionNegotiation: { mode } })
      await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }))
      return client
    }),
  )
  const before = processorMs(pid)
  let calls = 0
  const figures = await closedLoop(callers, DURATION, async (caller) => {
    calls++
    const answer = await clients[caller]?.callTool({ name: tool, arguments: {} })
    if (!answer || answer.isError) throw new Error(`the bench expected an answer: ${JSON.stringify(answer)}`)
  })
  const took = processorMs(pid) - before
  await Promise.all(clients.map((client) => client.close()))
  return { ...figures, processorMs: took / calls }
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

/** Rounds in turns, so that what else the machine does falls on both. */
async function compare(targets: readonly Target[], clients: number, revision: Revision, pid: number): Promise<Record<string, unknown>[]> {
  const rounds: { target: string; figures: Round }[] = []
  for (let round = 0; round < ROUNDS; round++)
    for (const target of targets) rounds.push({ target: target.label, figures: await measure(target, clients, revision, pid) })
  const of = (label: string, key: keyof Round) =>
    Math.round(median(rounds.filter(({ target }) => target === label).map(({ figures }) => figures[key])) * 1000) / 1000
  const added = (key: keyof Round) => Math.round((of('through Ephor', key) - of('direct', key)) * 1000) / 1000
  return [
    ...targets.map(({ label }) => ({
      what: label,
      revision,
      clients,
      perSecond: of(label, 'perSecond'),
      p50Ms: of(label, 'p50Ms'),
      p99Ms: of(label, 'p99Ms'),
    })),
    {
      what: 'added',
      revision,
      clients,
      p50Ms: added('p50Ms'),
      p99Ms: added('p99Ms'),
      ephorProcessorMs: of('through Ephor', 'processorMs'),
    },
  ]
}

export async function benchGateway() {
  const server = await httpServer('conformant')
  const ephor = await startEphor()
  await ephor.addServer(
    { name: 'bench', transport: { type: 'http', url: server.url, headers: {} }, folders: [] },
    { test_simple_text: { kind: 'read', risk: 'low' } },
  )
  const targets: Target[] = [
    { label: 'direct', url: server.url, tool: 'test_simple_text', headers: {} },
    {
      label: 'through Ephor',
      url: `${ephor.url}/mcp`,
      tool: 'bench__test_simple_text',
      headers: { authorization: `Bearer ${ephor.credential}` },
    },
  ]
  const rows: Record<string, unknown>[] = [
    { what: 'floor: a message to a thread and back', clients: 1, ...(await threadFloor()) },
    { what: 'floor: HTTP to another process and back', clients: 1, ...(await httpFloor()) },
  ]
  try {
    for (const revision of REVISIONS) for (const callers of [1, 32]) rows.push(...(await compare(targets, callers, revision, ephor.pid)))
  } finally {
    await ephor.stop()
    await server.close()
  }
  printTable('What the gateway adds to a call (medians of three rounds)', rows)
  return { rows }
}
