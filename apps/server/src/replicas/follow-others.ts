/** Takes over what other replicas write: reads their entries as they come, and hands them to the rooms that keep something in memory. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Logger, Store } from '@ephor/engine/kernel'
import type { Entry, Ledger } from '@ephor/engine/ledger'

const PAGE = 500
const RETRY_MS = 200

export type FollowOptions = {
  store: Pick<Store, 'onForeign'>
  ledger: Pick<Ledger, 'list'>
  /** The seq of the last entry that the rooms knew of when they were opened; -1 for none. */
  after: number
  /** True once for the seq of an entry that was appended here. */
  isOwn: (seq: number) => boolean
  /** In order of the ledger, one after another. One that fails is tried again: nothing is passed over. */
  follow: (entry: Entry) => Promise<void>
  log: Logger
}

/** @returns how to stop it */
export function followOthers({ store, ledger, isOwn, follow, log, ...options }: FollowOptions): () => Promise<void> {
  let { after } = options
  const closing = new AbortController()
  let running: Promise<void> | undefined
  let again = false

  async function readOn(): Promise<void> {
    for (let page: Entry[]; !closing.signal.aborted && (page = await ledger.list({ after, limit: PAGE })).length > 0;) {
      for (const entry of page) {
        if (!isOwn(entry.seq)) await follow(entry)
        after = entry.seq
      }
    }
  }

  async function untilDone(): Promise<void> {
    do {
      again = false
      try {
        await readOn()
      } catch (error) {
        if (closing.signal.aborted) return
        log.error({ err: error, after }, 'what another replica wrote could not be taken over; it is tried again')
        again = true
        await pause(RETRY_MS)
      }
    } while (again && !closing.signal.aborted)
    running = undefined
  }

  const stop = store.onForeign(() => {
    again = true
    running ??= untilDone()
  })
  return async () => {
    closing.abort()
    stop()
    await running
  }
}

/** Remembers what was appended here until it has come round, so that it is not taken over from ourselves. */
export function ownEntries(): { add: (seqs: Iterable<number>) => void; isOwn: (seq: number) => boolean } {
  const seqs = new Set<number>()
  return {
    add(own) {
      for (const seq of own) seqs.add(seq)
    },
    isOwn: (seq) => seqs.delete(seq),
  }
}
