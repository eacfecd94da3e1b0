/** Tests that policies have in common, compiled once: so thousands of policies stay small enough for the processor's cache. */
import type { Test } from './code.ts'

export type Sized = { test: Test; size: number }

/** Parts of the JSON of a test that is shared, at most: what is larger is seldom there twice. */
const MAX_PARTS = 100

export class SharedTests {
  readonly #byText = new Map<string, Sized>()

  /** The one that is there for the same JSON, or else a new one. */
  of(json: unknown, make: () => Sized): Sized {
    const text = textOf(json)
    if (text === undefined) return make()
    let shared = this.#byText.get(text)
    if (!shared) this.#byText.set(text, (shared = make()))
    return shared
  }
}

/** Undefined for what is large, and where there is a bigint, which has no text in JSON. */
function textOf(json: unknown): string | undefined {
  const parts = [json]
  for (const part of parts) {
    if (typeof part === 'bigint') return undefined
    if (typeof part !== 'object' || part === null) continue
    for (const value of Object.values(part)) if (parts.push(value) > MAX_PARTS) return undefined
  }
  return JSON.stringify(json)
}
