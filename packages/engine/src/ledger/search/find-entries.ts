/** Finds entries: the index says where to look, and what is shown was read from the ledger, checked, and matched again. */
import { Fault } from '@ephor/contract'
import type { JsonObject } from '@ephor/engine/kernel'
import type { EntryRow } from '../store.ts'
import { toEntry } from '../to-entry.ts'
import type { Entry } from '../types.ts'
import { matches } from './search-query.ts'
import type { Order, Query } from './search-query.ts'
import type { Rows } from './search-store.ts'
import type { TermIndex } from './term-index.ts'
import { hashTerm } from './terms.ts'
import type { Reasons } from './terms.ts'

/** `@reason` texts of the policy version that a body names. */
export type ReasonsOf = (body: JsonObject) => Promise<Reasons>

export type Source = { rows: Rows; index: TermIndex; reasonsOf: ReasonsOf }

/** `past`: the last entry that was looked at; undefined when there is none behind it. `invented`: what the index gave that is no hit. */
export type Found = { entries: Entry[]; past: number | undefined; invented: number }

/** Not indexed entries that a search looks through by itself; with more, the index has to catch up first. */
export const MAX_TAIL = 20_000
/** Entries that are read for one page at most, hits or not: then the page ends there. */
const MAX_READ = 20_000
const PAGE = 256

/** Only what is shown has to be what was hashed. @throws Fault STORE_CORRUPT */
export function bodyOf(row: EntryRow): JsonObject {
  try {
    return JSON.parse(row.body) as JsonObject
  } catch {
    return toEntry(row).body
  }
}

/** Collects a page in one direction. */
class Page {
  readonly entries: Entry[] = []
  invented = 0
  past: number | undefined
  #read = 0
  readonly #query: Query
  readonly #source: Source
  readonly #limit: number

  constructor(query: Query, source: Source, limit: number) {
    this.#query = query
    this.#source = source
    this.#limit = limit
  }

  get isFull(): boolean {
    return this.entries.length >= this.#limit || this.#read >= MAX_READ
  }

  get wanted(): number {
    return Math.min(PAGE, this.#limit - this.entries.length)
  }

  /**
   * @param promised by the index
   * @returns false once the page is full
   * @throws Fault STORE_CORRUPT for a hit that is not what was hashed
   */
  async see(row: EntryRow, promised: boolean): Promise<boolean> {
    if (this.isFull) return false
    this.#read++
    this.past = row.seq
    const body = bodyOf(row)
    const reasons = await this.#source.reasonsOf(body)
    if (matches(this.#query, body, reasons)) this.entries.push(toEntry(row))
    // Times are matched here and not by the index; terms that the entry does not have were put there by somebody.
    else if (promised && !matches({ ...this.#query, since: undefined, until: undefined }, body, reasons)) this.invented++
    return true
  }
}

async function seeRange(page: Page, { rows }: Source, [low, high]: [number, number], newest: boolean): Promise<void> {
  for (let done = 0; low + done <= high && !page.isFull; done += PAGE) {
    const [from, to] = newest ? [Math.max(low, high - done - PAGE + 1), high - done] : [low + done, Math.min(high, low + done + PAGE - 1)]
    const found = await rows.range(from, to)
    for (const row of newest ? found.toReversed() : found) if (!(await page.see(row, false))) return
  }
}

/** Without terms every place in the range is wanted; the index has nothing to say about that. */
async function seeIndexed(page: Page, query: Query, source: Source, [first, last]: [number, number], newest: boolean): Promise<void> {
  const groups = query.groups.map((group) => group.map(hashTerm))
  let [low, high] = [first, last]
  if (query.since !== undefined || query.until !== undefined) {
    const span = await source.index.within(query.since ?? Number.MIN_SAFE_INTEGER, query.until ?? Number.MAX_SAFE_INTEGER)
    if (!span) return
    ;[low, high] = [Math.max(low, span[0]), Math.min(high, span[1])]
  }
  if (groups.length === 0) return seeRange(page, source, [low, high], newest)
  while (low <= high && !page.isFull) {
    const limit = page.wanted
    const seqs = await source.index.find({ groups, low, high, newest, limit })
    const byPlace = new Map((await source.rows.many(seqs)).map((row) => [row.seq, row]))
    for (const seq of seqs) {
      const row = byPlace.get(seq)
      if (!row) page.invented++
      else if (!(await page.see(row, true))) return
    }
    if (seqs.length < limit) return
    const end = seqs.at(-1) ?? 0
    if (newest) high = end - 1
    else low = end + 1
  }
}

/**
 * @param after the last entry of the page before
 * @throws Fault SEARCH_BEHIND when too much is not indexed yet, STORE_CORRUPT when a hit is not what was hashed
 */
export async function findEntries(
  source: Source,
  query: Query,
  { order, after, limit }: { order: Order; after: number | undefined; limit: number },
): Promise<Found> {
  const newest = order === 'newest'
  const size = await source.rows.size()
  const { next } = await source.index.position()
  if (size - next > MAX_TAIL) throw new Fault('SEARCH_BEHIND', `${next} of ${size} entries are indexed`)
  const low = newest || after === undefined ? 0 : after + 1
  const high = newest && after !== undefined ? Math.min(after, size) - 1 : size - 1
  // One more than wanted says whether there is another page.
  const page = new Page(query, source, limit + 1)
  const tail = () => seeRange(page, source, [Math.max(low, next), high], newest)
  const indexed = () => seeIndexed(page, query, source, [low, Math.min(high, next - 1)], newest)
  for (const part of newest ? [tail, indexed] : [indexed, tail]) if (!page.isFull) await part()
  // The index was built again meanwhile: what it did not have then could be hidden.
  if ((await source.index.position()).next < next) return findEntries(source, query, { order, after, limit })
  const entries = page.entries.slice(0, limit)
  const cut = page.entries.length > limit ? entries.at(-1)?.seq : page.past
  return { entries, past: page.isFull ? cut : undefined, invented: page.invented }
}
