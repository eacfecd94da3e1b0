/** Tells streams that the ledger grew: wraps its append, so that no room has to know that anybody listens. */
import type { Ledger, Receipt } from '@ephor/engine/ledger'

export type EventFeed = {
  /** The ledger to hand to the rooms. */
  ledger: Ledger
  /** Called after entries became durable, with the receipts of those that were appended here. @returns stops the telling */
  onAppend(listener: (own: readonly Receipt[]) => void): () => void
  /** Another replica appended something. */
  tell(): void
}

export function createEventFeed(ledger: Ledger): EventFeed {
  const listeners = new Set<(own: readonly Receipt[]) => void>()
  const told: Ledger = Object.create(ledger, {
    append: {
      value: async (part: Parameters<Ledger['append']>[0]) => {
        const receipts = await ledger.append(part)
        for (const listener of listeners) listener(receipts)
        return receipts
      },
    },
  }) as Ledger
  const tell = () => {
    for (const listener of listeners) listener([])
  }
  // What the ledger itself appends, a fork for instance, is told with the checkpoint over it.
  ledger.onCheckpoint(tell)
  return {
    ledger: told,
    tell,
    onAppend(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
