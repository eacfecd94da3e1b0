/** Forks as the ledger's own entries tell of them: numbered, so that all are found, and hashed, so that no row of a table can resolve one. */
import type { JsonObject } from '@ephor/engine/kernel'
import { readCheckpoint } from '@ephor/proof'
import type { ReadStore } from '../store.ts'
import { toEntry } from '../to-entry.ts'
import type { EntryDraft } from '../types.ts'
import type { Fork } from './types.ts'

const FORKED = 'ledger.forked'
const RESOLVED = 'ledger.fork.resolved'

/** `root` is hexadecimal. */
export type History = { size: number; root: string }
export type Resolution = { by: string; accepted: History; refused: readonly History[]; reason: string }

const nameOf = ({ size, root }: History) => `${size}/${root}`

function toFork(body: JsonObject): Fork {
  const { size, root, theirs, ours, source, detail, at } = body as Record<string, string> & { size: number }
  return { size, root, theirs, ours, source, detail, at: Date.parse(at ?? ''), resolvedAt: undefined } as Fork
}

export class ForkRecord {
  readonly #reads: Pick<ReadStore, 'entryById'>
  readonly #recorded: Fork[] = []
  /** Found here, and not in the ledger yet: they count all the same. */
  #unwritten: Fork[] = []
  #resolutions = 0
  /** When each history was refused, in ms since 1970. */
  readonly #refused = new Map<string, number>()

  constructor(reads: Pick<ReadStore, 'entryById'>) {
    this.#reads = reads
  }

  /** What came since. @throws Fault STORE_CORRUPT when an entry was changed */
  async follow(): Promise<void> {
    for (;;) {
      const row = await this.#reads.entryById(`${FORKED}/${this.#recorded.length}`)
      if (!row) break
      const fork = toFork(toEntry(row).body)
      this.#recorded.push(fork)
      this.#unwritten = this.#unwritten.filter((one) => nameOf(one) !== nameOf(fork))
    }
    for (;;) {
      const row = await this.#reads.entryById(`${RESOLVED}/${this.#resolutions}`)
      if (!row) return
      const { at, refused } = toEntry(row).body as { at: string; refused: History[] }
      for (const history of refused) this.#refused.set(nameOf(history), Date.parse(at))
      this.#resolutions++
    }
  }

  found(fork: Fork): void {
    this.#unwritten.push(fork)
  }

  all(): Fork[] {
    return [...this.#recorded, ...this.#unwritten].map((fork) => ({ ...fork, resolvedAt: this.#refused.get(nameOf(fork)) }))
  }

  open(): Fork[] {
    return this.all().filter(({ resolvedAt }) => resolvedAt === undefined)
  }

  /** @returns what is known of this history */
  stateOf(history: History): 'open' | 'resolved' | undefined {
    if (this.#refused.has(nameOf(history))) return 'resolved'
    return this.all().some((fork) => nameOf(fork) === nameOf(history)) ? 'open' : undefined
  }

  isWritten(history: History): boolean {
    return this.#recorded.some((fork) => nameOf(fork) === nameOf(history))
  }

  /** Two replicas that take the same number: one of them is told CONFLICT, follows, and tries again. */
  forkedEntry({ size, root, theirs, ours, source, detail }: Fork): EntryDraft {
    return { type: FORKED, id: `${FORKED}/${this.#recorded.length}`, body: { size, root, theirs, ours, source, detail } }
  }

  resolvedEntry({ by, accepted, refused, reason }: Resolution): EntryDraft {
    const body = { by, accepted, refused: refused.map(({ size, root }) => ({ size, root })) }
    return { type: RESOLVED, id: `${RESOLVED}/${this.#resolutions}`, body, payloads: [{ name: 'reason', subject: by, value: reason }] }
  }
}

/** From how many entries on a history of ours tells itself from the other one. */
export const partedAt = ({ size, ours }: Fork): number => Math.min(size, readCheckpoint(ours).size)
