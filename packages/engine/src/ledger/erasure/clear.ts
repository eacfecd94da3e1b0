/** Removes the sealed bytes that no key opens any more: they say nothing, and take space. */
import { clearPayload, markCleared } from './erasure-store.ts'
import type { Context } from './open-erasure.ts'
import { inSteps, stretchOf } from './survey.ts'

/** Keys of one pass, and rows of one unit. */
const KEYS = 100
const ROWS = 500

/** What a kill leaves is found by the next run. @returns how many rows */
export async function clearDestroyed({ store, reads, ledger }: Pick<Context, 'store' | 'reads' | 'ledger'>): Promise<number> {
  let cleared = 0
  for (;;) {
    const names = (await reads.uncleared(KEYS)).map(({ name }) => name)
    if (names.length === 0) return cleared
    const stretch = await stretchOf(ledger, await reads.size(), names)
    for await (const found of inSteps(stretch, (from, to) => reads.sealedUnder(names, from, to)))
      for (let i = 0; i < found.length; i += ROWS) {
        const rows = found.slice(i, i + ROWS)
        await store.commit({ changes: rows.map(({ seq, name }) => clearPayload(seq, name)) })
        cleared += rows.length
      }
    await store.commit({ changes: names.map(markCleared) })
  }
}
