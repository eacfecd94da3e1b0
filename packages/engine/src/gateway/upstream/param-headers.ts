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

function text(value: Json | undefined): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return String(value)
  if (typeof value !== 'number' || (Number.isInteger(value) && !Number.isSafeInteger(value))) return undefined
  return String(value)
}

/** Absent and null arguments have no header. The schema is bounded in depth by what was accepted. */
export function paramHeaders(inputSchema: JsonObject, args: JsonObject): Record<string, string> {
  const headers: Record<string, string> = {}
  function visit(schema: JsonObject, value: JsonObject): void {
    for (const [key, child] of Object.entries(object(schema['properties']) ?? {})) {
      const property = object(child)
      if (property === undefined || !Object.hasOwn(value, key)) continue
      const name = property['x-mcp-header']
      const given = text(value[key])
      const type = property['type']
      const marked = typeof name === 'string' && TOKEN.test(name) && typeof type === 'string' && PRIMITIVE.has(type)
      if (marked && given !== undefined && Object.keys(headers).length < MAX_HEADERS) headers[`Mcp-Param-${name}`] = encodeHeader(given)
      const inner = object(value[key])
      if (inner !== undefined) visit(property, inner)
    }
  }
  visit(inputSchema, args)
  return headers
}
