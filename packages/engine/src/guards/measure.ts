/** Whether a value can be examined at all, and how much work that is: looked at before any pattern runs. */
import type { Json } from '@ephor/engine/kernel'

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

/** @throws Unexaminable */
function sizeOf(whole: Json): number {
  let [chars, values] = [0, 0]

  function count(text: string): void {
    chars += text.length
    if (chars > MAX_CHARS) throw new Unexaminable(`it holds more than ${MAX_CHARS} characters`)
  }

  function look(value: Json, depth: number): void {
    if (++values > MAX_VALUES || depth > MAX_DEPTH) throw new Unexaminable('it holds too many values, or nests them too deeply')
    if (isBinary(value)) throw new Unexaminable('it holds content that is not text')
    if (typeof value === 'string') count(value)
    else if (typeof value === 'number') count(String(value))
    else if (Array.isArray(value)) for (const one of value) look(one, depth + 1)
    else if (value !== null && typeof value === 'object') {
      for (const name of Object.keys(value)) {
        count(name)
        look(value[name] as Json, depth + 1)
      }
    }
  }

  look(whole, 0)
  return chars + values
}

/** @returns characters and values together; or why it can't be examined, without any of the content */
export function measure(value: Json): { size: number } | { detail: string } {
  try {
    return { size: sizeOf(value) }
  } catch (error) {
    if (error instanceof Unexaminable) return { detail: error.message }
    throw error
  }
}
