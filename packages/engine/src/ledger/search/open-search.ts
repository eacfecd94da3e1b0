/** Opens the search of a ledger: indexing begins behind what is going on, and everything acknowledged can be found at once. */
import { Fault } from '@ephor/contract'
import type { Logger, Store } from '@ephor/engine/kernel'
import type { Entry } from '../types.ts'
import { readCursor, toCursor, toQuery } from './search-query.ts'
import type { Filters, Order, Query } from './search-query.ts'
import { openSource, rememberReasons, scanEntries } from './search-source.ts'
import type { ScanOptions, Scanned, Status } from './search-source.ts'
import { postgresIndex, readRows, storeFile } from './search-store.ts'
import type { EntryTables } from './search-store.ts'
import { startSearch } from './start-search.ts'
import type { Reasons } from './terms.ts'

export type SearchRooms = {
  store: Store
  log: Logger
  /** The `@reason` texts of a policy version by policy id; none where nobody knows the version. */
  reasons: (version: string) => Promise<Reasons>
}

export type SearchPage = { items: Entry[]; /** A cursor. */ next?: string }

export interface Search {
  /**
   * Sees every entry that was acknowledged before the call.
   * @throws Fault REQUEST_INVALID for a cursor of another search; SEARCH_BEHIND while a large ledger is indexed for the
   *   first time; STORE_CORRUPT when a hit was changed in the store
   */
  search(filters: Filters, page: { order: Order; cursor?: string | undefined; limit: number }): Promise<SearchPage>
  /** Reads on in the ledger itself, so that no index can hide anything from an export. @throws Fault STORE_CORRUPT */
  scan(query: Query, options: ScanOptions): Promise<Scanned>
  /** Compares the index with the ledger. */
  status(): Promise<Status>
  /** Forgets the index; it is built again. */
  rebuild(): Promise<void>
  close(): Promise<void>
}

/** Reads the ledger of a store without an index: for exports without a server. */
export function openScan({ store, reasons }: Omit<SearchRooms, 'log'>): Pick<Search, 'scan'> {
  const source = { rows: readRows(store.reader<EntryTables>(), store.tenant), reasonsOf: rememberReasons(reasons) }
  return { scan: (query, options) => scanEntries(source, query, options) }
}

export async function openSearch({ store, log, reasons }: SearchRooms): Promise<Search> {
  const warn = (error: unknown, what: string) => log.warn({ err: error }, what)
  const { tenant } = store
  const source =
    store.kind === 'sqlite'
      ? startSearch({ file: await storeFile(store), tenant, reasons, warn })
      : openSource(
          { rows: readRows(store.reader<EntryTables>(), tenant), index: postgresIndex(store), reasonsOf: rememberReasons(reasons) },
          warn,
        )
  return {
    async search(filters, { order, cursor, limit }) {
      if (!(Number.isInteger(limit) && limit > 0 && limit <= 500)) throw new Fault('REQUEST_INVALID', 'a page has 1 to 500 entries')
      const query = toQuery(filters)
      const after = cursor === undefined ? undefined : readCursor(query, order, cursor)
      const { entries, past } = await source.search(query, { order, after, limit })
      return { items: entries, ...(past !== undefined && { next: toCursor(query, order, past) }) }
    },
    scan: (query, options) => source.scan(query, options),
    status: () => source.status(),
    rebuild: () => source.rebuild(),
    close: () => source.close(),
  }
}
