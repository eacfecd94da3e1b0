/** What the ledger can say of the sinks' rows: where a replay put them, and that no sink is beyond the end. */
import type { Store } from '@ephor/engine/kernel'
import { entryType } from '@ephor/engine/ledger'
import type { ProjectionDifference, Projector } from '@ephor/engine/ledger'
import { readSinks } from './store.ts'

const TABLE = 'outbox_sink'
const OPEN = 'what its receiver acknowledged is not in the ledger: its position is only held against replays and the end of the ledger'

/** What receivers acknowledged is not in the ledger, so that each sink is also listed as not covered. */
export function outboxProjector({ store }: { store: Store }): Projector {
  const replays = new Map<string, { from: number; count: number }>()
  let size = 0
  return {
    take(entry) {
      size = entry.seq + 1
      const { sink, from } = entry.body
      if (entryType(entry) !== 'outbox.replayed' || typeof sink !== 'string' || typeof from !== 'number') return
      replays.set(sink, { from, count: (replays.get(sink)?.count ?? 0) + 1 })
    },
    async finish() {
      const rows = await readSinks(store)
      const differences: ProjectionDifference[] = []
      const differs = (key: string, detail: string, field?: string) =>
        void differences.push({ table: TABLE, key, detail, ...(field === undefined ? {} : { field }) })
      for (const { name, next_seq, epoch, state } of rows) {
        const { from = 0, count = 0 } = replays.get(name) ?? {}
        if (next_seq > size) differs(name, `its next_seq is ${next_seq}, beyond the ${size} entries of the ledger`, 'next_seq')
        if (next_seq < from) differs(name, `its next_seq is ${next_seq}, before ${from}, where the ledger says that it was put`, 'next_seq')
        if (epoch < count) differs(name, `its epoch is ${epoch}, and the ledger says that it was put somewhere ${count} times`, 'epoch')
        if (state !== 'on' && state !== 'off') differs(name, 'its state is neither on nor off', 'state')
      }
      for (const name of replays.keys())
        if (!rows.some((row) => row.name === name)) differs(name, 'the ledger has it and the row is missing')
      return { rows: rows.length, differences, uncovered: rows.map(({ name }) => ({ table: TABLE, key: name, detail: OPEN })) }
    },
  }
}
