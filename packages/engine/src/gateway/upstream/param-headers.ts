/** `Mcp-Param-*` headers of a tools/call (2026-07-28, SEP-2243): arguments that the tool's schema marks with `x-mcp-header`. */
import type { Json, JsonObject } from '@ephor/engine/kernel'

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const PRIMITIVE = new Set(['string', 'integer', 'number', 'boolean'])
const PLAIN = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/
const MAX_HEADERS = 64

function object(value: Json | undefined): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
}

/** A value that is not plain printable ASCII travels as `=?base64?…?=`, as does one that would be read as such. */
export function encodeHeader(value: string): string {
  const plain = PLAIN.test(value) && !(value.startsWith('=?base64?') && value.endsWith('?='))
  return plain ? value : `=?base64?${Buffer.from(value).toString('base64')}?=`
}

/** What a header can repeat: not a number that has no exact decimal form. */
function plain(value: Json | undefined): string | number | boolean | undefined {
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value) ? undefined : value
  return typeof value === 'string' || typeof value === 'boolean' ? value : undefined
}

/** The headers that a call must carry, with the values they repeat. The schema is bounded in depth by what was accepted. */
export function markedArguments(inputSchema: JsonObject, args: JsonObject): Map<string, string | number | boolean> {
  const marked = new Map<string, string | number | boolean>()
  function visit(schema: JsonObject, value: JsonObject): void {
    for (const [key, child] of Object.entries(object(schema['properties']) ?? {})) {
      const property = object(child)
      if (property === undefined || !Object.hasOwn(value, key)) continue
      const name = property['x-mcp-header']
      const given = plain(value[key])
      const type = property['type']
      const isMarked = typeof name === 'string' && TOKEN.test(name) && typeof type === 'string' && PRIMITIVE.has(type)
      if (isMarked && given !== undefined && marked.size < MAX_HEADERS) marked.set(`Mcp-Param-${name}`, given)
      const inner = object(value[key])
      if (inner !== undefined) visit(property, inner)
    }
  }
  visit(inputSchema, args)
  return marked
}

/** Absent and null arguments have no header. */
export function paramHeaders(inputSchema: JsonObject, args: JsonObject): Record<string, string> {
  return Object.fromEntries([...markedArguments(inputSchema, args)].map(([name, value]) => [name, encodeHeader(String(value))]))
}
