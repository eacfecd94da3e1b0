/** Plain JSON of an untrusted sender as Cedar data, by a declared type: nothing in it is a directive, whatever its names. */
import { CedarError, LIMITS } from './cedar-error.ts'
import { CONSTRUCTORS, EXTENSION_FUNCTIONS } from './extensions.ts'
import { EvaluationFailure } from './evaluation-failure.ts'
import { toLong } from './long.ts'
import type { CedarType, RecordType } from './types.ts'
import { typeText } from './types.ts'
import { CedarSet, EntityRef, RecordSource } from './values.ts'
import type { Value } from './values.ts'

/**
 * Converts each attribute when a policy first looks at it. What the type doesn't declare is not there. An entity is
 * named by its id as text: the type comes from the declaration, so no reference can be forged.
 * @throws CedarError when a policy looks at a value that is not of its declared type
 */
export function typedRecord(type: RecordType, source: Record<string, unknown>): RecordSource {
  return new TypedRecord(type, source, 'context', 0, { left: LIMITS.valueSize })
}

type Budget = { left: number }

class TypedRecord extends RecordSource {
  readonly #type: RecordType
  readonly #source: Record<string, unknown>
  readonly #place: string
  readonly #depth: number
  readonly #budget: Budget
  readonly #values = new Map<string, Value>()

  constructor(type: RecordType, source: Record<string, unknown>, place: string, depth: number, budget: Budget) {
    super()
    this.#type = type
    this.#source = source
    this.#place = place
    this.#depth = depth
    this.#budget = budget
  }

  get(name: string): Value | undefined {
    const known = this.#values.get(name)
    if (known !== undefined || !this.has(name)) return known
    const { type } = this.#type.attributes.get(name) as { type: CedarType }
    const value = this.#convert(this.#source[name], type, `${this.#place}.${name}`, this.#depth + 1)
    this.#values.set(name, value)
    return value
  }

  override has(name: string): boolean {
    return this.#type.attributes.has(name) && Object.hasOwn(this.#source, name) && this.#source[name] !== undefined
  }

  *keys(): IterableIterator<string> {
    for (const name of this.#type.attributes.keys()) if (this.has(name)) yield name
  }

  #convert(json: unknown, type: CedarType, place: string, depth: number): Value {
    if (--this.#budget.left < 0) throw new CedarError('VALUE_TOO_LARGE', `${place}: there are more than ${LIMITS.valueSize} values.`)
    if (depth > LIMITS.valueDepth) throw new CedarError('VALUE_TOO_DEEP', `${place} nests deeper than ${LIMITS.valueDepth} levels.`)
    switch (type.kind) {
      case 'bool':
        if (typeof json === 'boolean') return json
        break
      case 'long': {
        const long = longOf(json)
        if (long !== undefined) return long
        break
      }
      case 'string':
        if (typeof json === 'string') return wellFormed(json, place)
        break
      case 'entity':
        if (typeof json === 'string') return new EntityRef(type.name, wellFormed(json, place))
        break
      case 'extension':
        if (typeof json === 'string') return construct(json, CONSTRUCTORS[type.name], place)
        break
      case 'set':
        if (Array.isArray(json))
          return new CedarSet(json.map((element, i) => this.#convert(element, type.element, `${place}[${i}]`, depth + 1)))
        break
      case 'record':
        if (typeof json === 'object' && json !== null && !Array.isArray(json)) {
          return new TypedRecord(type, json as Record<string, unknown>, place, depth, this.#budget)
        }
    }
    throw new CedarError('VALUE_TYPE', `${place}: ${typeText(type)} is expected.`)
  }
}

function longOf(json: unknown): Value | undefined {
  if (typeof json === 'bigint') return toLong(json)
  return Number.isSafeInteger(json) ? (json as number) + 0 : undefined
}

function wellFormed(text: string, place: string): string {
  if (text.isWellFormed()) return text
  throw new CedarError('STRING_MALFORMED', `${place}: the text holds half of a surrogate pair.`)
}

function construct(text: string, constructor: string, place: string): Value {
  try {
    return EXTENSION_FUNCTIONS.get(constructor)?.call([text]) as Value
  } catch (failure) {
    throw failure instanceof EvaluationFailure ? new CedarError('VALUE_INVALID', `${place}: ${failure.message}.`) : failure
  }
}
