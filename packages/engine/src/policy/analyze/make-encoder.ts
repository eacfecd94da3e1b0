/** What the solver knows of one class of requests: its unknowns, declared as they are met, and what every request has in common. */
import type { SchemaJson } from '@cedar-policy/cedar-wasm/nodejs'
import { and, eq, ite, long, not, or, text } from './smt.ts'
import { canBeIn, recordOf, smtSort } from './sorts.ts'
import type { RecordSort, Scalar, Sort } from './sorts.ts'

export type Namespace = SchemaJson<string>[string]

/** Requests that the same policies cover in the same way. */
export type RequestClass = {
  /** One of its actions, and the groups that it is in with itself. */
  action: string
  groups: ReadonlySet<string>
  principalType: string
  resourceType: string
  /** The tool server of a tool; undefined where it can be any. */
  resource: string | undefined
  context: RecordSort
}

export type Term =
  | { kind: Scalar; smt: string }
  | { kind: 'entity'; type: string; smt: string }
  | { kind: 'set'; element: Sort; smt: string }
  /** A set that is written out. */
  | { kind: 'items'; items: readonly Term[] }
  | { kind: 'record'; field(name: string): Field }
  /** Nothing is known of it; `key` names it, so that it is the same wherever it stands. */
  | { kind: 'opaque'; key: string }
export type Field = { present: string; term: Term }

/** Something whose value is read from the solver's answer. */
export type Unknown =
  | { where: 'context'; path: readonly string[]; sort: Sort; smt: string; part: 'value' | 'present' }
  | { where: 'attribute'; type: string; id: string; name: string; sort: Sort; smt: string; part: 'value' | 'present' }
  | { where: 'exists'; type: string; id: string; smt: string }
  | { where: 'parent'; type: string; id: string; parentType: string; parentId: string; smt: string }

/** The integers that Ephor accepts from outside: beyond them JSON is not exact. */
const SAFE = Number.MAX_SAFE_INTEGER
const MIN_LONG = long(-(2n ** 63n))
const MAX_LONG = long(2n ** 63n - 1n)

export const inLong = (smt: string): string => `(<= ${MIN_LONG} ${smt} ${MAX_LONG})`

/** Names an expression, so that the same one is the same unknown wherever it stands. */
export const keyOf = (expr: unknown) => JSON.stringify(expr, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))

export interface Encoder {
  readonly of: RequestClass
  readonly principal: Term
  readonly action: Term
  readonly resource: Term
  readonly context: Term
  readonly unknowns: readonly Unknown[]
  /** A short name for a long term, so that what stands in two places is written once. */
  named(smt: string, sort: 'Bool' | 'Int' | 'String'): string
  /** A value of which nothing is known, the same for the same key. */
  anything(key: string, sort: string): string
  /** An attribute of an entity; undefined where its type has none of this name. */
  attribute(entity: Extract<Term, { kind: 'entity' }>, name: string): (Field & { exists: string }) | undefined
  isIn(child: Extract<Term, { kind: 'entity' }>, parent: Extract<Term, { kind: 'entity' }>): string
  assume(smt: string): void
  /** What a goal stands on: declarations, assumptions, and the unknowns among them. */
  script(goal: string): { text: string; unknowns: readonly Unknown[]; declared: (smt: string) => boolean }
  /** The same for two classes when nothing that was encoded tells them apart. */
  fingerprint(): string
}

export function makeEncoder(of: RequestClass, namespace: Namespace): Encoder {
  /** Definitions by name, and assumptions, which have none. */
  const lines: { name: string; line: string }[] = []
  const known = new Map<string, string>()
  const unknowns: Unknown[] = []

  function once(key: string, make: (name: string) => string): string {
    const found = known.get(key)
    if (found !== undefined) return found
    const name = `k!${known.size}`
    known.set(key, name)
    lines.push({ name, line: make(name) })
    return name
  }
  const assume = (smt: string) => void lines.push({ name: '', line: `(assert ${smt})` })

  const named = (smt: string, sort: string) => (smt.length < 80 ? smt : once(`=${smt}`, (name) => `(define-fun ${name} () ${sort} ${smt})`))
  const anything = (key: string, sort: string) => once(`?${sort}${key}`, (name) => `(declare-const ${name} ${sort})`)
  const apply = (key: string, id: string, sort: string) => `(${once(`f${key}`, (name) => `(declare-fun ${name} (String) ${sort})`)} ${id})`

  /** What holds for every value of a sort that comes from outside. */
  function bounded(smt: string, sort: Sort): void {
    if (sort.kind === 'long' || sort.kind === 'datetime') assume(`(<= ${long(-SAFE)} ${smt} ${long(SAFE)})`)
    else if (smtSort(sort) === 'Int') assume(inLong(smt))
    // Sets of requests are finite.
    else if (sort.kind === 'set' && sort.element.kind !== 'bool') assume(`(not (default ${smt}))`)
  }

  function termOf(sort: Sort, smt: string): Term {
    if (sort.kind === 'entity') return { kind: 'entity', type: sort.type, smt }
    if (sort.kind === 'set') return { kind: 'set', element: sort.element, smt }
    return { kind: sort.kind as Scalar, smt }
  }

  function variable(path: readonly string[], sort: Sort): Term {
    if (sort.kind === 'record') return recordAt(path, sort)
    const key = JSON.stringify(path)
    const declared = smtSort(sort)
    if (declared === undefined) return { kind: 'opaque', key }
    const isNew = !known.has(`?${declared}${key}`)
    const smt = anything(key, declared)
    if (isNew) {
      unknowns.push({ where: 'context', path, sort, smt, part: 'value' })
      bounded(smt, sort)
    }
    return termOf(sort, smt)
  }

  function recordAt(path: readonly string[], sort: RecordSort): Term {
    return {
      kind: 'record',
      field(name) {
        const attribute = sort.attributes.get(name)
        if (!attribute) return { present: 'false', term: { kind: 'opaque', key: JSON.stringify([...path, name]) } }
        const inner = [...path, name]
        const term = variable(inner, attribute.sort)
        if (attribute.required) return { present: 'true', term }
        const key = `has${JSON.stringify(inner)}`
        const isNew = !known.has(`?Bool${key}`)
        const present = anything(key, 'Bool')
        if (isNew) unknowns.push({ where: 'context', path: inner, sort: attribute.sort, smt: present, part: 'present' })
        return { present, term }
      },
    }
  }

  const roots = new Set<string>()
  function exists(type: string, id: string): string {
    if (roots.has(`${type} ${id}`)) return 'true'
    const smt = apply(`exists ${type}`, id, 'Bool')
    if (known.has(`e${type} ${id}`)) return smt
    known.set(`e${type} ${id}`, smt)
    unknowns.push({ where: 'exists', type, id, smt })
    // Who asks, and what is asked of, exist; another name may turn out to be theirs.
    for (const root of [principal, resource]) if (root.type === type) assume(or(not(eq(root.smt, id)), smt))
    return smt
  }

  function attributeOf({ type, smt: id }: Extract<Term, { kind: 'entity' }>, name: string) {
    const declared = namespace.entityTypes[type]
    const shape = declared && 'shape' in declared ? recordOf(declared.shape, namespace) : undefined
    const attribute = shape?.attributes.get(name)
    if (!attribute) return undefined
    const { sort, required } = attribute
    const there = exists(type, id)
    const read = (part: 'value' | 'present', declaredSort: string) => {
      const key = `${part} ${type} ${name}`
      const isNew = !known.has(`a${key} ${id}`)
      const smt = apply(key, id, declaredSort)
      if (isNew) {
        known.set(`a${key} ${id}`, smt)
        unknowns.push({ where: 'attribute', type, id, name, sort, smt, part })
        if (part === 'value') bounded(smt, sort)
      }
      return smt
    }
    const present = required ? 'true' : read('present', 'Bool')
    const declaredSort = smtSort(sort)
    const term: Term =
      declaredSort === undefined ? { kind: 'opaque', key: `${type} ${id} ${name}` } : termOf(sort, read('value', declaredSort))
    return { exists: there, present, term }
  }

  function isIn(child: Extract<Term, { kind: 'entity' }>, parent: Extract<Term, { kind: 'entity' }>): string {
    const same = child.type === parent.type ? eq(child.smt, parent.smt) : 'false'
    if (child.type === 'Action') {
      const within = [...of.groups].some((group) => text(group) === parent.smt)
      return child.smt === text(of.action) && within ? 'true' : same
    }
    if (!canBeIn(namespace, child.type, parent.type)) return same
    const smt = apply(`in ${child.type} ${parent.type} ${parent.smt}`, child.smt, 'Bool')
    if (!known.has(`i${smt}`))
      unknowns.push({ where: 'parent', type: child.type, id: child.smt, parentType: parent.type, parentId: parent.smt, smt })
    known.set(`i${smt}`, smt)
    return or(same, smt)
  }

  function root(type: string, id: string | undefined): Extract<Term, { kind: 'entity' }> {
    const fixed = id === undefined ? undefined : text(id)
    const smt = fixed ?? once(`root ${roots.size}`, (name) => `(declare-const ${name} String)`)
    roots.add(`${type} ${smt}`)
    return { kind: 'entity', type, smt }
  }

  const principal = root(of.principalType, undefined)
  const action = root('Action', of.action)
  const resource = root(of.resourceType, of.resource)

  return {
    of,
    principal,
    action,
    resource,
    context: recordAt([], of.context),
    unknowns,
    named,
    anything,
    attribute: attributeOf,
    isIn,
    assume,
    script(goal) {
      const needed = coneOf(goal, lines)
      const declared = (smt: string) => namesIn(smt).every((name) => needed.names.has(name))
      return {
        text: lines.flatMap(({ line }, i) => (needed.lines.has(i) ? [line] : [])).join('\n'),
        unknowns: unknowns.filter(({ smt }) => declared(smt)),
        declared,
      }
    },
    fingerprint: () => lines.map(({ line }) => line).join('\n'),
  }
}

const namesIn = (smt: string): string[] => [...(smt.match(/k!\d+/g) ?? [])]

/** The definitions that a goal needs, the assumptions about these, and what those need in turn. */
function coneOf(goal: string, lines: readonly { name: string; line: string }[]): { names: Set<string>; lines: Set<number> } {
  const at = new Map(lines.map(({ name }, i) => [name, i]))
  const about = new Map<string, number[]>()
  for (const [i, { name, line }] of lines.entries())
    if (name === '') for (const one of namesIn(line)) about.set(one, [...(about.get(one) ?? []), i])
  const needed = { names: new Set<string>(), lines: new Set<number>() }
  const queue = namesIn(goal)
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (needed.names.has(name)) continue
    needed.names.add(name)
    for (const i of [at.get(name) ?? -1, ...(about.get(name) ?? [])]) {
      if (i < 0 || needed.lines.has(i)) continue
      needed.lines.add(i)
      queue.push(...namesIn(lines[i]?.line ?? ''))
    }
  }
  return needed
}

/** One term where `test` holds, another where it doesn't; undefined when no term can be both. */
export function choose(test: string, yes: Term, no: Term): Term | undefined {
  if (test === 'true') return yes
  if (test === 'false') return no
  if (yes.kind === 'record' && no.kind === 'record')
    return {
      kind: 'record',
      field(name) {
        const [left, right] = [yes.field(name), no.field(name)]
        const present = ite(test, left.present, right.present)
        if (left.present === 'false') return { present, term: right.term }
        if (right.present === 'false') return { present, term: left.term }
        return { present, term: choose(test, left.term, right.term) ?? { kind: 'opaque', key: `if ${test} ${name}` } }
      },
    }
  if (!('smt' in yes) || !('smt' in no) || yes.kind !== no.kind) return undefined
  if (yes.kind === 'entity' && no.kind === 'entity' && yes.type !== no.type) return undefined
  if (yes.kind === 'set' && no.kind === 'set' && smtSort(yes) !== smtSort(no)) return undefined
  return { ...yes, smt: ite(test, yes.smt, no.smt) }
}

export const emptySet = (like: Term): string => `((as const ${like.kind === 'set' ? smtSort(like) : ''}) false)`

/** A set as the solver holds it; one that is written out as one of the sort of the other. */
export function asArray(set: Term, other: Term): string | undefined {
  if (set.kind === 'set')
    return smtSort(set) !== undefined && (other.kind !== 'set' || smtSort(set) === smtSort(other)) ? set.smt : undefined
  if (set.kind !== 'items' || other.kind !== 'set' || smtSort(other) === undefined) return undefined
  const { element } = other
  const fits = (item: Term) =>
    item.kind === element.kind && (item.kind !== 'entity' || element.kind !== 'entity' || item.type === element.type)
  let array = emptySet(other)
  for (const item of set.items) {
    if (!('smt' in item) || !fits(item)) return undefined
    array = `(store ${array} ${item.smt} true)`
  }
  return array
}

/** Whether two terms are the same value; undefined when that can't be told. */
export function same(left: Term, right: Term): string | undefined {
  if (left.kind === 'opaque' || right.kind === 'opaque') return undefined
  if (left.kind === 'items' && right.kind === 'items') {
    const within = (one: Term, others: readonly Term[]) => others.map((other) => same(one, other))
    const each = [...left.items.map((one) => within(one, right.items)), ...right.items.map((one) => within(one, left.items))]
    return each.some((row) => row.includes(undefined)) ? undefined : and(...each.map((row) => or(...(row as string[]))))
  }
  if (left.kind === 'items' || right.kind === 'items') {
    const [a, b] = [asArray(left, right), asArray(right, left)]
    return a === undefined || b === undefined ? undefined : eq(a, b)
  }
  if (!('smt' in left) || !('smt' in right)) return undefined
  if (left.kind !== right.kind) return 'false'
  if (left.kind === 'entity' && right.kind === 'entity' && left.type !== right.type) return 'false'
  if (left.kind === 'set' && right.kind === 'set' && smtSort(left) !== smtSort(right)) return undefined
  return eq(left.smt, right.smt)
}
