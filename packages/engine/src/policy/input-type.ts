/** What of a JSON Schema Cedar can type: the one description from which schema, arguments' check and context are made. */
import type { Json, JsonObject } from '@ephor/engine/kernel'

export type Scalar = 'string' | 'long' | 'bool'
/** What a string is declared to be that can be written in many ways. */
export type Format = 'uri' | 'hostname'
export type Field = { type: ValueType; required: boolean; nullable: boolean }
export type RecordShape = {
  kind: 'record'
  /** In order of name. */
  fields: ReadonlyMap<string, Field>
  /** Nothing but these and `untyped` is accepted (`additionalProperties: false`). */
  closed: boolean
  /** Declared, but invisible to policies. */
  untyped: ReadonlySet<string>
  /** Under which the schema declares it once. */
  name?: string
  /** Something in it has more than one form: a format, or null for what is absent. */
  rewritten: boolean
}
/** A `person` is given as an id, a `datetime` as text. */
export type ValueType =
  | { kind: Scalar; format?: Format | undefined }
  | { kind: 'set'; element: Scalar; format?: Format | undefined }
  | { kind: 'person' }
  | { kind: 'datetime' }
  | RecordShape

/** An argument that policies can't see, and why. */
export type LeftOut = { where: string; why: string }

// The tool server writes the schema: what it can make us build is bounded.
const MAX_DEPTH = 6
const MAX_FIELDS = 300
const MAX_NAME = 128

type Walk = { root: JsonObject; left: LeftOut[]; fields: number }

const FORMATS: Record<string, Format> = {
  uri: 'uri',
  url: 'uri',
  iri: 'uri',
  hostname: 'hostname',
  'idn-hostname': 'hostname',
}

const SCALARS: Record<string, Scalar> = { string: 'string', integer: 'long', boolean: 'bool' }

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

export const emptyRecord: RecordShape = { kind: 'record', fields: new Map(), closed: false, untyped: new Set(), rewritten: false }

/** Follows `#/…` references inside the schema. @returns undefined when one leads nowhere, outside, or in a circle */
function resolve(schema: Json | undefined, walk: Walk): JsonObject | undefined {
  let here = schema
  for (let hops = 0; hops < 8; hops++) {
    if (!isObject(here)) return undefined
    if (here.$ref === undefined) return here
    if (typeof here.$ref !== 'string' || !here.$ref.startsWith('#/')) return undefined
    let target: Json | undefined = walk.root
    for (const step of here.$ref.slice(2).split('/')) {
      const key: string = step.replaceAll('~1', '/').replaceAll('~0', '~')
      target = isObject(target) && Object.hasOwn(target, key) ? target[key] : undefined
    }
    here = target
  }
  return undefined
}

/** Takes `null` out of `type: [T, 'null']` and `anyOf: [T, {type: 'null'}]`, the two ways in which libraries write optional. */
function withoutNull(schema: JsonObject, walk: Walk): { schema: JsonObject; nullable: boolean } | undefined {
  for (const key of ['anyOf', 'oneOf']) {
    const branches = schema[key]
    if (branches === undefined) continue
    if (!Array.isArray(branches)) return undefined
    const rest = branches.filter((branch) => !(isObject(branch) && branch.type === 'null'))
    const only = rest.length === 1 ? resolve(rest[0], walk) : undefined
    if (!only || only.anyOf !== undefined || only.oneOf !== undefined) return undefined
    const inner = withoutNull(only, walk)
    return inner && { schema: inner.schema, nullable: inner.nullable || rest.length < branches.length }
  }
  if (!Array.isArray(schema.type)) return { schema, nullable: false }
  const types = schema.type.filter((type) => type !== 'null')
  if (types.length !== 1 || types[0] === undefined) return undefined
  return { schema: { ...schema, type: types[0] }, nullable: types.length < schema.type.length }
}

function scalarOf(schema: JsonObject): Scalar | undefined {
  if (typeof schema.type === 'string') return SCALARS[schema.type]
  if (schema.type !== undefined) return undefined
  const values = Array.isArray(schema.enum) ? schema.enum : 'const' in schema ? [schema.const] : []
  return values.length > 0 && values.every((value) => typeof value === 'string') ? 'string' : undefined
}

function formatOf({ format }: JsonObject, scalar: Scalar): { format?: Format } {
  const known = scalar === 'string' && typeof format === 'string' && Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined
  return known === undefined ? {} : { format: known }
}

const isRewritten = ({ type, nullable }: Field) => nullable || (type.kind === 'record' ? type.rewritten : 'format' in type)

function typeOf(schema: JsonObject, where: string, depth: number, walk: Walk): ValueType | string {
  if (schema.allOf !== undefined || schema.not !== undefined || schema.if !== undefined) return 'combined schemas have no one type'
  const scalar = scalarOf(schema)
  if (scalar) return { kind: scalar, ...formatOf(schema, scalar) }
  if (schema.type === 'number') return 'Cedar has no floating-point numbers'
  if (schema.type === 'array') {
    const items = resolve(schema.items, walk)
    const element = items && scalarOf(items)
    return element ? { kind: 'set', element, ...formatOf(items, element) } : 'only arrays of strings, integers or booleans have a type'
  }
  if (schema.type === 'object' && isObject(schema.properties)) {
    if (depth >= MAX_DEPTH) return `nested more than ${MAX_DEPTH} deep`
    return recordOf(schema, where, depth + 1, walk)
  }
  return schema.type === 'object' ? 'an object without declared properties has no type' : 'more than one type, or none, is declared'
}

function recordOf(schema: JsonObject, where: string, depth: number, walk: Walk): RecordShape {
  const fields = new Map<string, Field>()
  const untyped = new Set<string>()
  const properties = isObject(schema.properties) ? schema.properties : {}
  const required = new Set(Array.isArray(schema.required) ? schema.required : [])
  const leave = (name: string, why: string) => {
    untyped.add(name)
    if (walk.left.length < MAX_FIELDS) walk.left.push({ where: `${where}/${name.slice(0, MAX_NAME).toWellFormed()}`, why })
  }
  for (const name of Object.keys(properties).toSorted()) {
    const found = resolve(properties[name], walk)
    const plain = found && withoutNull(found, walk)
    // `__entity`, `__extn` and `__expr` are escapes in Cedar's JSON: a record may never hold such a name.
    if (name.startsWith('__') || !name.isWellFormed()) leave(name, 'the name is reserved or not valid text')
    else if (name.length > MAX_NAME || ++walk.fields > MAX_FIELDS) leave(name, 'too long a name, or too many arguments')
    else if (!plain) leave(name, 'more than one type, or none, is declared')
    else {
      const type = typeOf(plain.schema, `${where}/${name}`, depth, walk)
      if (typeof type === 'string') leave(name, type)
      else fields.set(name, { type, required: required.has(name), nullable: plain.nullable })
    }
  }
  const closed = schema.additionalProperties === false && schema.patternProperties === undefined
  return { kind: 'record', fields, closed, untyped, rewritten: [...fields.values()].some(isRewritten) }
}

/** The record that `context.input` is for a tool with this JSON Schema, and what of the schema it leaves out. */
export function inputTypeOf(schema: JsonObject): { type: RecordShape; leftOut: LeftOut[] } {
  const walk: Walk = { root: schema, left: [], fields: 0 }
  return { type: recordOf(schema, '', 0, walk), leftOut: walk.left }
}
