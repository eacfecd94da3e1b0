/** Keeps the worlds that decisions are pinned to: each once, with the entry that vouches for it. */
import { Fault } from '@ephor/contract'
import type { Logger, Store } from '@ephor/engine/kernel'
import type { Ledger } from '@ephor/engine/ledger'
import { digestOfWorld } from './digest.ts'
import type { LiveWorld } from './live-world.ts'
import { insertWorld, readWorld } from './store.ts'
import type { PolicyWorld } from './types.ts'

type Rooms = { store: Store; ledger: Pick<Ledger, 'append'>; log: Logger }

/** Hands the world to the ledger before it returns, so that no decision in it is written before it is. */
export async function keepWorld({ store, ledger }: Rooms, { digest, world }: LiveWorld): Promise<void> {
  const { agents, servers, tools } = world
  const changes = insertWorld(digest, world)
  const body = { world: digest, agents: agents.length, servers: servers.length, tools: tools.length }
  try {
    await ledger.append({ changes, entries: [{ type: 'policy.world', id: `policy/world/${digest}`, body }] })
  } catch (error) {
    // It was the world before, or another replica was faster. The rows must be there all the same.
    if (!(error instanceof Fault && error.code === 'CONFLICT')) throw error
    if (!(await readWorld(store, digest))) await ledger.append({ changes, entries: [] })
  }
}

/** The world with this digest, whoever wrote the tables. */
export async function findWorld({ store, log }: Pick<Rooms, 'store' | 'log'>, digest: string): Promise<PolicyWorld | undefined> {
  const world = await readWorld(store, digest)
  if (world === undefined || digestOfWorld(world) === digest) return world
  log.error({ digest }, 'the stored world is not the one with this digest; it stays unused')
  return undefined
}
