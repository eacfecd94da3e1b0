/** Takes the name and the purpose of an agent out of the worlds that are kept, so that what was decided in them can still be decided again. */
import { setImmediate } from 'node:timers/promises'
import type { Json, JsonObject, Logger, Store } from '@ephor/engine/kernel'
import type { Ledger, Part } from '@ephor/engine/ledger'
import { digestOf, digestOfWorld } from './digest.ts'
import { ERASED, erasedId, findWorld } from './keep-world.ts'
import { deletePart, insertPart, partsNaming, worldsOf, writeParts } from './store.ts'

type Rooms = { store: Store; ledger: Pick<Ledger, 'find'>; log: Logger }

/** Worlds that one entry can name within its 65,535 bytes. */
const WORLDS_AN_ENTRY = 350

/** @returns undefined where the agent is not named, or not any more */
function withoutNames(content: Json, agent: string): Json | undefined {
  if (!Array.isArray(content)) return undefined
  let found = false
  const agents = content.map((one) => {
    const { id, name, purpose } = Object(one) as JsonObject
    if (id !== agent || typeof purpose !== 'string' || (name === ERASED && purpose === ERASED)) return one
    found = true
    return { ...(one as JsonObject), name: ERASED, purpose: ERASED }
  })
  return found ? agents : undefined
}

/** The entries that say which world reads as which from now on, each under the next id of this agent that is free. */
async function entriesFor({ ledger }: Rooms, agent: string, by: string, read: readonly (readonly [string, string])[]) {
  let next = 0
  while (await ledger.find(erasedId(agent, next))) next++
  return Array.from({ length: Math.ceil(read.length / WORLDS_AN_ENTRY) }, (_, i) => {
    const worlds = Object.fromEntries(read.slice(i * WORLDS_AN_ENTRY, (i + 1) * WORLDS_AN_ENTRY))
    return { type: 'policy.world.erased', id: erasedId(agent, next + i), body: { agent, by, worlds } }
  })
}

/** How many kept lists of agents name this one. */
export async function countNamed(store: Store, agent: string): Promise<number> {
  return (await partsNaming(store, agent)).filter(({ content }) => withoutNames(content, agent) !== undefined).length
}

/**
 * A world that does not verify is rewritten too, but nothing vouches for it afterwards, as nothing did before.
 * @returns changes and entries for one unit, which fails with CONFLICT when a world was changed meanwhile; empty when nothing names the agent
 */
export async function forgetAgent(rooms: Rooms, agent: string, by: string): Promise<Part> {
  const { store } = rooms
  const changes: Part['changes'] = []
  const moved = new Map<string, string>()
  for (const { digest, content } of await partsNaming(store, agent)) {
    const without = withoutNames(content, agent)
    if (without === undefined) continue
    moved.set(digest, digestOf(without))
    changes.push(insertPart(digestOf(without), without))
  }
  if (moved.size === 0) return { changes: [], entries: [] }
  const read: [string, string][] = []
  for (const { digest, parts } of await worldsOf(store)) {
    const named = JSON.parse(parts) as Record<string, string>
    if (!Object.values(named).some((part) => moved.has(part))) continue
    const next = JSON.stringify(Object.fromEntries(Object.entries(named).map(([name, part]) => [name, moved.get(part) ?? part])))
    changes.push(writeParts(digest, parts, next))
    const world = await findWorld(rooms, digest)
    const agents = world && withoutNames(world.agents as unknown as Json, agent)
    if (world && agents) read.push([digest, digestOfWorld({ ...world, agents: agents as unknown as typeof world.agents })])
    await setImmediate()
  }
  for (const digest of moved.keys()) changes.push(deletePart(digest))
  return { changes, entries: await entriesFor(rooms, agent, by, read) }
}
