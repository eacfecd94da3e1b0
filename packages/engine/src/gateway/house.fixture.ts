/** The real thing for tests: the door with the real broker, policies and ledger, an official client, and tool servers in processes of their own. */
import { httpServer, openWorld, stdioServer } from '@ephor/testkit'
import type { World } from '@ephor/testkit'
import type { JsonObject } from '@ephor/engine/kernel'
import type { Acceptance, Transport } from '@ephor/engine/registry'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import Fastify from 'fastify'
import { onTestFinished } from 'vitest'
import { createGateway, mountGateway, openUpstreams } from './index.ts'

const POLICY = `
@id("reads") @reason("Reading is permitted.")
permit (principal is Agent, action in Action::"read", resource);
@id("destroying") @reason("Destroying can be permitted.")
permit (principal is Agent, action in Action::"destructive", resource);
@id("ask") @reason("A person agrees first.") @approval("deadline:15m")
forbid (principal is Agent, action in Action::"destructive", resource);
`
const KINDS = {
  test_simple_text: { kind: 'read' },
  test_sampling: { kind: 'read' },
  test_error_handling: { kind: 'destructive' },
  test_image_content: { kind: 'money' },
} as const
const WILD = { die: { kind: 'read' }, ask: { kind: 'read' }, slow: { kind: 'read' } } as const

export type Result = { isError?: boolean | undefined; content?: unknown; _meta?: JsonObject | undefined }

async function accept(
  world: World,
  inspect: (name: string) => Promise<void>,
  name: string,
  transport: Transport,
  tools: Acceptance['tools'],
) {
  await world.registry.proposeServer({ name, transport, folders: [] }, 'system')
  await inspect(name)
  await world.registry.acceptServer(name, tools === undefined ? {} : { tools }, 'system')
}

/** The servers `suite` (conformant, both revisions) and `wild` (hostile, sessions only), the door on a port, and a client of the official kind. */
export async function openHouse(kind: 'stdio' | 'http') {
  const world = await openWorld({ policies: { 'a.cedar': POLICY } })
  const suite = kind === 'http' ? await httpServer('conformant') : undefined
  const vault = { resolve: (text: string) => text }
  const upstreams = openUpstreams({ registry: world.registry, vault, log: world.log, version: '0.0.0-test' })
  const inspect = (name: string) => upstreams.inspect(name)
  const transport: Transport =
    suite === undefined ? { type: 'stdio', ...stdioServer('conformant'), env: {} } : { type: 'http', url: suite.url, headers: {} }
  await accept(world, inspect, 'suite', transport, KINDS)
  await accept(world, inspect, 'wild', { type: 'stdio', ...stdioServer('hostile'), env: {} }, WILD)
  await world.refresh()
  const agent = await world.agent()
  /** A door over these rooms, with nothing left of what another one had in memory. */
  async function openGateway() {
    const gateway = createGateway({ ...world, upstreams })
    const app = Fastify({ forceCloseConnections: true })
    mountGateway(app, gateway)
    const address = await app.listen({ host: '127.0.0.1', port: 0 })
    const close = async (): Promise<void> => {
      await gateway.close()
      await app.close()
    }
    closers.unshift(close)
    return { url: new URL('/mcp', address), close }
  }

  async function connect(url: URL, bearer: string): Promise<Client> {
    const client = new Client({ name: 'test', version: '1' }, { capabilities: { sampling: {}, elicitation: {}, roots: {} } })
    await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers: { authorization: `Bearer ${bearer}` } } }))
    closers.unshift(() => client.close())
    return client
  }

  const closers: (() => Promise<void>)[] = []
  onTestFinished(async () => {
    for (const close of closers) await close()
    await upstreams.close()
    await world.close()
    await suite?.close()
  })
  const door = await openGateway()
  return { world, agent, upstreams, door, openGateway, connect, client: await connect(door.url, agent.bearer) }
}

export function receiptOf({ _meta }: Result): { decision: string; seq: number } {
  return _meta?.['dev.ephor/receipt'] as { decision: string; seq: number }
}

export function approvalOf({ _meta }: Result): { id: string } {
  return _meta?.['dev.ephor/approval'] as { id: string }
}
