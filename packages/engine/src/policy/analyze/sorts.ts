/** The types of a Cedar schema as the solver can hold them; what it can't is `opaque`: it may be anything. */
import type { SchemaJson } from '@cedar-policy/cedar-wasm/nodejs'

export type Scalar = 'bool' | 'long' | 'string' | 'decimal' | 'datetime' | 'duration'
export type Attribute = { sort: Sort; required: boolean }
export type RecordSort = { kind: 'record'; attributes: ReadonlyMap<string, Attribute> }
export type Sort = { kind: Scalar } | { kind: 'entity'; type: string } | { kind: 'set'; element: Sort } | RecordSort | { kind: 'opaque' }

type Namespace = SchemaJson<string>[string]
type SchemaType = { type: string; name?: string; element?: SchemaType; attributes?: Record<string, SchemaType & { required?: boolean }> }

const emptyRecord: RecordSort = { kind: 'record', attributes: new Map() }

const NAMES: Record<string, Scalar> = {
  Boolean: 'bool',
  Bool: 'bool',
  Long: 'long',
  String: 'string',
  decimal: 'decimal',
  datetime: 'datetime',
  duration: 'duration',
}

/** @param type as the schema's JSON has it */
function sortOf(type: unknown, namespace: Namespace): Sort {
  const { type: kind, name, element, attributes } = type as SchemaType
  if (kind === 'Set') return { kind: 'set', element: element ? sortOf(element, namespace) : { kind: 'opaque' } }
  if (kind === 'Record') {
    const entries = Object.entries(attributes ?? {}).map(([key, one]) => {
      return [key, { sort: sortOf(one, namespace), required: one.required ?? true }] as const
    })
    return { kind: 'record', attributes: new Map(entries) }
  }
  const called = (name ?? kind).replace(/^__cedar::/, '')
  const common = kind === 'Entity' || kind === 'Extension' ? undefined : namespace.commonTypes?.[called]
  if (common) return sortOf(common, namespace)
  if (kind === 'Entity' || Object.hasOwn(namespace.entityTypes, called)) return { kind: 'entity', type: called }
  const scalar = Object.hasOwn(NAMES, called) ? NAMES[called] : undefined
  return { kind: scalar ?? 'opaque' }
}

export function recordOf(type: unknown, namespace: Namespace): RecordSort {
  const sort = type === undefined ? emptyRecord : sortOf(type, namespace)
  return sort.kind === 'record' ? sort : emptyRecord
}

/** The solver's sort; undefined for what it can't hold. */
export function smtSort(sort: Sort): string | undefined {
  if (sort.kind === 'bool') return 'Bool'
  if (sort.kind === 'string' || sort.kind === 'entity') return 'String'
  if (sort.kind === 'opaque' || sort.kind === 'record') return undefined
  if (sort.kind !== 'set') return 'Int'
  const element = sort.element.kind === 'set' ? undefined : smtSort(sort.element)
  return element === undefined ? undefined : `(Array ${element} Bool)`
}

/** Whether an entity of one type can be in one of another. */
export function canBeIn(namespace: Namespace, child: string, parent: string): boolean {
  const seen = new Set<string>()
  const queue = [child]
  for (let here = queue.pop(); here !== undefined; here = queue.pop()) {
    if (seen.has(here)) continue
    seen.add(here)
    const type = namespace.entityTypes[here]
    const parents = type && 'memberOfTypes' in type ? (type.memberOfTypes ?? []) : []
    if (parents.includes(parent)) return true
    queue.push(...parents)
  }
  return false
}
