/** Records that follow their answers: bounded in time and number, and an answer waits as soon as a bound is reached. */
import type { Receipt } from '@ephor/engine/ledger'

export interface DelayedWrites {
  /**
   * Starts the write and does not wait for it, unless an earlier one is older than `withinMs`, too many are under way, or the
   * last one failed.
   * @returns the receipt where it waited. @throws Fault what the write throws where it waited.
   */
  write(start: () => Promise<readonly Receipt[]>, withinMs: number): Promise<Receipt | undefined>
  /** Resolves when nothing is under way. */
  settled(): Promise<void>
}

const MOST = 1000

export function makeDelayedWrites(now: () => number, onFailure: (error: unknown) => void): DelayedWrites {
  /** In the order in which they were started. */
  const underWay = new Map<Promise<unknown>, number>()
  let failed = false

  return {
    async write(start, withinMs) {
      const oldest = underWay.values().next().value
      const mustWait = failed || underWay.size >= MOST || (oldest !== undefined && now() - oldest >= withinMs)
      const written = start()
      const watched: Promise<unknown> = written
        .then(
          () => (failed = false),
          (error: unknown) => {
            failed = true
            if (!mustWait) onFailure(error)
          },
        )
        .finally(() => underWay.delete(watched))
      underWay.set(watched, now())
      return mustWait ? (await written)[0] : undefined
    },
    async settled() {
      while (underWay.size > 0) await Promise.all(underWay.keys())
    },
  }
}
