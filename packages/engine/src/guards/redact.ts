/** Takes categories of data out of a JSON value: every string, name and number in it, or nothing of it gets through. */
import type { RedactionCategory } from '@ephor/contract'
import type { Json } from '@ephor/engine/kernel'
import { detect } from './detect.ts'
import type { Redacted } from './types.ts'

/** Beyond these a value is not examined, and so not passed on. */
const MAX_CHARS = 512 * 1024
const MAX_VALUES = 200_000
const MAX_DEPTH = 200

class Unexaminable extends Error {}

/**
 * Content that is no text: MCP's images, sound and binary resources (schema 2025-11-25, ImageContent, AudioContent,
 * BlobResourceContents), and data URLs.
 */
function isBinary(value: Json): boolean {
  if (typeof value === 'string') return /^data:[^,]{0,200};base64,/iu.test(value)
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false
  return typeof value['blob'] === 'string' || ((value['type'] === 'image' || value['type'] === 'audio') && 'data' in value)
}

function makeWalk(categories: readonly RedactionCategory[]) {
  const found: Partial<Record<RedactionCategory, number>> = {}
  let [chars, values] = [0, 0]

  function text(from: string, name: string): string {
    chars += from.length
    if (chars > MAX_CHARS) throw new Unexaminable(`it holds more than ${MAX_CHARS} characters`)
    let [clean, at] = ['', 0]
    for (const { category, start, end } of detect(from, categories, name)) {
      clean += `${from.slice(at, start)}[redacted: ${category}]`
      at = end
      found[category] = (found[category] ?? 0) + 1
    }
    return clean + from.slice(at)
  }

  function members(from: { [name: string]: Json }, depth: number): Json {
    const clean = new Map<string, Json>()
    const uses = new Map<string, number>()
    for (const [name, value] of Object.entries(from)) {
      const base = text(name, '')
      // Several names may be redacted to one: none of their values is lost.
      let n = uses.get(base) ?? 1
      while (clean.has(n === 1 ? base : `${base} ${n}`)) n++
      uses.set(base, n)
      clean.set(n === 1 ? base : `${base} ${n}`, walk(value, name, depth + 1))
    }
    return Object.fromEntries(clean)
  }

  function walk(value: Json, name: string, depth: number): Json {
    if (++values > MAX_VALUES || depth > MAX_DEPTH) throw new Unexaminable('it holds too many values, or nests them too deeply')
    if (isBinary(value)) throw new Unexaminable('it holds content that is not text')
    if (typeof value === 'string') return text(value, name)
    if (typeof value === 'number') {
      const shown = text(String(value), name)
      return shown === String(value) ? value : shown
    }
    if (value === null || typeof value !== 'object') return value
    return Array.isArray(value) ? value.map((one) => walk(one, name, depth + 1)) : members(value, depth)
  }

  return { walk, found }
}

/** @returns the value with what was found replaced by `[redacted: ssn]`, or why it can't be passed on */
export function redact(value: Json, categories: readonly RedactionCategory[]): Redacted {
  const { walk, found } = makeWalk(categories)
  try {
    return { kind: 'redacted', value: walk(value, '', 0), found }
  } catch (error) {
    if (error instanceof Unexaminable) return { kind: 'unexaminable', detail: error.message }
    throw error
  }
}
