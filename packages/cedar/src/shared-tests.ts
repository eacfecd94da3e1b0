/** Tests that policies have in common, compiled once: so thousands of policies stay small enough for the processor's cache. */
import type { Test } from './code.ts'

export type Sized = { test: Test; size: number }

/** Parts of the JSON of a test that is shared, at most: what is larger is seldom there twice. */
const MAX_PARTS = 100

export class SharedTests {
  readonly #byText = new Map<string, Sized>()

  find(json: unknown): Sized | undefined {
    const text = textOf(json)
    return text === undefined ? undefined : this.#byText.get(text)
  }

  keep(json: unknown, test: Sized): void {
    const text = textOf(json)
    if (text !== undefined) this.#byText.set(text, test)
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
