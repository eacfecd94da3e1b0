/** From the agent's arguments to Cedar values: checked against the declared type, and built from it, never passed through. */
import type { RefTree } from './references.ts'
import type { RecordShape, Scalar, ValueType } from './input-type.ts'

// The agent controls every value here; names and shape come from the accepted definition alone.

function checkScalar(kind: Scalar, value: unknown): string | undefined {
  if (kind === 'string') {
    if (typeof value !== 'string') return 'must be a string'
    return value.isWellFormed() ? undefined : 'contains half of a surrogate pair'
  }
  if (kind === 'bool') return typeof value === 'boolean' ? undefined : 'must be true or false'
  // Beyond 2^53 the number that was parsed is not the number that was sent.
  return Number.isSafeInteger(value) ? undefined : 'must be an integer between -(2^53-1) and 2^53-1'
}

function checkRecord(shape: RecordShape, value: unknown, where: string): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return `${where || 'the input'} must be an object`
  const source = value as Record<string, unknown>
  for (const [name, field] of shape.fields) {
    const inner = Object.hasOwn(source, name) ? source[name] : undefined
    if (inner === undefined) {
      if (field.required) return `${where}/${name} is required`
    } else if (!(inner === null && field.nullable)) {
      const problem = checkValue(field.type, inner, `${where}/${name}`)
      if (problem !== undefined) return problem
    }
  }
  if (shape.closed) {
    for (const name of Object.keys(source)) {
      if (!shape.fields.has(name) && !shape.untyped.has(name)) return `${where || 'the input'} has an argument that is not declared`
    }
  }
  return undefined
}

/** @returns what is wrong, as a sentence with the JSON pointer of the argument and none of its value; undefined when it fits */
export function checkValue(type: ValueType, value: unknown, where: string): string | undefined {
  if (type.kind === 'record') return checkRecord(type, value, where)
  if (type.kind === 'set') {
    if (!Array.isArray(value)) return `${where} must be an array`
    for (let i = 0; i < value.length; i++) {
      const problem = checkScalar(type.element, value[i])
      if (problem !== undefined) return `${where}/${i} ${problem}`
    }
    return undefined
  }
  const problem = checkScalar(type.kind === 'person' ? 'string' : type.kind, value)
  return problem === undefined ? undefined : `${where} ${problem}`
}

/**
 * What of a type the policies of a bundle can reach: only this is built, sent to Cedar and part of the memo's key, so
 * that the three cannot differ.
 */
export function trimRecord(shape: RecordShape, refs: RefTree): RecordShape {
  if (refs === 'all') return shape
  const fields = new Map<string, { type: ValueType; required: boolean; nullable: boolean }>()
  for (const [name, field] of shape.fields) {
    const inner = refs.get(name)
    if (inner === undefined) continue
    // For anything but a record, even asking whether it is there takes the whole value.
    fields.set(name, field.type.kind === 'record' ? { ...field, type: trimRecord(field.type, inner) } : field)
  }
  return { ...shape, fields }
}

export type CedarValue = string | number | boolean | CedarValue[] | { [name: string]: CedarValue }

function buildValue(type: ValueType, value: unknown): CedarValue {
  if (type.kind === 'record') return buildRecord(type, value as Record<string, unknown>)
  if (type.kind === 'set') {
    const items = (value as (string | number | boolean)[]).map((item) => (item === 0 ? 0 : item))
    return items.length > 1 ? [...new Set(items)] : items
  }
  if (type.kind === 'person') return { __entity: { type: 'Person', id: value as string } }
  // -0 is written as 0, so that it is the integer.
  return value === 0 ? 0 : (value as CedarValue)
}

/** @param source fits the untrimmed shape: `checkValue` said so */
export function buildRecord(shape: RecordShape, source: Record<string, unknown>): { [name: string]: CedarValue } {
  const built: { [name: string]: CedarValue } = {}
  for (const [name, field] of shape.fields) {
    const value = Object.hasOwn(source, name) ? source[name] : undefined
    if (value !== undefined && value !== null) built[name] = buildValue(field.type, value)
  }
  return built
}
