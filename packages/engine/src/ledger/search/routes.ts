/** Searching over HTTP: for people, by filters that are known. */
import { Fault, ledgerSearchOperations } from '@ephor/contract'
import { mount, nearest } from '@ephor/engine/kernel'
import type { Authenticate } from '@ephor/engine/kernel'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Search } from './open-search.ts'

/**
 * A filter that nobody knows would be left out, and the answer would look like one to the question.
 * @throws Fault REQUEST_INVALID
 */
export function refuseUnknown({ query }: FastifyRequest, known: readonly string[]): void {
  const unknown = Object.keys(query as object).find((name) => !known.includes(name))
  if (unknown === undefined) return
  const near = nearest(unknown, known)
  const hint = near === undefined ? `there are ${known.join(', ')}` : `did you mean ${near}?`
  throw new Fault('REQUEST_INVALID', `there is no filter "${unknown.slice(0, 40)}": ${hint}`, { where: `query/${unknown.slice(0, 40)}` })
}

export function mountSearch(app: FastifyInstance, search: Search, authenticate: Authenticate): void {
  const { searchLedger, getSearchStatus, rebuildSearch } = ledgerSearchOperations
  const known = Object.keys(searchLedger.query.shape)
  mount(
    app,
    { searchLedger, getSearchStatus, rebuildSearch },
    {
      searchLedger({ query: { cursor, limit, order, ...filters }, request }) {
        refuseUnknown(request, known)
        return search.search(filters, { order, cursor, limit })
      },
      getSearchStatus: () => search.status(),
      async rebuildSearch() {
        await search.rebuild()
        const { entries } = await search.status()
        return { entries }
      },
    },
    authenticate,
  )
}
