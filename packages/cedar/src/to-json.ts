/** Values back to Cedar's JSON form. */
import type { ValueJson } from './json.ts'
import { CedarSet, EntityRef, ExtensionValue } from './values.ts'
import type { Value } from './values.ts'

/** Longs beyond 2^53 are bigint. A record's names are its own, `__proto__` too. */
export function toJson(value: Value): ValueJson {
  if (typeof value !== 'object') return value
  if (value instanceof EntityRef) return { __entity: { type: value.type, id: value.id } }
  if (value instanceof ExtensionValue) return value.toJson()
  if (value instanceof CedarSet) return Array.from(value, toJson)
  return Object.fromEntries(Array.from(value.keys(), (name) => [name, toJson(value.get(name) as Value)]))
}
