/** Cedar's values at run time, their equality, and a key for each that two values share only when they are equal. */
import type { Datetime, Duration } from './datetime.ts'
import type { Decimal } from './decimal.ts'
import type { Ip } from './ip.ts'
import type { EntityUid, ValueJson } from './json.ts'
import type { Long } from './long.ts'

export type Extension = Decimal | Ip | Datetime | Duration
export type Value = boolean | Long | string | EntityRef | CedarSet | RecordSource | Extension

/** Values that are neither primitive, set, record nor reference say so by extending it. */
export abstract class ExtensionValue {
  /** The type's name in schemas and messages. */
  abstract readonly typeName: 'decimal' | 'ipaddr' | 'datetime' | 'duration'
  /** Starts with a letter, and differs between values that differ. */
  abstract readonly key: string
  /** The call that makes it, in Cedar's JSON form. */
  abstract toJson(): ValueJson
}

/** A reference to an entity. `key` is made once and is what maps and comparisons use. */
export class EntityRef implements EntityUid {
  readonly type: string
  readonly id: string
  readonly key: string

  constructor(type: string, id: string) {
    this.type = type
    this.id = id
    // The length keeps `A` + `"b` and `A"` + `b` apart: the sender of a request may choose the id.
    this.key = `${type.length}:${type}"${id}`
  }

  static of(uid: EntityUid): EntityRef {
    return uid instanceof EntityRef ? uid : new EntityRef(uid.type, uid.id)
  }

  get text(): string {
    return `${this.type}::${JSON.stringify(this.id)}`
  }
}

/** A record: attributes are plain names here, `__proto__` and `constructor` too. */
export abstract class RecordSource {
  abstract get(name: string): Value | undefined
  abstract keys(): Iterable<string>

  has(name: string): boolean {
    return this.get(name) !== undefined
  }
}

export class MapRecord extends RecordSource {
  readonly #values: ReadonlyMap<string, Value>

  constructor(values: ReadonlyMap<string, Value>) {
    super()
    this.#values = values
  }

  get(name: string): Value | undefined {
    return this.#values.get(name)
  }

  keys(): Iterable<string> {
    return this.#values.keys()
  }
}

export const EMPTY_RECORD: RecordSource = new MapRecord(new Map())

/** A record of values at hand. */
export function recordOf(values: Iterable<readonly [string, Value]>): RecordSource {
  return new MapRecord(new Map(values))
}

type Primitive = boolean | Long | string

/** A set without order or repetition. */
export class CedarSet {
  readonly #primitives = new Set<Primitive>()
  readonly #others = new Map<string, Exclude<Value, Primitive>>()
  /** Every element is a reference: the right side of `in` has to be so. */
  readonly ofEntities: boolean
  /** How many values it was made of in all. */
  readonly weight: number

  constructor(elements: Iterable<Value>) {
    let ofEntities = true
    let weight = 1
    for (const element of elements) {
      if (typeof element === 'object') this.#others.set(keyOf(element), element)
      else this.#primitives.add(element)
      ofEntities &&= element instanceof EntityRef
      weight += weigh(element)
    }
    this.ofEntities = ofEntities
    this.weight = weight
  }

  get size(): number {
    return this.#primitives.size + this.#others.size
  }

  has(value: Value): boolean {
    return typeof value === 'object' ? this.#others.size > 0 && this.#others.has(keyOf(value)) : this.#primitives.has(value)
  }

  hasRef(ref: EntityRef): boolean {
    return this.#others.has(ref.key)
  }

  includes(other: CedarSet): boolean {
    if (other.size > this.size) return false
    for (const value of other.#primitives) if (!this.#primitives.has(value)) return false
    for (const key of other.#others.keys()) if (!this.#others.has(key)) return false
    return true
  }

  meets(other: CedarSet): boolean {
    for (const value of other.#primitives) if (this.#primitives.has(value)) return true
    for (const key of other.#others.keys()) if (this.#others.has(key)) return true
    return false
  }

  *[Symbol.iterator](): IterableIterator<Value> {
    yield* this.#primitives
    yield* this.#others.values()
  }

  /** Keys of the references in it. */
  refKeys(): Iterable<string> {
    return this.#others.keys()
  }
}

/** Text of the value that only equal values share. References keep their own key, which starts with a digit. */
function keyOf(value: Value): string {
  if (typeof value !== 'object') return typeof value === 'string' ? `s${value.length}:${value}` : `p${value};`
  if (value instanceof EntityRef || value instanceof ExtensionValue) return value.key
  const parts: string[] = []
  if (value instanceof CedarSet) {
    for (const element of value) parts.push(keyOf(element))
    return wrap('S', parts.sort())
  }
  for (const name of value.keys()) parts.push(keyOf(name) + keyOf(value.get(name) as Value))
  return wrap('R', parts.sort())
}

const wrap = (kind: string, parts: string[]) => `${kind}${parts.map((part) => `${part.length}:${part}`).join('')};`

export function equal(a: Value, b: Value): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object') return false
  if (a instanceof EntityRef) return b instanceof EntityRef && a.key === b.key
  if (a instanceof CedarSet) return b instanceof CedarSet && a.size === b.size && a.includes(b)
  if (a instanceof RecordSource) return b instanceof RecordSource && sameRecord(a, b)
  return b instanceof ExtensionValue && a.key === b.key
}

function sameRecord(a: RecordSource, b: RecordSource): boolean {
  let names = 0
  for (const name of a.keys()) {
    const [mine, theirs] = [a.get(name), b.get(name)]
    if (mine === undefined || theirs === undefined || !equal(mine, theirs)) return false
    names++
  }
  for (const _name of b.keys()) names--
  return names === 0
}

/** The type's name as it is said to people. */
export function describe(value: Value): string {
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'string') return 'string'
  if (typeof value !== 'object') return 'long'
  if (value instanceof EntityRef) return `(entity of type \`${value.type}\`)`
  if (value instanceof CedarSet) return 'set'
  return value instanceof ExtensionValue ? value.typeName : 'record'
}

/** How many values it holds in all: the cost of walking through it. */
export function weigh(value: Value): number {
  if (value instanceof CedarSet) return value.weight
  if (!(value instanceof RecordSource)) return 1
  let sum = 1
  for (const name of value.keys()) sum += weigh(value.get(name) as Value)
  return sum
}
