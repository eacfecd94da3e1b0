/** Finds where in the ledger a time lies: entries are in the order in which they were made. */
import type { Ledger } from '@ephor/engine/ledger'

/** @returns the last seq before this time in ms, by the entries' own words; -1 when there is none */
export async function seqBefore(ledger: Pick<Ledger, 'read'>, size: number, time: number): Promise<number> {
  let [low, high] = [0, size]
  while (low < high) {
    const middle = (low + high) >>> 1
    const at = (await ledger.read(middle))?.body['at']
    if (typeof at === 'string' && Date.parse(at) < time) low = middle + 1
    else high = middle
  }
  return low - 1
}
