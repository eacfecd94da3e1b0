/** Canonical JSON (RFC 8785): the one text of a value, so that everybody hashes the same bytes. */
import { ProofError } from './proof-error.ts'

/** Deeper than anything that parses under our limits; also what ends a value that contains itself. */
const MAX_DEPTH = 500

function refuse(detail: string): never {
  throw new ProofError('CANONICAL_INVALID', detail)
}

/** What JSON escapes, and surrogates, which need a look at their neighbour. */
// eslint-disable-next-line no-control-regex -- these are what is escaped
const SPECIAL = /["\\\u0000-\u001f\ud800-\udfff]/

function quote(text: string): string {
  if (!SPECIAL.test(text)) return `"${text}"`
  if (!text.isWellFormed()) refuse('a string contains half of a surrogate pair')
  // For well-formed text, ECMAScript's JSON.stringify escapes exactly as RFC 8785 section 3.2.2.2 says.
  return JSON.stringify(text)
}

/** Quoted keys of the bodies that a ledger writes over and over. */
const quotedKeys = new Map<string, string>()
const MAX_KEYS = 1000

function quoteKey(key: string): string {
  let text = quotedKeys.get(key)
  if (text === undefined) {
    text = `${quote(key)}:`
    // Keys may come from an agent: it must not be able to fill our memory with them.
    if (quotedKeys.size < MAX_KEYS && key.length < 40) quotedKeys.set(key, text)
  }
  return text
}

function isSorted(keys: readonly string[]): boolean {
  for (let i = 1; i < keys.length; i++) if ((keys[i - 1] as string) > (keys[i] as string)) return false
  return true
}

function object(value: object, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) refuse('only plain objects and arrays have a canonical form')
  const keys = Object.keys(value)
  // The default order compares UTF-16 code units, which is what section 3.2.3 asks for.
  if (!isSorted(keys)) keys.sort()
  let text = '{'
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string
    text += (i === 0 ? '' : ',') + quoteKey(key) + write((value as Record<string, unknown>)[key], depth + 1)
  }
  return `${text}}`
}

function write(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) refuse(`nested more than ${MAX_DEPTH} deep`)
  switch (typeof value) {
    case 'string':
      return quote(value)
    case 'number':
      // Section 3.2.2.3: ECMAScript's own number to text; -0 becomes 0.
      return Number.isFinite(value) ? String(value === 0 ? 0 : value) : refuse('a number is not finite')
    case 'boolean':
      return value ? 'true' : 'false'
    case 'object': {
      if (value === null) return 'null'
      if (!Array.isArray(value)) return object(value, depth)
      let text = '['
      // By index: an array's hole is refused like any undefined.
      for (let i = 0; i < value.length; i++) text += (i === 0 ? '' : ',') + write(value[i], depth + 1)
      return `${text}]`
    }
    default:
      return refuse(`${typeof value} has no JSON form`)
  }
}

/**
 * @param value null, booleans, finite numbers, well-formed strings, arrays and plain objects of these
 * @throws ProofError CANONICAL_INVALID for anything else, also inside: undefined, NaN, lone surrogates, Map, Date …
 */
export function canonicalize(value: unknown): string {
  return write(value, 0)
}

/** Whether the keys of every object inside are in the order of section 3.2.3, as they stand. */
function keysInOrder(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every(keysInOrder)
  return isSorted(Object.keys(value)) && Object.values(value).every(keysInOrder)
}

/**
 * Whether a JSON text is the canonical one of its value.
 * @param value what `JSON.parse` made of it
 * @throws ProofError CANONICAL_INVALID for a value without a canonical form
 */
export function isCanonical(text: string, value: unknown): boolean {
  // ECMAScript's own text is the canonical one if the keys were sorted and no half of a surrogate pair had to be escaped.
  if (JSON.stringify(value) === text && !text.includes('\\ud') && keysInOrder(value)) return true
  return canonicalize(value) === text
}
