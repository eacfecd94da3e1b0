/** Tells streams that the ledger grew: wraps its append, so that no room has to know that anybody listens. */
import type { Ledger } from '@ephor/engine/ledger'

export type EventFeed = {
  /** The ledger to hand to the rooms. */
  ledger: Ledger
  /** Called after entries became durable; it reads them from the ledger itself. @returns stops the telling */
  onAppend(listener: () => void): () => void
}

export function createEventFeed(ledger: Ledger): EventFeed {
  const listeners = new Set<() => void>()
  const told: Ledger = Object.create(ledger, {
    append: {
      value: async (part: Parameters<Ledger['append']>[0]) => {
        const receipts = await ledger.append(part)
        for (const listener of listeners) listener()
        return receipts
      },
    },
  }) as Ledger
  return {
    ledger: told,
    onAppend(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
