/** Texts and values on their way to PostgreSQL and back, so that rooms see what the embedded store would give them. */
import type { PostgresValue, SqlValue } from './store.ts'

const QUOTED_OR_OURS = /'(?:[^']|'')*'|"[^"]*"|--[^\n]*|@tenant\b|\?/g

/** `?` becomes `$1`, `$2` …, `@tenant` the literal; quoted text and comments stay. `tenant` was checked. */
export function toPostgresText(text: string, tenant: string): string {
  let n = 0
  return text.replaceAll(QUOTED_OR_OURS, (found) => (found === '?' ? `$${++n}` : found === '@tenant' ? `'${tenant}'` : found))
}

/** Whether the statement answers with rows, and so has to be described. */
export function answersRows(text: string): boolean {
  return /^\s*(?:select|with|show|values)\b|\breturning\b/i.test(text)
}

function element(value: SqlValue): string {
  if (value === null) return 'NULL'
  const text = value instanceof Uint8Array ? `\\x${Buffer.from(value).toString('hex')}` : String(value)
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}

/** As the wire carries it: bytes in binary, the rest as text, arrays as PostgreSQL spells them. */
export function toParameter(value: PostgresValue): Buffer | string | null {
  if (value === null) return null
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  return isList(value) ? `{${value.map(element).join(',')}}` : String(value)
}

function isList(value: PostgresValue): value is readonly SqlValue[] {
  return Array.isArray(value)
}

/** A number in the database that a double can't hold exactly: a rounded count would be a wrong one. */
export class UnsafeNumber extends Error {
  readonly code = 'STORE_CORRUPT'
}

function toWholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new UnsafeNumber(`${text} is beyond 2^53`)
  return value
}

// Object ids of the built-in types, which never change: https://www.postgresql.org/docs/15/catalog-pg-type.html
const [BOOLEAN, BYTEA, INT8, INT2, INT4, OID, FLOAT4, FLOAT8, NUMERIC] = [16, 17, 20, 21, 23, 26, 700, 701, 1700]

/** Whole numbers (also numerics, which sums give) as numbers, booleans as SQLite's 0 and 1, bytea as bytes, the rest as text. */
export function parserOf(type: number): (text: string) => unknown {
  switch (type) {
    case INT8:
    case INT2:
    case INT4:
    case OID:
      return toWholeNumber
    case NUMERIC:
      return (text) => (/^-?\d+$/.test(text) ? toWholeNumber(text) : Number(text))
    case FLOAT4:
    case FLOAT8:
      return Number
    case BOOLEAN:
      return (text) => (text === 't' ? 1 : 0)
    case BYTEA:
      return (text) => Buffer.from(text.slice(2), 'hex')
    default:
      return (text) => text
  }
}
