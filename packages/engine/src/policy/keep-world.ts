/** Keeps the worlds that decisions are pinned to: each once, with the entry that vouches for it. */
import { Fault } from '@ephor/contract'
import type { Logger, Store } from '@ephor/engine/kernel'
import type { Ledger } from '@ephor/engine/ledger'
import { digestOfWorld } from './digest.ts'
import type { LiveWorld } from './live-world.ts'
import { insertWorld, readWorld } from './store.ts'
import type { PolicyWorld } from './types.ts'

/** What stands where an agent’s name and purpose were. */
export const ERASED = 'erased'

export const erasedId = (agent: string, n: number) => `policy/erased/${agent}/${n}`

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

/** Whether an entry says that the world reads so since one of its agents was erased. */
async function isVouchedFor(ledger: Pick<Ledger, 'find'>, world: PolicyWorld, digest: string): Promise<boolean> {
  const reads = digestOfWorld(world)
  for (const { id, name, purpose } of Array.isArray(world.agents) ? world.agents : []) {
    if (name !== ERASED || purpose !== ERASED) continue
    for (let n = 0; ; n++) {
      const entry = await ledger.find(erasedId(id, n))
      if (!entry || entry.body['type'] !== 'policy.world.erased') break
      if ((entry.body['worlds'] as Record<string, string>)[digest] === reads) return true
    }
  }
  return false
}

/** The world with this digest, whoever wrote the tables; with neutral texts where an agent was erased since. */
export async function findWorld(
  { store, ledger, log }: { store: Store; ledger: Pick<Ledger, 'find'>; log: Logger },
  digest: string,
): Promise<PolicyWorld | undefined> {
  const world = await readWorld(store, digest)
  if (world === undefined || digestOfWorld(world) === digest || (await isVouchedFor(ledger, world, digest))) return world
  log.error({ digest }, 'the stored world is not the one with this digest; it stays unused')
  return undefined
}
