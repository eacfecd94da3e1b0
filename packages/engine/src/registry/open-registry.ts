/** Opens the registry: loads its projection and joins the parts that write. */
import type { Clock, Store } from '@ephor/engine/kernel'
import { entryType } from '@ephor/engine/ledger'
import type { Ledger } from '@ephor/engine/ledger'
import { registryProjector } from './check-projection.ts'
import { Projection } from './projection.ts'
import { agentWrites } from './registry-agents.ts'
import { ServerWrites } from './registry-servers.ts'
import type { Registry } from './types.ts'

/** The schema of the registry's tables, for `openSqlite`. */
export const registryMigrations = { room: 'registry', folder: new URL('./migrations/', import.meta.url) }

export type RegistryOptions = { store: Store; ledger: Ledger; clock: Clock }

export async function openRegistry({ store, ledger, clock }: RegistryOptions): Promise<Registry> {
  const projection = new Projection(store)
  await projection.load()
  const listeners = new Set<(change: { server?: string; agent?: string }) => void>()
  let last: Promise<unknown> = Promise.resolve()

  function inTurn<T>(write: () => Promise<T>): Promise<T> {
    const turn = last.then(write)
    last = turn.catch(() => undefined)
    return turn
  }
  const tell = (change: { server?: string; agent?: string }) => {
    for (const listener of listeners) listener(change)
  }
  const parts = { projection, ledger, clock, inTurn, tell }
  const servers = new ServerWrites(parts)
  return {
    servers: () =>
      [...projection.servers.values()].filter((server) => server.state !== 'removed').toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    server: (name) => projection.servers.get(name),
    tools(server) {
      const of = server === undefined ? [...projection.tools.values()] : [projection.tools.get(server) ?? new Map<string, never>()]
      return of.flatMap((tools) => [...tools.values()])
    },
    tool: (server, name) => projection.tools.get(server)?.get(name),
    agents: () => [...projection.agents.values()],
    agent: (id) => projection.agents.get(id),
    proposeServer: (draft, by, prepare) => inTurn(() => servers.propose(draft, by, prepare)),
    observeTools: (name, definitions) => inTurn(() => servers.observeOrBlock(name, definitions)),
    observeFailure: (name, detail) => servers.fail(name, detail),
    acceptServer: (name, choice, by) => inTurn(() => servers.accept(name, choice, by)),
    classifyTool: (name, tool, as, by) => inTurn(() => servers.classify(name, tool, as, by)),
    removeServer: (name, by) => inTurn(() => servers.remove(name, by)),
    diffServer: (name) => servers.diff(name),
    findings: (name) => servers.findings(name),
    ...agentWrites(parts),
    follow: (entry) =>
      inTurn(async () => {
        const { server, agent } = entry.body
        const [room] = entryType(entry).split('.')
        if ((room === 'server' || room === 'tool') && typeof server === 'string') {
          await projection.refreshServer(server)
          tell({ server })
        } else if (room === 'agent' && typeof agent === 'string') {
          await projection.refreshAgent(agent)
          tell({ agent })
        }
      }),
    projector: () => registryProjector(store),
    on(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
