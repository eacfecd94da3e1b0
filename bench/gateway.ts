/** What the gateway adds to an MCP call: the same server called directly and through Ephor, in turns, by the same client. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { httpServer, startEphor } from '@ephor/testkit'
import { httpFloor, threadFloor } from './wake-floor.ts'
import { closedLoop, printTable } from './measure.ts'
import type { Figures } from './measure.ts'

const DURATION = { warmupMs: 1000, ms: 4000 }
const ROUNDS = 3

type Target = { label: string; url: string; tool: string; headers: Record<string, string> }

async function measure({ url, tool, headers }: Target, callers: number): Promise<Figures> {
  const clients = await Promise.all(
    Array.from({ length: callers }, async () => {
      const client = new Client({ name: 'bench', version: '1' })
      await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }))
      return client
    }),
  )
  const figures = await closedLoop(callers, DURATION, async (caller) => {
    const answer = await clients[caller]?.callTool({ name: tool, arguments: {} })
    if (!answer || answer.isError) throw new Error(`the bench expected an answer: ${JSON.stringify(answer)}`)
  })
  await Promise.all(clients.map((client) => client.close()))
  return figures
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

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
    for (const callers of [1, 32]) {
      const rounds: { target: string; figures: Figures }[] = []
      for (let round = 0; round < ROUNDS; round++)
        for (const target of targets) rounds.push({ target: target.label, figures: await measure(target, callers) })
      const of = (label: string, key: keyof Figures) =>
        median(rounds.filter(({ target }) => target === label).map(({ figures }) => figures[key]))
      for (const { label } of targets)
        rows.push({
          what: label,
          clients: callers,
          perSecond: of(label, 'perSecond'),
          p50Ms: of(label, 'p50Ms'),
          p99Ms: of(label, 'p99Ms'),
        })
      const added = (key: keyof Figures) => Math.round((of('through Ephor', key) - of('direct', key)) * 1000) / 1000
      rows.push({ what: 'added', clients: callers, p50Ms: added('p50Ms'), p99Ms: added('p99Ms') })
    }
  } finally {
    await ephor.stop()
    await server.close()
  }
  printTable('What the gateway adds to a call (medians of three rounds)', rows)
  return { rows }
}
