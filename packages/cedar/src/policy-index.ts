/** Policies by their scope: which cover a request is looked up, by type, entity and ancestors, not tried one by one. */
import type { Entities } from './entities.ts'
import type { EntityRef } from './values.ts'

/** What one part of a scope asks: any entity, a type, one entity, or all within one. */
export type ScopeKey = { op: 'any' } | { op: 'is'; type: string } | { op: '==' | 'in'; key: string }

const NO_KEYS: ReadonlySet<string> = new Set()

/** One part of the scope. Values come in the order in which they were put. */
class Level<T> {
  any: T | undefined
  readonly is = new Map<string, T>()
  readonly equal = new Map<string, T>()
  readonly within = new Map<string, T>()

  at(scope: ScopeKey, make: () => T): T {
    if (scope.op === 'any') return (this.any ??= make())
    const [map, key] = scope.op === 'is' ? [this.is, scope.type] : [scope.op === '==' ? this.equal : this.within, scope.key]
    let value = map.get(key)
    if (value === undefined) map.set(key, (value = make()))
    return value
  }

  find(ref: EntityRef, ancestors: ReadonlySet<string>, found: T[]): void {
    if (this.any !== undefined) found.push(this.any)
    if (this.is.size > 0) push(this.is.get(ref.type), found)
    if (this.equal.size > 0) push(this.equal.get(ref.key), found)
    const { within } = this
    if (within.size === 0) return
    push(within.get(ref.key), found)
    if (within.size < ancestors.size) {
      for (const [key, value] of within) if (ancestors.has(key)) found.push(value)
    } else {
      for (const key of ancestors) push(within.get(key), found)
    }
  }
}

function push<T>(value: T | undefined, found: T[]): void {
  if (value !== undefined) found.push(value)
}

export class PolicyIndex<P> {
  readonly #root = new Level<Level<Level<P[]>>>()

  add(policy: P, principal: ScopeKey, action: ScopeKey, resource: ScopeKey): void {
    const byPrincipal = this.#root.at(action, () => new Level())
    const byResource = byPrincipal.at(principal, () => new Level())
    byResource.at(resource, () => []).push(policy)
  }

  /** Lists of policies that cover the request; one that names several actions may be in more than one list. */
  find(entities: Entities, principal: EntityRef, action: EntityRef, resource: EntityRef): P[][] {
    const [ofPrincipal, ofResource] = [ancestorsOf(entities, principal), ancestorsOf(entities, resource)]
    const byPrincipal: Level<Level<P[]>>[] = []
    const byResource: Level<P[]>[] = []
    const found: P[][] = []
    this.#root.find(action, ancestorsOf(entities, action), byPrincipal)
    for (const level of byPrincipal) level.find(principal, ofPrincipal, byResource)
    for (const level of byResource) level.find(resource, ofResource, found)
    return found
  }
}

function ancestorsOf(entities: Entities, ref: EntityRef): ReadonlySet<string> {
  return entities.get(ref.key)?.ancestors ?? NO_KEYS
}
