/** Takes categories of data out of a JSON value: every string, name and number in it, or nothing of it gets through. */
import type { RedactionCategory } from '@ephor/contract'
import type { Json } from '@ephor/engine/kernel'
import { detect } from './detect.ts'
import { measure } from './measure.ts'
import type { Redacted } from './types.ts'

function makeWalk(categories: readonly RedactionCategory[]) {
  const found: Partial<Record<RedactionCategory, number>> = {}

  function text(from: string, name: string): string {
    let [clean, at] = ['', 0]
    for (const { category, start, end } of detect(from, categories, name)) {
      clean += `${from.slice(at, start)}[redacted: ${category}]`
      at = end
      found[category] = (found[category] ?? 0) + 1
    }
    return clean + from.slice(at)
  }

  function members(from: { [name: string]: Json }): Json {
    const clean = new Map<string, Json>()
    const uses = new Map<string, number>()
    for (const [name, value] of Object.entries(from)) {
      const base = text(name, '')
      // Several names may be redacted to one: none of their values is lost.
      let n = uses.get(base) ?? 1
      while (clean.has(n === 1 ? base : `${base} ${n}`)) n++
      uses.set(base, n)
      clean.set(n === 1 ? base : `${base} ${n}`, walk(value, name))
    }
    return Object.fromEntries(clean)
  }

  function walk(value: Json, name: string): Json {
    if (typeof value === 'string') return text(value, name)
    if (typeof value === 'number') {
      const shown = text(String(value), name)
      return shown === String(value) ? value : shown
    }
    if (value === null || typeof value !== 'object') return value
    return Array.isArray(value) ? value.map((one) => walk(one, name)) : members(value)
  }

  return { walk, found }
}

/** @returns the value with what was found replaced by `[redacted: ssn]`, or why it can't be passed on */
export function redact(value: Json, categories: readonly RedactionCategory[]): Redacted {
  const measured = measure(value)
  if ('detail' in measured) return { kind: 'unexaminable', ...measured }
  const { walk, found } = makeWalk(categories)
  return { kind: 'redacted', value: walk(value, ''), found }
}
