/** Remembers which ids a log has used, in 12 bytes each: a set of a million texts would take most of a verifier's memory. */
import { concatBytes, utf8 } from './bytes.ts'
import { sha256 } from './sha256.ts'

const WORDS = 3
const USED = 1
const DECISION = 2

/**
 * An open-addressing table of 94-bit digests. They are keyed by a secret of this run, so nobody can prepare a log whose ids collide;
 * that two of ten million ids do so by chance happens in one of 10^14 logs.
 */
export class IdMemory {
  readonly #secret = globalThis.crypto.getRandomValues(new Uint8Array(16))
  #table = new Uint32Array(WORDS * 1024)
  #count = 0

  #digest(id: string): [number, number, number] {
    const digest = sha256(concatBytes(this.#secret, utf8(id)))
    const view = new DataView(digest.buffer, digest.byteOffset, 12)
    return [((view.getUint32(0) & ~(USED | DECISION)) | USED) >>> 0, view.getUint32(4), view.getUint32(8)]
  }

  /** The slot of this digest, or the free one where it belongs. */
  #slot(table: Uint32Array, a: number, b: number, c: number): number {
    const slots = table.length / WORDS
    for (let slot = c & (slots - 1); ; slot = (slot + 1) & (slots - 1)) {
      const at = slot * WORDS
      const first = table[at] as number
      if (first === 0 || ((first & ~DECISION) >>> 0 === a && table[at + 1] === b && table[at + 2] === c)) return at
    }
  }

  #grow(): void {
    const bigger = new Uint32Array(this.#table.length * 2)
    for (let at = 0; at < this.#table.length; at += WORDS) {
      const [first, b, c] = [this.#table[at] as number, this.#table[at + 1] as number, this.#table[at + 2] as number]
      if (first === 0) continue
      bigger.set([first, b, c], this.#slot(bigger, (first & ~DECISION) >>> 0, b, c))
    }
    this.#table = bigger
  }

  /** @returns false when the id was there already */
  add(id: string, isDecision: boolean): boolean {
    if (this.#count * WORDS * 4 > this.#table.length * 3) this.#grow()
    const [a, b, c] = this.#digest(id)
    const at = this.#slot(this.#table, a, b, c)
    if (this.#table[at] !== 0) return false
    this.#table.set([isDecision ? (a | DECISION) >>> 0 : a, b, c], at)
    this.#count++
    return true
  }

  hasDecision(id: string): boolean {
    const at = this.#slot(this.#table, ...this.#digest(id))
    return ((this.#table[at] as number) & DECISION) !== 0
  }
}
