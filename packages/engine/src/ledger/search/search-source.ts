/** Searching over a source, wherever that runs: in a thread of its own for the embedded store, here for PostgreSQL. */
import { randomInt } from 'node:crypto'
import { Fault } from '@ephor/contract'
import type { JsonObject } from '@ephor/engine/kernel'
import { toEntry } from '../to-entry.ts'
import { findEntries, MAX_TAIL } from './find-entries.ts'
import type { Found, ReasonsOf, Source } from './find-entries.ts'
import { startIndexer, toIndexed } from './indexer.ts'
import { matches } from './search-query.ts'
import type { Order, Query } from './search-query.ts'
import type { Reasons } from './terms.ts'

/** How long a search waits for an index that is far behind, in ms. */
const CATCH_UP_MS = 3000
/** Entries that the comparison with the ledger looks up. */
const SAMPLE = 50
/** Texts of this many policy versions are kept at hand. */
const MAX_VERSIONS = 50

export type SearchOptions = { order: Order; after: number | undefined; limit: number }
/** `rows`: how many entries are looked at. Both ends are excluded. */
export type ScanOptions = { after: number; before: number; rows: number }
/** `text`: the body exactly as it was hashed. */
export type ScannedEntry = { seq: number; leafHash: string; text: string }
export type Scanned = { entries: ScannedEntry[]; /** The last entry that was looked at. */ past: number }
export type Status = { entries: number; indexed: number; counted: number; sampled: number; missing: number }

/** What the thread is asked, by name. */
export interface SearchSource {
  search(query: Query, options: SearchOptions): Promise<Found>
  /** Reads the ledger itself, in order: an index could hide something. @throws Fault STORE_CORRUPT */
  scan(query: Query, options: ScanOptions): Promise<Scanned>
  status(): Promise<Status>
  rebuild(): Promise<void>
  close(): Promise<void>
}

/** `@reason` texts by the version that a body names; a version's texts never change. */
export function rememberReasons(ask: (version: string) => Promise<Reasons>): ReasonsOf {
  const known = new Map<string, Reasons>()
  return async (body: JsonObject) => {
    const { policy: version, reasons } = body
    if (typeof version !== 'string' || !Array.isArray(reasons) || reasons.length === 0) return {}
    let texts = known.get(version)
    if (!texts) {
      texts = await ask(version)
      if (known.size >= MAX_VERSIONS) known.clear()
      known.set(version, texts)
    }
    return texts
  }
}

/** Entry by entry, checked, in their order. */
export async function scanEntries({ rows, reasonsOf }: Omit<Source, 'index'>, query: Query, options: ScanOptions): Promise<Scanned> {
  const { after, before } = options
  const to = Math.min(after + options.rows, before - 1)
  const entries: ScannedEntry[] = []
  let place = after
  for (const row of await rows.range(after + 1, to)) {
    if (row.seq !== ++place) throw new Fault('STORE_CORRUPT', `entry ${place} of the ledger is missing`)
    const { leafHash, body } = toEntry(row)
    if (matches(query, body, await reasonsOf(body))) entries.push({ seq: row.seq, leafHash, text: row.body })
  }
  if (place < to) throw new Fault('STORE_CORRUPT', `entry ${place + 1} of the ledger is missing`)
  return { entries, past: to }
}

/** Looks entries up, chosen by chance, by every term they have. */
async function sample(source: Source, indexed: number): Promise<{ sampled: number; missing: number }> {
  const places = new Set(Array.from({ length: Math.min(SAMPLE, indexed) }, (_, i) => (indexed <= SAMPLE ? i : randomInt(indexed))))
  let missing = 0
  for (const seq of places) {
    const [row] = await source.rows.many([seq])
    if (!row) throw new Fault('STORE_CORRUPT', `entry ${seq} of the ledger is missing`)
    const groups = (await toIndexed(source, row)).terms.map((term) => [term])
    const found = await source.index.find({ groups, low: seq, high: seq, newest: true, limit: 1 })
    if (found.length === 0) missing++
  }
  return { sampled: places.size, missing }
}

/** @param warn is told of failures behind, and of an index that names entries which are no hits */
export function openSource(source: Source, warn: (error: unknown, what: string) => void): SearchSource {
  const indexer = startIndexer(source, (error) => warn(error, 'the ledger could not be indexed; it is tried again'))
  return {
    async search(query, options) {
      const { next } = await source.index.position()
      if ((await source.rows.size()) - next > MAX_TAIL) await indexer.hurry(CATCH_UP_MS)
      const found = await findEntries(source, query, options)
      if (found.invented > 0) warn(undefined, 'the search index names entries that are no hits: it was changed; ephor ledger reindex')
      return found
    },
    scan: (query, options) => scanEntries(source, query, options),
    async status() {
      const { next } = await source.index.position()
      const entries = await source.rows.size()
      return { entries, indexed: next, counted: await source.index.count(), ...(await sample(source, next)) }
    },
    rebuild: () => source.index.clear(),
    close: () => indexer.stop(),
  }
}
