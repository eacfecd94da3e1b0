/** Cedar's JSON values to values, by a declared type where there is one: then references and extensions may be written plainly. */
import { CedarError, LIMITS } from './cedar-error.ts'
import { EvaluationFailure } from './evaluation-failure.ts'
import { CONSTRUCTORS, EXTENSION_FUNCTIONS, callExtension } from './extensions.ts'
import { toLong } from './long.ts'
import type { Long } from './long.ts'
import type { CedarType, RecordType } from './types.ts'
import { typeText } from './types.ts'
import { CedarSet, EntityRef, ExtensionValue, MapRecord, RecordSource, describe } from './values.ts'
import type { Value } from './values.ts'

type JsonObject = Record<string, unknown>

/** Where in the input: kept as a chain, and spelled out only in a message. */
type Place = { name: string; within?: Place; depth: number; budget: { left: number } }

const start = (name: string): Place => ({ name, depth: 0, budget: { left: LIMITS.valueSize } })

/** @throws CedarError where it is no value of Cedar */
export function readValue(json: unknown, type?: CedarType, name = 'value'): Value {
  return read(json, type, start(name))
}

/** Attributes, tags or a context: `attributes` types them, and without it they say themselves what they are. */
export function readRecord(json: unknown, type: RecordType | undefined, name: string): RecordSource {
  if (!isObject(json)) throw wrong(start(name), 'an object is expected')
  return recordOf(json, type, start(name))
}

function read(json: unknown, type: CedarType | undefined, place: Place): Value {
  if (--place.budget.left < 0) throw new CedarError('VALUE_TOO_LARGE', `${root(place)} holds more than ${LIMITS.valueSize} values.`)
  if (place.depth > LIMITS.valueDepth)
    throw new CedarError('VALUE_TOO_DEEP', `${root(place)} nests deeper than ${LIMITS.valueDepth} levels.`)
  switch (type?.kind) {
    case 'entity':
      return readUid(json, place)
    case 'extension':
      return readExtension(json, CONSTRUCTORS[type.name], place)
    case 'set':
      if (!Array.isArray(json)) throw mismatch(place, type, readUntyped(json, place))
      return new CedarSet(json.map((element, i) => read(element, type.element, below(place, `[${i}]`))))
    case 'record':
      if (!isObject(json)) throw mismatch(place, type, readUntyped(json, place))
      if (isUnknown(json)) throw unknown(place)
      return recordOf(json, type, place)
    default:
      return readUntyped(json, place)
  }
}

function readUntyped(json: unknown, place: Place): Value {
  switch (typeof json) {
    case 'boolean':
      return json
    case 'number':
    case 'bigint':
      return readLong(json, place)
    case 'string':
      return readString(json, place)
    default:
      if (Array.isArray(json)) return new CedarSet(json.map((element, i) => read(element, undefined, below(place, `[${i}]`))))
      if (!isObject(json)) throw wrong(place, `${json === null ? 'null' : typeof json} is no value of Cedar`)
      return readEscape(json, place) ?? recordOf(json, undefined, place)
  }
}

function readLong(json: number | bigint, place: Place): Long {
  if (typeof json === 'number') {
    if (Number.isSafeInteger(json)) return json + 0
    const why = Number.isInteger(json) ? 'was rounded on its way: beyond 2^53 a bigint is expected' : 'is no integer'
    throw new CedarError('INTEGER_INVALID', `${where(place)}: the number ${json} ${why}.`)
  }
  const long = toLong(json)
  if (long === undefined) throw new CedarError('INTEGER_INVALID', `${where(place)}: the number ${json} is beyond 64 bits.`)
  return long
}

function readString(json: string, place: Place): string {
  if (json.isWellFormed()) return json
  throw new CedarError('STRING_MALFORMED', `${where(place)}: the text holds half of a surrogate pair.`)
}

/** `__entity` and `__extn`, where they are the only name in an object and have the shape of one. */
function readEscape(json: JsonObject, place: Place): Value | undefined {
  const names = Object.keys(json)
  if (names.length !== 1) return undefined
  const [name] = names
  if (name === '__expr' && typeof json[name] === 'string') throw wrong(place, '`__expr` is no longer a part of Cedar')
  const inner = json[name as string]
  if (!isObject(inner)) return undefined
  if (name === '__entity') return isUid(inner) ? refOf(inner, place) : undefined
  if (name === '__extn') return isCall(inner) ? readCall(inner, undefined, place) : undefined
  return undefined
}

type Call = { fn: string; arg?: unknown; args?: unknown[] }

function isCall(json: JsonObject): json is Call {
  return typeof own(json, 'fn') === 'string' && (own(json, 'arg') !== undefined || Array.isArray(own(json, 'args')))
}

/** Where an extension value is expected: the escape, the call without the escape, or what its constructor takes. */
function readExtension(json: unknown, constructor: string, place: Place): Value {
  if (isObject(json)) {
    if (typeof own(json, '__expr') === 'string') throw wrong(place, '`__expr` is no longer a part of Cedar')
    const inner = own(json, '__extn')
    if (isObject(inner) && isCall(inner)) return readCall(inner, true, place)
    if (isCall(json)) return readCall(json, true, place)
  }
  return readCall({ fn: constructor, arg: json }, true, place)
}

/** @param typed the arguments may be written plainly too */
function readCall(call: Call, typed: true | undefined, place: Place): Value {
  const { fn: name } = call
  if (name === 'unknown') throw unknown(place)
  const fn = EXTENSION_FUNCTIONS.get(name)
  if (!fn) throw wrong(place, `there is no extension function \`${name}\``)
  const given = own(call, 'arg') === undefined ? (call.args as unknown[]) : [call.arg]
  const args = given.map((arg, i) => {
    const kind = fn.takes[i]
    const type: CedarType | undefined = typed && kind && kind !== 'string' ? { kind: 'extension', name: kind } : undefined
    return read(arg, type, below(place, `(${name})`))
  })
  try {
    return callExtension(name, fn, args)
  } catch (failure) {
    throw failure instanceof EvaluationFailure ? wrong(place, failure.message) : failure
  }
}

/** Values of partial evaluation: with one in its context, a forbid of the official engine no longer forbids. */
function unknown(place: Place): CedarError {
  return new CedarError('VALUE_UNKNOWN', `${where(place)}: an unknown value decides nothing.`)
}

const isUnknown = (json: JsonObject) => {
  const inner = own(json, '__extn')
  return isObject(inner) && own(inner, 'fn') === 'unknown' && own(inner, 'arg') !== undefined
}

function isUid(json: JsonObject): json is { type: string; id: string } {
  return typeof own(json, 'type') === 'string' && typeof own(json, 'id') === 'string'
}

/** A reference: `{type, id}`, with or without `__entity` around it. */
export function readUid(json: unknown, place: Place = start('entity')): EntityRef {
  if (isObject(json) && typeof own(json, '__expr') !== 'string') {
    const inner = own(json, '__entity')
    if (isObject(inner) && isUid(inner)) return refOf(inner, place)
    if (isUid(json)) return refOf(json, place)
  }
  throw wrong(place, 'a reference to an entity is expected, as {"type", "id"}')
}

/** Names as the official engine has them: no blanks, no reserved words, nothing of `__cedar`. */
const NAME = /^(?!(?:.*::)?(?:true|false|if|then|else|in|is|like|has|__cedar)(?:::|$))[A-Za-z_][A-Za-z0-9_]*(?:::[A-Za-z_][A-Za-z0-9_]*)*$/

function refOf({ type, id }: { type: string; id: string }, place: Place): EntityRef {
  if (!NAME.test(type)) throw wrong(place, `\`${type.slice(0, 100)}\` is no name of an entity type`)
  return new EntityRef(type, readString(id, place))
}

function recordOf(json: JsonObject, type: RecordType | undefined, place: Place): RecordSource {
  const values = new Map<string, Value>()
  for (const [name, value] of Object.entries(json)) {
    const attribute = type?.attributes.get(name)
    if (type && !attribute) throw wrong(place, `the attribute \`${name}\` is not declared`)
    values.set(readString(name, place), read(value, attribute?.type, below(place, `.${name}`)))
  }
  if (type) {
    for (const [name, { required }] of type.attributes)
      if (required && !values.has(name)) throw wrong(place, `the attribute \`${name}\` is missing`)
  }
  return new MapRecord(values)
}

/** Whether the value is of the type: reading by a type doesn't say so for booleans, numbers and text. @throws CedarError VALUE_TYPE */
export function checkType(value: Value, type: CedarType, name: string): void {
  check(value, type, start(name))
}

function check(value: Value, type: CedarType, place: Place): void {
  if (!fits(value, type)) throw mismatch(place, type, value)
  if (type.kind === 'set') for (const element of value as CedarSet) check(element, type.element, below(place, '[…]'))
  if (type.kind !== 'record') return
  const record = value as RecordSource
  for (const name of record.keys()) {
    const attribute = type.attributes.get(name)
    if (!attribute) throw wrong(place, `the attribute \`${name}\` is not declared`)
    check(record.get(name) as Value, attribute.type, below(place, `.${name}`))
  }
  for (const [name, { required }] of type.attributes)
    if (required && !record.has(name)) throw wrong(place, `the attribute \`${name}\` is missing`)
}

function fits(value: Value, type: CedarType): boolean {
  switch (type.kind) {
    case 'bool':
      return typeof value === 'boolean'
    case 'long':
      return typeof value === 'number' || typeof value === 'bigint'
    case 'string':
      return typeof value === 'string'
    case 'set':
      return value instanceof CedarSet
    case 'record':
      return value instanceof RecordSource
    case 'entity':
      return value instanceof EntityRef && value.type === type.name
    default:
      return value instanceof ExtensionValue && value.typeName === type.name
  }
}

export function isObject(json: unknown): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

/** Never what an object inherits: `constructor` is a name like any other. */
function own(json: JsonObject, name: string): unknown {
  return Object.hasOwn(json, name) ? json[name] : undefined
}

function below({ depth, budget, ...within }: Place, name: string): Place {
  return { name, within: { ...within, depth, budget }, depth: depth + 1, budget }
}

function where(place: Place): string {
  return place.within ? where(place.within) + place.name : place.name
}

const root = (place: Place): string => (place.within ? root(place.within) : place.name)

const wrong = (place: Place, what: string) => new CedarError('VALUE_INVALID', `${where(place)}: ${what}.`)

function mismatch(place: Place, type: CedarType, value: Value): CedarError {
  return new CedarError('VALUE_TYPE', `${where(place)}: ${typeText(type)} is expected, got ${describe(value)}.`)
}
