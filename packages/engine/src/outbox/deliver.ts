/** Delivers to one sink: takes its lease, sends entries in order, moves the position after acknowledgements, pauses after failures. */
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Fault } from '@ephor/contract'
import type { Clock, Logger, Store } from '@ephor/engine/kernel'
import { entryType, toCloudEvent } from '@ephor/engine/ledger'
import type { Entry, Ledger } from '@ephor/engine/ledger'
import { addSink, endSink, failSink, moveSink, readSink, releaseLease, renewLease, takeLease } from './store.ts'
import type { Lease } from './store.ts'
import { DeliveryFailure } from './types.ts'
import type { Sink, SinkOptions } from './types.ts'

export type Timing = {
  /** How long a replica that went silent keeps a sink to itself. A send has to end within half of it. */
  leaseMs: number
  /** The first pause after a failure; it doubles up to the last. */
  firstPauseMs: number
  lastPauseMs: number
}
export const TIMING: Timing = { leaseMs: 40_000, firstPauseMs: 1000, lastPauseMs: 60_000 }

const BATCH = 100
/** The position is written at least this often while a batch is on its way: a crash repeats no more than that. */
const MOVE_EVERY_MS = 500
/** However long a receiver asks us to wait. */
const LONGEST_PAUSE_MS = 3_600_000

export type DelivererContext = {
  store: Store
  ledger: Pick<Ledger, 'origin' | 'list' | 'head'>
  clock: Clock
  log: Logger
  /** This replica's name, fresh with each start. */
  holder: string
  timing: Timing
}

export type Deliverer = { wake(): void; close(): Promise<void> }

type Held = Lease & {
  position: number
  /** By performance.now(): from then on another replica may deliver. */ until: number
  failures: number
}

const isConflict = (error: unknown) => error instanceof Fault && error.code === 'CONFLICT'

function takes(types: readonly string[], { body }: Entry): boolean {
  const type = entryType({ body })
  return types.length === 0 || types.some((wanted) => type === wanted || type.startsWith(`${wanted}.`))
}

/** @returns ends it, after the send that is on its way was broken off and what was acknowledged is written down. */
export function startDeliverer(context: DelivererContext, options: SinkOptions, sink: Sink): Deliverer {
  const { store, ledger, clock, holder, timing } = context
  const { name } = options
  const log = context.log.child({ sink: name })
  const stop = new AbortController()
  let woken = false
  let wake = () => {}

  /** Until something was appended, `ms` passed, or the stop. */
  async function idle(ms: number): Promise<void> {
    if (!woken && !stop.signal.aborted)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms)
        wake = () => (clearTimeout(timer), resolve())
      })
    woken = false
  }
  const pause = (ms: number) => sleep(ms, undefined, { signal: stop.signal }).catch(() => {})
  const wall = () => clock.now() + timing.leaseMs

  async function take(): Promise<Held | undefined> {
    if (!(await readSink(store, name)))
      await store.commit({ changes: [addSink(name, options.from === 'start' ? 0 : (await ledger.head()).size)] })
    const row = await readSink(store, name)
    if (!row || row.state !== 'on') return undefined
    // The embedded store has one process: a lease of another is of one that ended.
    if (store.kind !== 'sqlite' && row.holder !== null && row.lease_until > clock.now()) return undefined
    const until = performance.now() + timing.leaseMs
    await store.commit({ changes: [takeLease(row, holder, wall())] })
    return { name, epoch: row.epoch + 1, position: row.next_seq, until, failures: row.failures }
  }

  /** @throws Fault CONFLICT when somebody took over */
  async function renew(held: Held): Promise<void> {
    if (held.until - performance.now() > (timing.leaseMs * 2) / 3) return
    const until = performance.now() + timing.leaseMs
    await store.commit({ changes: [renewLease(held, wall())] })
    held.until = until
  }

  async function move(held: Held, seq: number): Promise<void> {
    const until = performance.now() + timing.leaseMs
    await store.commit({ changes: [moveSink(held, seq, wall(), clock.now())] })
    if (held.failures > 0) log.info({ position: seq }, 'the sink takes entries again')
    Object.assign(held, { position: seq, until, failures: 0 })
  }

  /** Sends what of `entries` the sink takes. @returns why it ended before the last one */
  async function send(held: Held, entries: readonly Entry[]): Promise<unknown> {
    let moved = performance.now()
    let next = held.position
    try {
      for (const entry of entries) {
        if (takes(options.types, entry)) {
          await renew(held)
          if (stop.signal.aborted) return undefined
          await sink.send(toCloudEvent(ledger.origin, entry), stop.signal)
        }
        next = entry.seq + 1
        if (performance.now() - moved < MOVE_EVERY_MS) continue
        await move(held, next)
        moved = performance.now()
      }
      return undefined
    } catch (error) {
      if (isConflict(error)) throw error
      return stop.signal.aborted ? undefined : error
    } finally {
      // Also after a failure: what was acknowledged is not sent again.
      if (next > held.position) await move(held, next)
    }
  }

  /** @returns false when the sink is switched off */
  async function failed(held: Held, error: unknown): Promise<boolean> {
    const message = (error instanceof Error ? error.message : String(error)).slice(0, 300)
    const hint = error instanceof DeliveryFailure ? error.hint : {}
    if (hint.gone) {
      await store.commit({ changes: [endSink(held, message, clock.now())] })
      log.error({ position: held.position, reason: message }, 'ALARM: the receiver is gone, and nothing is sent to it any more')
      return false
    }
    await store.commit({ changes: [failSink(held, message, wall(), clock.now())] })
    held.failures++
    const { failures, position } = held
    // An alarm at the first failure and then ever more rarely: an outage of a day must not fill the log.
    if ((failures & (failures - 1)) === 0)
      log.error({ failures, position, reason: message }, 'ALARM: the sink does not take entries; it is tried again with growing pauses')
    const growing = Math.min(timing.lastPauseMs, timing.firstPauseMs * 2 ** Math.min(failures - 1, 16)) * (0.8 + 0.4 * Math.random())
    const until = performance.now() + Math.max(growing, Math.min(hint.retryAfterMs ?? 0, LONGEST_PAUSE_MS))
    while (!stop.signal.aborted && performance.now() < until) {
      await pause(Math.min(until - performance.now(), timing.leaseMs / 3))
      await renew(held)
      if ((await readSink(store, name))?.epoch !== held.epoch) break
    }
    return true
  }

  /** Delivers as long as the lease is ours. @throws Fault CONFLICT when it no longer is */
  async function hold(held: Held): Promise<void> {
    while (!stop.signal.aborted) {
      // A replay, or another replica: nothing is sent on the strength of a lease that was lost meanwhile.
      if ((await readSink(store, name))?.epoch !== held.epoch) return
      const entries = await ledger.list({ after: held.position - 1, limit: BATCH })
      const error = await send(held, entries)
      if (error !== undefined) {
        await sink.close()
        if (!(await failed(held, error))) return
      } else if (entries.length === 0) {
        await renew(held)
        await idle(timing.leaseMs / 3)
      }
    }
  }

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      let held: Held | undefined
      try {
        held = await take()
        if (held) await hold(held)
      } catch (error) {
        if (!isConflict(error) && !stop.signal.aborted) log.warn({ err: error }, 'the sink’s position can’t be written; it is tried again')
        await pause(timing.firstPauseMs)
      }
      await sink.close().catch(() => {})
      // Somebody else may go on at once; after CONFLICT somebody does already.
      if (held && stop.signal.aborted) await store.commit({ changes: [releaseLease(held)] }).catch(() => {})
      // Appends don't wake whoever only waits for the lease: each would cost a read.
      if (!held) await pause(Math.min(timing.leaseMs / 4, 2000))
    }
  }

  const running = run()
  return {
    wake() {
      woken = true
      wake()
    },
    async close() {
      stop.abort()
      wake()
      await running
    },
  }
}
