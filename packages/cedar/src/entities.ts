/** The entities of a world: kept by key with all their ancestors, changed one at a time without starting over. */
import { CedarError, LIMITS } from './cedar-error.ts'
import type { EntityUid } from './json.ts'
import { EMPTY_RECORD, EntityRef } from './values.ts'
import type { RecordSource } from './values.ts'

export type EntityData = { uid: EntityUid; parents: readonly EntityUid[]; attrs: RecordSource; tags?: RecordSource }

export class EntityNode {
  readonly ref: EntityRef
  /** Named as a parent only, until `known`: such an entity has descendants but no data. */
  known = false
  attrs: RecordSource = EMPTY_RECORD
  tags: RecordSource = EMPTY_RECORD
  parents: readonly EntityNode[] = []
  readonly children = new Set<EntityNode>()
  /** Keys of all ancestors, not of itself. */
  ancestors: ReadonlySet<string> = NONE
  /** The same with its own key: what all those have in common whose only parent it is. */
  line: ReadonlySet<string> | undefined

  constructor(ref: EntityRef) {
    this.ref = ref
  }
}

const NONE: ReadonlySet<string> = new Set()

export class Entities {
  readonly #byType = new Map<string, Map<string, EntityNode>>()
  readonly #byKey = new Map<string, EntityNode>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The node of an entity that is known, by the key of its reference. */
  get(key: string): EntityNode | undefined {
    const node = this.#byKey.get(key)
    return node?.known ? node : undefined
  }

  has(uid: EntityUid): boolean {
    return this.#byType.get(uid.type)?.get(uid.id)?.known === true
  }

  /** The reference that is kept, so that asking about known entities makes no text. */
  ref(uid: EntityUid): EntityRef {
    return this.#byType.get(uid.type)?.get(uid.id)?.ref ?? EntityRef.of(uid)
  }

  *uids(): IterableIterator<EntityRef> {
    for (const node of this.#byKey.values()) if (node.known) yield node.ref
  }

  ancestors(uid: EntityUid): EntityRef[] {
    const node = this.get(this.ref(uid).key)
    return node ? Array.from(node.ancestors, (key) => (this.#byKey.get(key) as EntityNode).ref) : []
  }

  /** Adds the entity, or replaces its data and parents. @throws CedarError ENTITY_CYCLE or a limit, and nothing has changed */
  upsert(data: EntityData): void {
    this.#refuseCycle(data)
    const former = this.get(this.ref(data.uid).key)
    const before = former && { uid: former.ref, parents: former.parents.map(({ ref }) => ref), attrs: former.attrs, tags: former.tags }
    const node = this.#put(data)
    try {
      this.#close(withDescendants([node]))
    } catch (error) {
      if (before) this.#put(before)
      else this.#demote(node)
      this.#close(withDescendants([node]))
      throw error
    }
  }

  /** Its descendants lose it and what they reached through it alone. @returns whether it was there */
  remove(uid: EntityUid): boolean {
    const node = this.get(this.ref(uid).key)
    if (!node) return false
    const affected = withDescendants([node])
    for (const child of node.children) child.parents = child.parents.filter((parent) => parent !== node)
    node.children.clear()
    this.#demote(node)
    affected.delete(node)
    this.#close(affected)
    return true
  }

  /** Adds many at once: in any order, at the cost of one pass. @throws CedarError, after which this store is of no use */
  load(all: Iterable<EntityData>): void {
    const nodes: EntityNode[] = []
    for (const data of all) nodes.push(this.#put(data))
    this.#close(withDescendants(nodes))
  }

  #refuseCycle({ uid, parents }: EntityData): void {
    const node = this.#byType.get(uid.type)?.get(uid.id)
    const own = EntityRef.of(uid).key
    const below = withDescendants(node ? [node] : [])
    for (const parent of parents) {
      const { key } = this.ref(parent)
      const above = this.#byKey.get(key)
      if (key === own || (above && below.has(above))) throw cycle(EntityRef.of(uid))
    }
  }

  #put({ uid, parents, attrs, tags }: EntityData): EntityNode {
    const node = this.#node(uid)
    if (!node.known) {
      if (this.#size >= LIMITS.entities) throw new CedarError('ENTITIES_TOO_MANY', `There are more than ${LIMITS.entities} entities.`)
      node.known = true
      this.#size++
    }
    node.attrs = attrs
    node.tags = tags ?? EMPTY_RECORD
    const next = [...new Set(parents.map((parent) => this.#node(parent)))]
    for (const parent of next) parent.children.add(node)
    const former = node.parents
    node.parents = next
    for (const parent of former) {
      if (next.includes(parent)) continue
      parent.children.delete(node)
      this.#forget(parent)
    }
    return node
  }

  #node(uid: EntityUid): EntityNode {
    let ids = this.#byType.get(uid.type)
    if (!ids) this.#byType.set(uid.type, (ids = new Map()))
    let node = ids.get(uid.id)
    if (!node) {
      node = new EntityNode(EntityRef.of(uid))
      ids.set(uid.id, node)
      this.#byKey.set(node.ref.key, node)
    }
    return node
  }

  /** Back to what is named at most: no data, no parents. */
  #demote(node: EntityNode): void {
    const { parents } = node
    Object.assign(node, new EntityNode(node.ref), { children: node.children })
    for (const parent of parents) {
      parent.children.delete(node)
      this.#forget(parent)
    }
    this.#size--
    this.#forget(node)
  }

  /** Drops a node that nothing names any more. */
  #forget(node: EntityNode): void {
    if (node.known || node.children.size > 0) return
    this.#byKey.delete(node.ref.key)
    const ids = this.#byType.get(node.ref.type)
    ids?.delete(node.ref.id)
    if (ids?.size === 0) this.#byType.delete(node.ref.type)
  }

  /** Finds the ancestors of these nodes anew, parents first and without recursion: a chain may be long. */
  #close(affected: ReadonlySet<EntityNode>): void {
    const waiting = new Map<EntityNode, number>()
    const ready: EntityNode[] = []
    for (const node of affected) {
      const count = node.parents.filter((parent) => affected.has(parent)).length
      waiting.set(node, count)
      if (count === 0) ready.push(node)
    }
    for (let node = ready.pop(); node; node = ready.pop()) {
      node.ancestors = ancestorsOf(node)
      node.line = undefined
      for (const child of node.children) {
        const left = waiting.get(child)
        if (left === undefined) continue
        waiting.set(child, left - 1)
        if (left === 1) ready.push(child)
      }
    }
    for (const [node, count] of waiting) if (count > 0) throw cycle(node.ref)
  }
}

function ancestorsOf({ ref, parents }: EntityNode): ReadonlySet<string> {
  const [first, ...others] = parents
  if (!first) return NONE
  let ancestors = lineOf(first)
  if (others.length > 0) {
    const all = new Set(ancestors)
    for (const parent of others) for (const key of lineOf(parent)) all.add(key)
    ancestors = all
  }
  if (ancestors.size <= LIMITS.ancestors) return ancestors
  throw new CedarError('ANCESTORS_TOO_MANY', `${ref.text} has more than ${LIMITS.ancestors} ancestors.`)
}

function lineOf(node: EntityNode): ReadonlySet<string> {
  return (node.line ??= new Set(node.ancestors).add(node.ref.key))
}

function withDescendants(nodes: Iterable<EntityNode>): Set<EntityNode> {
  const found = new Set(nodes)
  for (const next of found) for (const child of next.children) found.add(child)
  return found
}

function cycle(ref: EntityRef): CedarError {
  return new CedarError('ENTITY_CYCLE', `${ref.text} would be its own ancestor. Take one of the parents out.`)
}

/** @throws CedarError where an entity is its own ancestor, or there are too many */
export function createEntities(initial: Iterable<EntityData> = []): Entities {
  const entities = new Entities()
  entities.load(initial)
  return entities
}
