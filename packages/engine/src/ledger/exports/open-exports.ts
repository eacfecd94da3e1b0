/** Writes entries out, page by page and with as much memory for a million as for ten: each is read from the ledger itself and checked. */
import { setImmediate as turn } from 'node:timers/promises'
import { Fault } from '@ephor/contract'
import type { EXPORT_FORMATS } from '@ephor/contract'
import type { JsonObject } from '@ephor/engine/kernel'
import { toQuery } from '../search/search-query.ts'
import type { Filters, Query } from '../search/search-query.ts'
import type { ScannedEntry, ScanOptions, Scanned } from '../search/search-source.ts'
import type { Entry, Ledger } from '../types.ts'
import { toCloudEvent } from './to-cloud-event.ts'
import { csvHeader, toCsv } from './to-csv.ts'
import { toOcsf } from './to-ocsf.ts'

export type ExportFormat = (typeof EXPORT_FORMATS)[number]

/** `after`: only entries behind this place; from the first unless said. */
export type ExportRequest = { format: ExportFormat; filters: Filters; after?: number | undefined }

/** `size`: entries before this place were looked at. */
export type StartedExport = { size: number; media: string; chunks: AsyncGenerator<string, void> }

/** What reads on in the ledger: a search, or `openScan` without one. */
export type Scanner = { scan(query: Query, options: ScanOptions): Promise<Scanned> }

export interface Exports {
  /**
   * Of everything acknowledged before the call.
   * @throws Fault REQUEST_INVALID; the chunks: STORE_CORRUPT where an entry is not what was hashed. EXPORT_TOO_LARGE and
   *   SIGNER_UNAVAILABLE for a bundle, before its first chunk.
   */
  start(request: ExportRequest): Promise<StartedExport>
}

/** Entries that are read at once; a body has at most 64 KiB. */
const ROWS = 200
/** A bundle is signed as a whole, so it is held as a whole. */
const MAX_BUNDLE_ENTRIES = 10_000
const MAX_BUNDLE_BYTES = 16 * 1024 * 1024

type Line = (entry: Entry, text: string, origin: string) => string
type Writer = { media: string; header?: string; line: Line }

const WRITERS: Record<Exclude<ExportFormat, 'bundle'>, Writer> = {
  // The body is not written again but as it was hashed: its SHA-256 with a zero byte before it is the leaf hash.
  jsonl: { media: 'application/x-ndjson', line: ({ seq, leafHash }, text) => `{"seq":${seq},"leafHash":"${leafHash}","body":${text}}\n` },
  cloudevents: { media: 'application/x-ndjson', line: (entry, _, origin) => `${JSON.stringify(toCloudEvent(origin, entry))}\n` },
  ocsf: { media: 'application/x-ndjson', line: (entry, text, origin) => `${JSON.stringify(toOcsf(origin, entry, text))}\n` },
  csv: { media: 'text/csv; charset=utf-8; header=present', header: csvHeader, line: (entry, text) => toCsv(entry, text) },
}

export function openExports({ ledger, search }: { ledger: Ledger; search: Scanner }): Exports {
  async function* pages(query: Query, after: number, size: number): AsyncGenerator<ScannedEntry[], void> {
    for (let past = after; past < size - 1;) {
      const page = await search.scan(query, { after: past, before: size, rows: ROWS })
      past = page.past
      if (page.entries.length > 0) yield page.entries
      // Calls are decided on this thread too.
      await turn()
    }
  }

  async function* lines({ header, line }: Writer, all: AsyncGenerator<ScannedEntry[], void>): AsyncGenerator<string, void> {
    if (header !== undefined) yield header
    for await (const page of all) {
      const entryOf = ({ seq, leafHash, text }: ScannedEntry): Entry => ({ seq, leafHash, body: JSON.parse(text) as JsonObject })
      yield page.map((one) => line(entryOf(one), one.text, ledger.origin)).join('')
    }
  }

  async function collect(all: AsyncGenerator<ScannedEntry[], void>): Promise<ScannedEntry[]> {
    const entries: ScannedEntry[] = []
    let bytes = 0
    for await (const page of all) {
      entries.push(...page)
      for (const { text } of page) bytes += text.length
      if (entries.length > MAX_BUNDLE_ENTRIES || bytes > MAX_BUNDLE_BYTES)
        throw new Fault('EXPORT_TOO_LARGE', `a bundle holds at most ${MAX_BUNDLE_ENTRIES} entries or ${MAX_BUNDLE_BYTES / 1024 / 1024} MiB`)
    }
    return entries
  }

  async function bundle({ filters, after = -1 }: ExportRequest, query: Query, size: number): Promise<string> {
    const { since, until, ...rest } = filters
    const chosen = Object.entries(rest).flatMap(([name, value]) => (value === undefined ? [] : [[name, [value].flat().join(' | ')]]))
    let entries = await collect(pages(query, after, size))
    const times = { ...(since !== undefined && { since }), ...(until !== undefined && { until }) }
    let range = { first: Math.min(after + 1, size), end: size }
    if (chosen.length === 0 && Object.keys(times).length > 0) {
      const [first, last] = [entries[0]?.seq, entries.at(-1)?.seq]
      range = first === undefined || last === undefined ? { ...range, end: range.first } : { first, end: last + 1 }
      // A clock that was set back leaves others between them: a whole range is promised, so they are in it.
      if (entries.length < range.end - range.first) entries = await collect(pages(toQuery({}), range.first - 1, range.end))
    }
    const filter = chosen.length === 0 ? {} : { filter: Object.fromEntries(chosen) as Record<string, string> }
    return `${JSON.stringify(await ledger.evidence({ range: { ...range, ...times }, ...filter, entries }))}\n`
  }

  return {
    async start(request) {
      const { format, filters, after = -1 } = request
      const query = toQuery(filters)
      const { size } = await ledger.head()
      if (format !== 'bundle') return { size, media: WRITERS[format].media, chunks: lines(WRITERS[format], pages(query, after, size)) }
      const text = await bundle(request, query, size)
      async function* whole(): AsyncGenerator<string, void> {
        yield text
      }
      return { size, media: 'application/vnd.dsse.envelope.v1+json', chunks: whole() }
    },
  }
}
