/** Whether remembered answers are what was written: they have no entries, so their own keyed digests say it. */
import type { Store } from '@ephor/engine/kernel'
import type { Projector } from '@ephor/engine/ledger'
import { changedColumn } from './row-macs.ts'
import { readAnswers } from './store.ts'

const TABLE = 'server_answer'

/** A row that was deleted is not missed: all of them go after a day, and a key without its row is as good as new. */
export function answersProjector(store: Store, kek: Uint8Array): Projector {
  return {
    take: () => undefined,
    async finish() {
      const rows = await readAnswers(store)
      const found = rows.map((row) => ({ row, key: `${row.owner}/${row.key}`, field: changedColumn(kek, store.tenant, row) }))
      return {
        rows: rows.length,
        differences: found.flatMap(({ row, key, field }) =>
          field === undefined || row.macs === '' ? [] : [{ table: TABLE, key, field, detail: `its ${field} is not what Ephor wrote` }],
        ),
        uncovered: found.flatMap(({ row, key }) =>
          row.macs === '' ? [{ table: TABLE, key, detail: 'it is from before rows had keyed digests: nothing is answered from it' }] : [],
        ),
      }
    },
  }
}
