/** Which parts of the context, and which named entities, a policy can look at: read off Cedar's JSON form of it. */

/**
 * What of a record is looked at: everything, or these attributes. An empty map: only whether it is there.
 */
export type RefTree = 'all' | ReadonlyMap<string, RefTree>

type Mutable = Map<string, Mutable | 'all'>
export type EntityId = { type: string; id: string }

/** The attributes of `context.a.b.c`; undefined for any other expression. */
function chainOf(node: unknown): string[] | undefined {
  const steps: string[] = []
  let here = node
  for (;;) {
    if (typeof here !== 'object' || here === null) return undefined
    if ('Var' in here) return here.Var === 'context' ? steps.toReversed() : undefined
    if (!('.' in here)) return undefined
    const access = here['.'] as { left: unknown; attr: string }
    steps.push(access.attr)
    here = access.left
  }
}

function add(tree: { root: Mutable | 'all' }, path: readonly string[], whole: boolean): void {
  if (tree.root === 'all') return
  if (path.length === 0) {
    if (whole) tree.root = 'all'
    return
  }
  let here = tree.root
  for (const [i, name] of path.entries()) {
    const found = here.get(name)
    if (found === 'all') return
    if (i === path.length - 1 && whole) {
      here.set(name, 'all')
      return
    }
    const next: Mutable = found ?? new Map()
    here.set(name, next)
    here = next
  }
}

function addLiterals(value: unknown, entities: EntityId[]): void {
  if (typeof value !== 'object' || value === null) return
  if ('__entity' in value) entities.push(value.__entity as EntityId)
  else for (const inner of Object.values(value)) addLiterals(inner, entities)
}

/**
 * @param conditions the `conditions` of a policy's JSON form
 * @returns the context attributes that decide it. Conservative: an expression that isn't a plain chain of attributes
 *   from `context` counts as everything that it starts from.
 */
export function referencesOf(conditions: unknown): { context: RefTree; entities: EntityId[] } {
  const tree: { root: Mutable | 'all' } = { root: new Map() }
  const entities: EntityId[] = []
  const stack: unknown[] = [conditions]
  while (stack.length > 0) {
    const node = stack.pop()
    if (typeof node !== 'object' || node === null) continue
    if (Array.isArray(node)) {
      stack.push(...node)
      continue
    }
    const expr = node as Record<string, unknown>
    const chain = chainOf(node)
    if (chain) add(tree, chain, true)
    else if ('has' in expr) {
      const has = expr.has as { left: unknown; attr: string | string[] }
      const from = chainOf(has.left)
      if (from) add(tree, [...from, ...(typeof has.attr === 'string' ? [has.attr] : has.attr)], false)
      else stack.push(has.left)
    } else if ('Value' in expr) addLiterals(expr.Value, entities)
    // The names in a record literal are the author's, and could spell one of the keys above.
    else if ('Record' in expr) stack.push(...Object.values(expr.Record as object))
    else stack.push(...Object.values(expr))
  }
  return { context: tree.root, entities }
}

export function mergeReferences(left: RefTree, right: RefTree): RefTree {
  if (left === 'all' || right === 'all') return 'all'
  const merged = new Map(left)
  for (const [name, inner] of right) {
    const found = merged.get(name)
    merged.set(name, found === undefined ? inner : mergeReferences(found, inner))
  }
  return merged
}
