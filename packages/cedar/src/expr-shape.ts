/** The shape of Cedar's JSON expressions, checked as they are taken apart. Only own names count: `constructor` is a name like any other. */
import { CedarError } from './cedar-error.ts'

export const malformed = (what: string) => new CedarError('POLICY_MALFORMED', `The JSON form of the policy is not Cedar's: ${what}.`)

export function object(json: unknown): Record<string, unknown> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw malformed('an object is expected')
  return json as Record<string, unknown>
}

export function list(json: unknown): unknown[] {
  if (!Array.isArray(json)) throw malformed('a list is expected')
  return json
}

export function text(json: unknown): string {
  if (typeof json !== 'string') throw malformed('text is expected')
  return json
}

export function optional(json: unknown, name: string): unknown {
  const body = object(json)
  return Object.hasOwn(body, name) ? body[name] : undefined
}

export function field(json: unknown, name: string): unknown {
  const value = optional(json, name)
  if (value === undefined) throw malformed(`\`${name}\` is missing`)
  return value
}

export function soleEntry(json: unknown): [string, unknown] {
  const entries = Object.entries(object(json))
  const [entry] = entries
  if (!entry || entries.length > 1) throw malformed('an expression has one operator')
  return entry
}
