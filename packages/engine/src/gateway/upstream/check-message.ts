/** Refuses what a parsed message from a tool server must not contain, before anything recurses into it or signs it. */
import type { Json } from '@ephor/engine/kernel'

/**
 * The first thing wrong, or undefined. Walks without recursion: nesting is the server's to choose.
 * Lone surrogates and `__proto__` can't be recorded canonically (RFC 8785), so a result with them could not be sealed.
 */
export function checkMessage(message: Json, maxDepth: number): string | undefined {
  const stack: { value: Json; depth: number }[] = [{ value: message, depth: 0 }]
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    const { value, depth } = item
    if (typeof value === 'string') {
      if (!value.isWellFormed()) return 'a string contains half of a surrogate pair'
    } else if (value !== null && typeof value === 'object') {
      if (depth >= maxDepth) return `more than ${maxDepth} arrays and objects inside one another`
      if (Array.isArray(value)) {
        for (const inner of value) stack.push({ value: inner, depth: depth + 1 })
        continue
      }
      for (const key of Object.keys(value)) {
        if (key === '__proto__') return 'the key "__proto__" is not accepted'
        if (!key.isWellFormed()) return 'a key contains half of a surrogate pair'
        stack.push({ value: value[key] ?? null, depth: depth + 1 })
      }
    }
  }
  return undefined
}
