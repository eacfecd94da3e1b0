/** One replica of the bench, a process of its own: says when it is open, appends for as long as it is told, and answers with its latencies. */
import { latenciesOf } from '../measure.ts'
import type { Duration } from '../measure.ts'
import { draftOf, openLedgerWorld } from './worlds.ts'

export type ReplicaOrder = { callers: number; duration: Duration; run: string }
export type ReplicaAnswer = { latencies: number[]; elapsedMs: number }

const [url = '', home = '', sharedKeys = ''] = process.argv.slice(2)
const world = await openLedgerWorld({ folder: home, url }, sharedKeys)
process.on('message', ({ callers, duration, run }: ReplicaOrder) => {
  void latenciesOf(callers, duration, (caller, turn) => world.ledger.append({ changes: [], entries: [draftOf(caller, turn, run)] })).then(
    (answer) => process.send?.(answer satisfies ReplicaAnswer),
  )
})
process.once('disconnect', () => void world.close())
process.send?.({ latencies: [], elapsedMs: 0 } satisfies ReplicaAnswer)
