/** Keeps the index behind the ledger: in batches, with a bounded share of the time, from wherever it was left. */
import { setTimeout as sleep } from 'node:timers/promises'
import { toHex } from '@ephor/proof'
import { bodyOf } from './find-entries.ts'
import type { Source } from './find-entries.ts'
import { timeOf } from './search-query.ts'
import { restAfter } from './pacing.ts'
import type { Pacing, Step } from './pacing.ts'
import type { Indexed, Position } from './term-index.ts'
import { START } from './term-index.ts'
import { hashTerm, termsOf } from './terms.ts'

const BATCH = 256

const realPacing: Pacing = {
  now: () => performance.now(),
  rest: (ms, signal) => sleep(ms, undefined, { ref: false, signal }).catch(() => undefined),
}

/** @returns what can be looked up, with hashed terms */
export async function toIndexed(source: Source, row: Parameters<typeof bodyOf>[0]): Promise<Indexed> {
  const body = bodyOf(row)
  const at = timeOf(body)
  const terms = [...termsOf(body, await source.reasonsOf(body))].map(hashTerm)
  return { seq: row.seq, at: Number.isSafeInteger(at) ? at : 0, terms }
}

/** Whether the index was made from another ledger: one restored from a backup, say. */
async function isForeign({ rows }: Source, { next, last }: Position): Promise<boolean> {
  if (next === 0) return false
  const [row] = await rows.many([next - 1])
  return row === undefined || toHex(row.leaf_hash) !== last
}

/** Indexes one batch. */
async function indexBatch(source: Source): Promise<Step> {
  let from = await source.index.position()
  if (await isForeign(source, from)) {
    await source.index.clear()
    from = START
  }
  const rows = await source.rows.range(from.next, from.next + BATCH - 1)
  const last = rows.at(-1)
  if (!last) return 'done'
  const batch: Indexed[] = []
  for (const row of rows) batch.push(await toIndexed(source, row))
  const isOurs = await source.index.add(batch, from, { next: last.seq + 1, last: toHex(last.leaf_hash) })
  return isOurs ? (rows.length < BATCH ? 'done' : 'more') : 'overtaken'
}

export type Indexer = {
  /** Works without rest until nothing is missing, or for so long, in ms. */
  hurry(forMs: number): Promise<void>
  /** Resolves when the last batch is done. */
  stop(): Promise<void>
}

/** @param failed is told of each failure; the batch is tried again */
export function startIndexer(source: Source, failed: (error: unknown) => void, pacing: Pacing = realPacing): Indexer {
  const stopped = new AbortController()
  const hurried = { until: 0 }
  let wake = () => {}

  async function rest(ms: number): Promise<void> {
    const woken = new AbortController()
    wake = () => woken.abort()
    await pacing.rest(ms, AbortSignal.any([woken.signal, stopped.signal]))
  }

  async function run(): Promise<void> {
    let size = 0
    for (let failures = 0; !stopped.signal.aborted;) {
      const began = pacing.now()
      let isBusy = false
      let step: Step = 'overtaken'
      try {
        step = await indexBatch(source)
        failures = 0
        const grown = await source.rows.size()
        isBusy = size > 0 && grown > size
        size = grown
      } catch (error) {
        failures++
        failed(error)
      }
      if (step === 'done') hurried.until = 0
      if (step === 'more' && began < hurried.until) await sleep(0)
      else await rest(restAfter({ step, workedMs: pacing.now() - began, isBusy, failures }))
    }
  }

  const running = run()
  return {
    async hurry(forMs) {
      const until = pacing.now() + forMs
      hurried.until = until
      wake()
      while (pacing.now() < until && hurried.until !== 0 && !stopped.signal.aborted) await sleep(5)
    },
    async stop() {
      stopped.abort()
      await running
    },
  }
}
