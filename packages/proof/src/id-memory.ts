/** Remembers which ids a log has used, in 12 bytes each: a set of a million texts would take most of a verifier's memory. */
import { concatBytes, utf8 } from './bytes.ts'
import { sha256 } from './sha256.ts'

const WORDS = 3
/** An outcome's id is that of its decision and this: both are one slot, and one digest for each entry is enough. */
const OUTCOME_SUFFIX = '/outcome'
const ITSELF = 1
const DECISION = 2
const OUTCOME = 4
const FLAGS = 7

/**
 * An open-addressing table of 93-bit digests. They are keyed by a secret of this run, so nobody can prepare a log whose ids collide;
 * that two of ten million ids do so by chance happens in one of 10^14 logs.
 */
export class IdMemory {
  readonly #secret = globalThis.crypto.getRandomValues(new Uint8Array(16))
  #table = new Uint32Array(WORDS * 1024)
  #count = 0
  #last: { id: string | undefined; at: number } = { id: undefined, at: 0 }

  /** Where the id's slot is, or where it would be. */
  #find(id: string): number {
    if (id === this.#last.id) return this.#last.at
    const digest = sha256(concatBytes(this.#secret, utf8(id)))
    const view = new DataView(digest.buffer, digest.byteOffset, 12)
    const [a, b, c] = [view.getUint32(0) & ~FLAGS, view.getUint32(4), view.getUint32(8)]
    const at = this.#slot(this.#table, a, b, c)
    this.#table[at + 1] = b
    this.#table[at + 2] = c
    if (((this.#table[at] as number) & FLAGS) === 0) this.#table[at] = a
    this.#last = { id, at }
    return at
  }

  /** The slot with this digest, or the free one where it belongs. */
  #slot(table: Uint32Array, a: number, b: number, c: number): number {
    const slots = table.length / WORDS
    for (let slot = c & (slots - 1); ; slot = (slot + 1) & (slots - 1)) {
      const at = slot * WORDS
      const first = table[at] as number
      if ((first & FLAGS) === 0 || ((first & ~FLAGS) === a && table[at + 1] === b && table[at + 2] === c)) return at
    }
  }

  #grow(): void {
    const bigger = new Uint32Array(this.#table.length * 2)
    for (let at = 0; at < this.#table.length; at += WORDS) {
      const slot = this.#table.subarray(at, at + WORDS)
      const [first, b, c] = slot as unknown as [number, number, number]
      if ((first & FLAGS) !== 0) bigger.set(slot, this.#slot(bigger, first & ~FLAGS, b, c))
    }
    this.#table = bigger
    this.#last = { id: undefined, at: 0 }
  }

  /** @returns false when the id was there already */
  add(id: string, isDecision: boolean): boolean {
    if (this.#count * WORDS * 4 > this.#table.length * 3) this.#grow()
    const isOutcome = id.endsWith(OUTCOME_SUFFIX)
    const at = this.#find(isOutcome ? id.slice(0, -OUTCOME_SUFFIX.length) : id)
    const have = this.#table[at] as number
    const flag = isOutcome ? OUTCOME : ITSELF
    if ((have & flag) !== 0) return false
    if ((have & FLAGS) === 0) this.#count++
    this.#table[at] = have | flag | (isDecision && !isOutcome ? DECISION : 0)
    return true
  }

  hasDecision(id: string): boolean {
    return ((this.#table[this.#find(id)] as number) & DECISION) !== 0
  }
}
