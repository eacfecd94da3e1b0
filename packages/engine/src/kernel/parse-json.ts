/** Parses untrusted JSON once, at the edge: one UTF-8 value, bounded in size and depth, no duplicate keys, nothing repaired. */
import { Fault } from '@ephor/contract'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }

export type JsonLimits = {
  /** Bytes at most; 1 MiB unless said. */
  maxBytes?: number
  /** Arrays and objects inside one another at most; 64 unless said. */
  maxDepth?: number
}

const DEFAULTS = { maxBytes: 1024 * 1024, maxDepth: 64 }
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Position of the quote that ends the string opened at `start`. The text is known to be valid JSON. */
function endOfString(text: string, start: number): number {
  let end = start + 1
  for (;;) {
    end = text.indexOf('"', end)
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === 92) slashes++
    if (slashes % 2 === 0) return end
    end++
  }
}

/** Walks valid JSON text without recursion and refuses duplicate keys: two readers may each believe another one of them. */
function refuseDuplicateKeys(text: string): void {
  const scopes: (Set<string> | undefined)[] = []
  let expectKey = false
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === 34) {
      const end = endOfString(text, i)
      if (expectKey) {
        const raw = text.slice(i, end + 1)
        const key = raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1)
        const keys = scopes.at(-1)
        if (keys?.has(key)) throw new Fault('JSON_INVALID', `the key ${JSON.stringify(key.slice(0, 80))} stands twice in one object`)
        keys?.add(key)
        expectKey = false
      }
      i = end
    } else if (c === 123) {
      scopes.push(new Set())
      expectKey = true
    } else if (c === 91) {
      scopes.push(undefined)
      expectKey = false
    } else if (c === 125 || c === 93) {
      scopes.pop()
      expectKey = false
    } else if (c === 44) expectKey = scopes.at(-1) !== undefined
  }
}

/** Depth by counting brackets outside strings, before JSON.parse recurses into what the agent sent. */
function refuseDepth(text: string, maxDepth: number): void {
  let depth = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (inString) {
      if (c === 92) i++
      else if (c === 34) inString = false
    } else if (c === 34) inString = true
    else if (c === 123 || c === 91) {
      if (++depth > maxDepth) throw new Fault('BODY_TOO_DEEP', `more than ${maxDepth} arrays and objects inside one another`)
    } else if (c === 125 || c === 93) depth--
  }
}

function refuseUnsafe(value: Json): void {
  const stack: Json[] = [value]
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    if (typeof item === 'string' && !item.isWellFormed()) throw new Fault('JSON_INVALID', 'a string contains half of a surrogate pair')
    if (item === null || typeof item !== 'object') continue
    if (Array.isArray(item)) for (const inner of item) stack.push(inner)
    else {
      for (const [key, inner] of Object.entries(item)) {
        if (key === '__proto__') throw new Fault('JSON_INVALID', 'the key "__proto__" is not accepted')
        if (!key.isWellFormed()) throw new Fault('JSON_INVALID', 'a key contains half of a surrogate pair')
        stack.push(inner)
      }
    }
  }
}

/**
 * @throws Fault BODY_TOO_LARGE, BODY_TOO_DEEP, or JSON_INVALID (not UTF-8, not one JSON value, duplicate keys,
 *   `__proto__`, lone surrogates, which RFC 8785 can't canonicalise).
 */
export function parseJson(bytes: Uint8Array | string, limits: JsonLimits = {}): Json {
  const { maxBytes, maxDepth } = { ...DEFAULTS, ...limits }
  const size = typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.byteLength
  if (size > maxBytes) throw new Fault('BODY_TOO_LARGE', `${size} bytes; the limit is ${maxBytes}`)
  let text: string
  let value: Json
  try {
    text = typeof bytes === 'string' ? bytes : utf8.decode(bytes)
  } catch {
    throw new Fault('JSON_INVALID', 'the bytes are not UTF-8')
  }
  refuseDepth(text, maxDepth)
  try {
    value = JSON.parse(text) as Json
  } catch (error) {
    throw new Fault('JSON_INVALID', (error as Error).message)
  }
  refuseDuplicateKeys(text)
  refuseUnsafe(value)
  return value
}
