/** From the solver's answer to a request: what it says nothing of gets an ordinary value. */
import type { EntityJson, EntityUidJson } from '@ephor/cedar'
import type { Encoder, Namespace, Unknown } from './make-encoder.ts'
import { readScalar, readSet, readTree } from './smt.ts'
import type { Tree } from './smt.ts'
import { recordOf } from './sorts.ts'
import type { RecordSort, Sort } from './sorts.ts'
import type { Witness } from './types.ts'

/** Ids to use where any will do. */
export type Examples = { principal(type: string): string; resource: string }

/** The terms whose values make the request. */
export function valuesOf({ principal, resource }: Encoder, unknowns: readonly Unknown[], declared: (smt: string) => boolean): string[] {
  const ids = unknowns.flatMap((one) => (one.where === 'context' ? [] : one.where === 'parent' ? [one.id, one.parentId] : [one.id]))
  const roots = [principal, resource].flatMap((root) => ('smt' in root ? [root.smt] : []))
  return [...new Set([...unknowns.map(({ smt }) => smt), ...[...ids, ...roots].filter(declared)])]
}

/** Characters that no policy names can be any others: readable ones, the same for the same. */
function readable(script: string): (value: string) => string {
  const used = new Set(script)
  const spare = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'.split('').filter((char) => !used.has(char))
  const given = new Map<string, string>()
  return (value) =>
    Array.from(value)
      .map((char) => {
        if (used.has(char) || script.includes(`\\u{${char.codePointAt(0)?.toString(16)}}`)) return char
        const next = given.get(char) ?? spare[given.size] ?? char
        given.set(char, next)
        return next
      })
      .join('')
}

/** A number beyond 2^53 can't be written in JSON. */
const toJson = (value: boolean | bigint | string) =>
  typeof value !== 'bigint' ? value : value >= -(2n ** 53n) && value <= 2n ** 53n ? Number(value) : undefined

const iso = (ms: number) => new Date(ms).toISOString()

function decimal(value: number): string {
  const size = String(Math.abs(value)).padStart(5, '0')
  return `${value < 0 ? '-' : ''}${size.slice(0, -4)}.${size.slice(-4)}`
}

/** In Cedar's JSON form; undefined for a value that it can't hold. */
function written(sort: Sort, value: unknown): unknown {
  if (value === undefined) return undefined
  if (sort.kind === 'entity') return { __entity: { type: sort.type, id: value } }
  if (sort.kind === 'datetime') {
    const ms = value as number
    return Math.abs(ms) > 8.64e15 || iso(ms).length > 24 ? undefined : { __extn: { fn: 'datetime', arg: iso(ms) } }
  }
  if (sort.kind === 'duration') return { __extn: { fn: 'duration', arg: `${value as number}ms` } }
  return sort.kind === 'decimal' ? { __extn: { fn: 'decimal', arg: decimal(value as number) } } : value
}

const ORDINARY: Record<string, unknown> = {
  '["door"]': 'mcp',
  '["session","id"]': 'ses_example',
  '["risk","tier"]': 'low',
  '["time","weekday"]': 4,
}

function ordinary(sort: Sort, path: string): unknown {
  if (Object.hasOwn(ORDINARY, path)) return ORDINARY[path]
  if (sort.kind === 'set') return []
  if (sort.kind === 'record') return Object.fromEntries(required(sort).map(([name, inner]) => [name, ordinary(inner, '')]))
  if (sort.kind === 'bool') return false
  return written(sort, sort.kind === 'string' || sort.kind === 'entity' ? 'example' : 0)
}

const required = (sort: RecordSort) =>
  [...sort.attributes].flatMap(([name, one]): [string, Sort][] => (one.required ? [[name, one.sort]] : []))

class Unreadable extends Error {}

function valueOf(sort: Sort, tree: Tree | undefined, plain: (value: string) => string): unknown {
  const text = (value: boolean | bigint | string) => toJson(typeof value === 'string' ? plain(value) : value)
  const read = tree === undefined ? undefined : sort.kind === 'set' ? readSet(tree) : readScalar(tree)
  if (read === undefined) throw new Unreadable()
  const element = sort.kind === 'set' ? sort.element : sort
  const values = (Array.isArray(read) ? read : [read]).map((one) => written(element, text(one)))
  if (values.includes(undefined)) throw new Unreadable()
  return sort.kind === 'set' ? values : values[0]
}

type Reading = { trees: ReadonlyMap<string, Tree>; plain: (value: string) => string }
const isTrue = ({ trees }: Reading, smt: string) => trees.get(smt) === 'true'

/** A name that is written out is not made more readable. */
function idIn({ trees, plain }: Reading, smt: string): string | undefined {
  const written = smt.startsWith('"')
  const tree = written ? smt : trees.get(smt)
  return tree === undefined ? undefined : (valueOf({ kind: 'string' }, tree, written ? (value) => value : plain) as string)
}

function contextOf(sort: RecordSort, path: readonly string[], unknowns: readonly Unknown[], reading: Reading): Record<string, unknown> {
  const context: Record<string, unknown> = {}
  for (const [name, attribute] of sort.attributes) {
    const inner = [...path, name]
    const key = JSON.stringify(inner)
    const about = unknowns.filter((one) => one.where === 'context' && JSON.stringify(one.path.slice(0, inner.length)) === key)
    const present = about.find((one) => one.where === 'context' && one.part === 'present' && one.path.length === inner.length)
    const value = about.find((one) => one.where === 'context' && one.part === 'value' && one.path.length === inner.length)
    if (present ? !isTrue(reading, present.smt) : !attribute.required && about.length === 0) continue
    if (attribute.sort.kind === 'record') context[name] = contextOf(attribute.sort, inner, unknowns, reading)
    else context[name] = value ? valueOf(attribute.sort, reading.trees.get(value.smt), reading.plain) : ordinary(attribute.sort, key)
  }
  return context
}

function entitiesOf(
  unknowns: readonly Unknown[],
  reading: Reading,
  roots: readonly Witness['principal'][],
  namespace: Namespace,
): EntityJson[] {
  const idOf = (smt: string) => idIn(reading, smt) ?? ''
  const entities = new Map<string, { uid: Witness['principal']; attrs: Record<string, unknown>; parents: Witness['principal'][] }>()
  const put = (type: string, id: string) => {
    const key = JSON.stringify([type, id])
    const found = entities.get(key)
    if (found) return found
    const declared = namespace.entityTypes[type]
    const shape = declared && 'shape' in declared ? recordOf(declared.shape, namespace) : undefined
    const attrs = Object.fromEntries(shape ? required(shape).map(([name, sort]) => [name, ordinary(sort, '')]) : [])
    const made = { uid: { type, id }, attrs, parents: [] }
    entities.set(key, made)
    return made
  }
  for (const { type, id } of roots) put(type, id)
  for (const one of unknowns) if (one.where === 'exists' && isTrue(reading, one.smt)) put(one.type, idOf(one.id))
  for (const one of unknowns) {
    if (one.where === 'context' || one.where === 'exists') continue
    const key = JSON.stringify([one.type, idOf(one.id)])
    const entity = entities.get(key)
    if (one.where === 'parent' && isTrue(reading, one.smt)) {
      const parent = { type: one.parentType, id: idOf(one.parentId) }
      if (JSON.stringify([parent.type, parent.id]) !== key) put(one.type, idOf(one.id)).parents.push(parent)
    } else if (one.where === 'attribute' && entity && one.part === 'value')
      entity.attrs[one.name] = valueOf(one.sort, reading.trees.get(one.smt), reading.plain)
  }
  for (const one of unknowns)
    if (one.where === 'attribute' && one.part === 'present' && !isTrue(reading, one.smt))
      delete entities.get(JSON.stringify([one.type, idOf(one.id)]))?.attrs[one.name]
  return [...entities.values()] as EntityJson[]
}

export type Answer = { encoder: Encoder; unknowns: readonly Unknown[]; asked: readonly string[]; model: string; script: string }

/** The same request of another principal. */
function renamed(witness: Witness, id: string): Witness {
  const { principal } = witness
  const isIt = (uid: EntityUidJson) => 'id' in uid && uid.type === principal.type && uid.id === principal.id
  const uid = { type: principal.type, id }
  return { ...witness, principal: uid, entities: witness.entities.map((one) => (isIt(one.uid) ? { ...one, uid } : one)) }
}

/** @returns the request as it reads best, then ever nearer to what the solver wrote; none where it can't be told */
export function readWitness(answer: Answer, namespace: Namespace, examples: Examples): Witness[] {
  const { encoder, unknowns, asked, model, script } = answer
  const answers = readTree(model)
  const trees = new Map(asked.map((smt, i) => [smt, (answers[i] as readonly Tree[] | undefined)?.[1] ?? '']))
  const action = { type: 'Action', id: encoder.of.action }
  const read = (plain: (value: string) => string): Witness => {
    const reading = { trees, plain }
    const [who, where] = [encoder.principal, encoder.resource] as { type: string; smt: string }[]
    const principal = { type: encoder.of.principalType, id: idIn(reading, who?.smt ?? '') ?? examples.principal(encoder.of.principalType) }
    const resource = { type: encoder.of.resourceType, id: idIn(reading, where?.smt ?? '') ?? examples.resource }
    const entities = entitiesOf(unknowns, reading, [principal, resource], namespace)
    return { principal, action, resource, context: contextOf(encoder.of.context, [], unknowns, reading), entities }
  }
  try {
    const plain = read(readable(script))
    return [renamed(plain, examples.principal(plain.principal.type)), plain, read((value) => value)]
  } catch (error) {
    if (error instanceof Unreadable) return []
    throw error
  }
}
