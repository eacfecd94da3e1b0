/** Checks the agent's arguments against the declared type, before anything is made of them. */
import { canonicalText } from './canonical-text.ts'
import type { Format, RecordShape, Scalar, ValueType } from './input-type.ts'

// The agent controls every value here; names and shape come from the accepted definition alone.

/** Characters and values of all that policies may look at in one call. */
const MAX_SIZE = 1024 * 1024

type Check = { left: number }

function checkScalar(kind: Scalar, value: unknown, format: Format | undefined, check: Check): string | undefined {
  check.left -= 1
  if (kind === 'string') {
    if (typeof value !== 'string') return 'must be a string'
    check.left -= value.length
    if (!value.isWellFormed()) return 'contains half of a surrogate pair'
    return format && canonicalText(format, value) === undefined ? `must be a ${format === 'uri' ? 'URI' : 'host name'}` : undefined
  }
  if (kind === 'bool') return typeof value === 'boolean' ? undefined : 'must be true or false'
  // Beyond 2^53 the number that was parsed is not the number that was sent.
  return Number.isSafeInteger(value) ? undefined : 'must be an integer between -(2^53-1) and 2^53-1'
}

function checkRecord(shape: RecordShape, value: unknown, where: string, check: Check): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return `${where || 'the input'} must be an object`
  const source = value as Record<string, unknown>
  for (const [name, field] of shape.fields) {
    const inner = Object.hasOwn(source, name) ? source[name] : undefined
    if (inner === undefined) {
      if (field.required) return `${where}/${name} is required`
    } else if (!(inner === null && field.nullable)) {
      const problem = checkOne(field.type, inner, `${where}/${name}`, check)
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

function checkOne(type: ValueType, value: unknown, where: string, check: Check): string | undefined {
  if (check.left < 0) return 'the arguments are larger than policies may look at'
  if (type.kind === 'record') return checkRecord(type, value, where, check)
  if (type.kind === 'set') {
    if (!Array.isArray(value)) return `${where} must be an array`
    for (let i = 0; i < value.length; i++) {
      const problem = checkScalar(type.element, value[i], type.format, check)
      if (problem !== undefined) return `${where}/${i} ${problem}`
    }
    return undefined
  }
  const problem =
    type.kind === 'person' || type.kind === 'datetime'
      ? checkScalar('string', value, undefined, check)
      : checkScalar(type.kind, value, type.format, check)
  return problem === undefined ? undefined : `${where} ${problem}`
}

/** @returns what is wrong, as a sentence with the JSON pointer of the argument and none of its value; undefined when it fits */
export function checkValue(shape: RecordShape, value: unknown): string | undefined {
  const check = { left: MAX_SIZE }
  const problem = checkOne(shape, value, '', check) ?? (check.left < 0 ? 'the arguments are larger than policies may look at' : undefined)
  if (problem === undefined) return undefined
  return problem.startsWith('/')
    ? `The argument ${problem.replace(/^\/input(?=\/)/, '')}.`
    : `${problem[0]?.toUpperCase()}${problem.slice(1)}.`
}
