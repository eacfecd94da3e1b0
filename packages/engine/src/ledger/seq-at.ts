/** Finds where in the ledger a time lies: entries are in the order in which they were made. */
import type { Ledger } from './types.ts'

/** @returns the seq of the first entry from this time in ms on, by the entries' own words; `size` when there is none */
export async function seqAt(ledger: Pick<Ledger, 'read'>, size: number, time: number): Promise<number> {
  let [low, high] = [0, size]
  while (low < high) {
    const middle = (low + high) >>> 1
    const at = (await ledger.read(middle))?.body['at']
    if (typeof at === 'string' && Date.parse(at) < time) low = middle + 1
    else high = middle
  }
  return low
}
