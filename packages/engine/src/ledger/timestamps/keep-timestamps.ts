/** Has checkpoints stamped from time to time, by one replica. */
import { randomUUID } from 'node:crypto'
import type { Clock, Logger, Store } from '@ephor/engine/kernel'
import { utf8 } from '@ephor/proof'
import { claimDuty } from '../duties/duty-store.ts'
import type { Ledger } from '../types.ts'
import type { TimestampAuthority } from './authority.ts'
import { addTimestamp, lastTimestamp, listTimestamps } from './timestamps-store.ts'

export type TimestampsOptions = {
  store: Store
  ledger: Pick<Ledger, 'head'>
  clock: Clock
  log: Logger
  /** Unset: nothing new is stamped, and what was stamped is still served. */
  authority?: TimestampAuthority | undefined
  everyMs: number
  /** The first pause after a failure; it doubles up to `everyMs`. */
  retryMs?: number
}

export interface Timestamps {
  /** In order of size; `after`: the size before the first wanted. `at`: the authority's time, ms since 1970. */
  list(query: { after?: number; limit: number }): Promise<{ size: number; at: number }[]>
  warnings(): string[]
  close(): Promise<void>
}

const RETRY_MS = 60_000
const DUTY_MS = 60_000

/** @returns the next time at which something is due, in ms from now */
async function stampIfDue(options: TimestampsOptions & { authority: TimestampAuthority }, holder: string): Promise<number> {
  const { store, ledger, clock, log, authority, everyMs } = options
  const last = await lastTimestamp(store)
  const now = clock.now()
  const due = last ? last.at + everyMs - now : 0
  if (due > 0) return Math.min(due, everyMs)
  if (!(await claimDuty(store, { name: 'timestamps', holder, now, ms: DUTY_MS }))) return DUTY_MS / 4
  const { size, checkpoint } = await ledger.head()
  // Nothing was added since: the last timestamp says all that there is to say.
  if (size === (last?.size ?? 0)) return everyMs
  const { token, at } = await authority.stamp(utf8(checkpoint))
  await store.commit({ changes: [addTimestamp({ size, at, note: checkpoint, token })] })
  log.info({ size, at: new Date(at).toISOString(), authority: authority.name }, 'a checkpoint was stamped')
  return everyMs
}

export function keepTimestamps(options: TimestampsOptions): Timestamps {
  const { store, authority, log, everyMs, retryMs = RETRY_MS } = options
  const holder = randomUUID()
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  let closed = false
  let failures = 0

  function schedule(ms: number): void {
    if (closed || !authority) return
    timer = setTimeout(() => {
      running = turn(authority)
    }, ms)
    timer.unref()
  }
  async function turn(by: TimestampAuthority): Promise<void> {
    try {
      const next = await stampIfDue({ ...options, authority: by }, holder)
      failures = 0
      schedule(next)
    } catch (error) {
      failures++
      if (!closed) log.error({ err: error, failures }, 'ALARM: no timestamp of the checkpoint could be had; it is tried again')
      schedule(Math.min(everyMs, retryMs * 2 ** Math.min(failures - 1, 16)))
    }
  }
  schedule(Math.min(retryMs, 2000))

  return {
    list: ({ after = -1, limit }) => listTimestamps(store, after, limit),
    warnings: () => (failures > 1 ? ['checkpoints are not stamped: the time-stamping authority gives none that verifies'] : []),
    async close() {
      closed = true
      clearTimeout(timer)
      await running
    },
  }
}
