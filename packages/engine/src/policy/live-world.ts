/** The world as the engine sees it: its entities, loaded once and changed one by one as the world changes, and its schema. */
import { CedarSet, createEntities, recordOf } from '@ephor/cedar'
import type { Entities, EntityData, Value } from '@ephor/cedar'
import { digestOfWorld } from './digest.ts'
import { makeSchema } from './make-schema.ts'
import type { WorldSchema } from './make-schema.ts'
import type { PolicyWorld } from './types.ts'

export interface LiveWorld {
  readonly world: PolicyWorld
  /** `sha256:…` of the world's canonical JSON. */
  readonly digest: string
  readonly entities: Entities
  agent(id: string): PolicyWorld['agents'][number] | undefined
  /** @param budgets those that a charter declares */
  schema(budgets: readonly string[]): WorldSchema
  /** What is decided from now on is decided about this world. */
  follow(next: PolicyWorld): void
}

/** An entity before it is put into the engine's own form: what is compared to see whether it changed. */
type Plain = {
  type: string
  id: string
  parents: readonly { type: string; id: string }[]
  attrs: Readonly<Record<string, string | number | readonly string[] | undefined>>
}

const named = (type: string, ids: readonly string[] = []) => ids.map((id) => ({ type, id }))

function* plainEntities(world: PolicyWorld, { actions }: WorldSchema): Iterable<Plain> {
  for (const { id, name, owner, purpose, tier, standing, groups } of world.agents)
    yield { type: 'Agent', id, parents: named('Team', groups), attrs: { name, owner, purpose, tier, standing } }
  for (const { id, groups } of world.people ?? []) yield { type: 'Person', id, parents: named('Group', groups), attrs: {} }
  for (const { id, groups } of world.services ?? []) yield { type: 'Service', id, parents: named('Group', groups), attrs: {} }
  for (const { name, folders } of world.servers) yield { type: 'ToolServer', id: name, parents: [], attrs: { folders } }
  for (const { id, groups } of actions.values()) yield { type: 'Action', id, parents: named('Action', groups), attrs: {} }
}

const toValue = (plain: string | number | readonly string[]): Value => {
  if (typeof plain === 'number') return plain
  // Names come from outside: half of a surrogate pair is no text that a policy could mean.
  return typeof plain === 'string' ? plain.toWellFormed() : new CedarSet(plain.map((text) => text.toWellFormed()))
}

function toData({ type, id, parents, attrs }: Plain): EntityData {
  const values = Object.entries(attrs).flatMap(([name, plain]): [string, Value][] => (plain === undefined ? [] : [[name, toValue(plain)]]))
  return { uid: { type, id }, parents, attrs: recordOf(values) }
}

export function createWorld(initial: PolicyWorld): LiveWorld {
  const entities = createEntities()
  const known = new Map<string, { plain: Plain; text: string }>()
  const schemas = new Map<string, WorldSchema>()
  let world = initial
  let digest = digestOfWorld(initial)
  let agents = new Map<string, PolicyWorld['agents'][number]>()

  function schema(budgets: readonly string[]): WorldSchema {
    const key = JSON.stringify(budgets)
    const found = schemas.get(key) ?? makeSchema(world, budgets)
    schemas.set(key, found)
    return found
  }

  function update(): void {
    agents = new Map(world.agents.map((agent) => [agent.id, agent]))
    const gone = new Set(known.keys())
    for (const plain of plainEntities(world, schema([]))) {
      const key = JSON.stringify([plain.type, plain.id])
      const text = JSON.stringify(plain)
      gone.delete(key)
      if (known.get(key)?.text === text) continue
      entities.upsert(toData(plain))
      known.set(key, { plain, text })
    }
    for (const key of gone) {
      const { plain } = known.get(key) as { plain: Plain }
      entities.remove(plain)
      known.delete(key)
    }
  }
  update()

  return {
    entities,
    schema,
    agent: (id) => agents.get(id),
    get world() {
      return world
    },
    get digest() {
      return digest
    },
    follow(next) {
      const nextDigest = digestOfWorld(next)
      if (nextDigest === digest) return
      schemas.clear()
      world = next
      digest = nextDigest
      update()
    },
  }
}
