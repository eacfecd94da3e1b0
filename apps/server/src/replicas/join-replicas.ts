/** One of several replicas: what it keeps in memory follows what the others write. With the embedded store there are no others. */
import type { Logger, Store } from '@ephor/engine/kernel'
import type { Entry } from '@ephor/engine/ledger'
import type { EventFeed } from '../events/event-feed.ts'
import { followOthers, ownEntries } from './follow-others.ts'

/** A room that keeps something in memory which another replica may change. */
type Follower = { follow(entry: Entry): Promise<void> | void }

/** Called before any room is opened: what comes from now on is taken over. */
export async function joinReplicas({ store, feed, log }: { store: Store; feed: EventFeed; log: Logger }) {
  if (store.kind === 'sqlite') return { follow: (): (() => Promise<void>) => async () => {} }
  const { ledger } = feed
  const after = (await ledger.head()).size - 1
  const own = ownEntries()
  const stopNoting = feed.onAppend((receipts) => own.add(receipts.map(({ seq }) => seq)))
  const stopTelling = store.onForeign(() => feed.tell())
  return {
    /** @returns how to stop it */
    follow(rooms: readonly Follower[]): () => Promise<void> {
      const stop = followOthers({
        store,
        ledger,
        after,
        isOwn: own.isOwn,
        async follow(entry) {
          for (const room of rooms) await room.follow(entry)
        },
        log,
      })
      return async () => {
        stopNoting()
        stopTelling()
        await stop()
      }
    },
  }
}
