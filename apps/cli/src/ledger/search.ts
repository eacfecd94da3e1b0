/** `ephor ledger search` and `reindex`: entries by what they are about. */
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import { removeSearchOffline } from '@ephor/server'
import { connect, settingsOf } from '../connection.ts'
import type { CommonOptions, Connection } from '../connection.ts'
import { json, line } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withPaging, withServer } from '../verb.ts'
import type { PagingOptions } from '../verb.ts'
import { filtersOf, showEntries, withFilters } from './filters.ts'
import type { FilterOptions, FoundEntry } from './filters.ts'

type SearchOptions = CommonOptions & FilterOptions & PagingOptions & { oldest?: boolean; all?: boolean }

/** Every page, one after another; `--all` with JSON is a line an entry, however many there are. */
async function* pages({ client }: Connection, options: SearchOptions): AsyncGenerator<{ items: FoundEntry[]; next?: string | undefined }> {
  const order = options.oldest ? 'oldest' : 'newest'
  const limit = options.all ? '500' : options.limit
  for (let cursor = options.cursor; ;) {
    const page = await client.searchLedger({ query: { ...filtersOf(options), order, limit, ...(cursor !== undefined && { cursor }) } })
    yield page
    if (!options.all || page.next === undefined) return
    cursor = page.next
  }
}

export function addSearch(ledger: Command, io: Io): void {
  const search = withFilters(withPaging(withServer(ledger.command('search').description('find entries by what they are about'))))
  search.option('--oldest', 'the oldest first').option('--all', 'every page')
  search.action(
    served(io, async (connection, options: SearchOptions) => {
      for await (const page of pages(connection, options)) {
        if (!options.json) showEntries(io, page.items)
        else if (options.all) for (const entry of page.items) io.stdout.write(`${JSON.stringify(entry)}\n`)
        else json(io, page)
        if (page.next !== undefined && !options.all) io.stderr.write(`More: --cursor ${page.next}\n`)
      }
    }),
  )
  examples(
    search,
    'ledger search --agent agt_01kf… --effect deny --since 2h',
    'ledger search --text "outside folder" --type decision',
    'ledger search --about dec_01kf… --oldest',
    'ledger search --trace 4bf92f3577b34da6a3ce929d0e0e4736 --json',
  )

  const reindex = withServer(ledger.command('reindex').description('build the search index again from the entries'))
  reindex.action(async (options: CommonOptions) => {
    try {
      const { entries } = await connect(io, options).client.rebuildSearch({ idempotencyKey: crypto.randomUUID() })
      if (options.json) json(io, { entries })
      else line(io, `The index of ${entries} entries is built again, behind what is going on.`)
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'SERVER_UNREACHABLE' || options.url !== undefined) throw error
      await removeSearchOffline(settingsOf(io, options))
      if (options.json) json(io, { removed: true })
      else line(io, 'The index is removed; the next ephor up builds it again.')
    }
  })
  examples(reindex, 'ledger reindex')
}
