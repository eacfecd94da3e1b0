/** Keeps a mirror up to the log after each checkpoint, by one replica; what contradicts the ledger is an alarm. */
import { randomUUID } from 'node:crypto'
import { Fault } from '@ephor/contract'
import type { Clock, Logger, Store } from '@ephor/engine/kernel'
import { claimDuty } from '../duties/duty-store.ts'
import type { Ledger } from '../types.ts'
import { claimMirror, mirrorLog } from './mirror-log.ts'
import { ledgerSource } from './sources.ts'
import type { MirrorTarget } from './target.ts'

export type MirrorOptions = {
  store: Store
  ledger: Ledger
  clock: Clock
  log: Logger
  target: MirrorTarget
  /** At most this often. */
  everyMs: number
}

export interface Mirror {
  warnings(): string[]
  close(): Promise<void>
}

/** After a crash, another replica goes on within this time. */
const DUTY_MS = 60_000
const LAST_PAUSE_MS = 60_000
/** Without a checkpoint too: its cosignatures and timestamps come later than it. */
const IDLE_MS = 60_000

export function keepMirror({ store, ledger, clock, log, target, everyMs }: MirrorOptions): Mirror {
  const source = ledgerSource(store, ledger, target.name)
  const holder = randomUUID()
  let timer: NodeJS.Timeout | undefined
  let dueAt = Infinity
  let running: Promise<void> | undefined
  let isClaimed = false
  const stop = new AbortController()
  let grew = false
  let failures = 0
  let differs = false

  /** The soonest of what was asked for. */
  function schedule(ms: number): void {
    const at = Date.now() + ms
    if (stop.signal.aborted || running || at >= dueAt) return
    clearTimeout(timer)
    dueAt = at
    timer = setTimeout(begin, ms)
    timer.unref()
  }
  async function turn(): Promise<void> {
    const next = await round()
    running = undefined
    schedule(grew && failures === 0 ? everyMs : next)
  }
  function begin(): void {
    dueAt = Infinity
    grew = false
    running = turn()
  }
  /** @returns the pause until the next */
  async function round(): Promise<number> {
    try {
      if (!(await claimDuty(store, { name: 'mirror', holder, now: clock.now(), ms: DUTY_MS }))) return DUTY_MS / 2
      if (!isClaimed) await claimMirror(source, target, clock.now())
      isClaimed = true
      const { size, written } = await mirrorLog(source, target, stop.signal)
      if (failures > 0) log.info({ mirror: target.name, size }, 'the mirror is up to the ledger again')
      failures = 0
      differs = false
      return written > 0 ? everyMs : IDLE_MS
    } catch (error) {
      if (stop.signal.aborted) return 0
      failures++
      differs = error instanceof Fault && error.code === 'MIRROR_DIFFERS'
      const words = differs
        ? 'ALARM: the mirror contradicts this ledger, and nothing is written there any more'
        : 'ALARM: the mirror is not brought up to the ledger; it is tried again'
      if (differs || (failures & (failures - 1)) === 0) log.error({ err: error, mirror: target.name, failures }, words)
      return Math.min(LAST_PAUSE_MS, everyMs * 2 ** Math.min(failures - 1, 16))
    }
  }

  const stopListening = ledger.onCheckpoint(() => {
    grew = true
    // After a failure the pauses grow, whatever is appended.
    if (failures === 0) schedule(everyMs)
  })
  // At once: what the mirror holds is a checkpoint outside that a rolled-back store can't have changed.
  schedule(0)
  return {
    warnings() {
      if (differs) return ['the mirror contradicts this ledger']
      return failures > 1 ? ['the mirror is not brought up to the ledger'] : []
    },
    async close() {
      stop.abort()
      stopListening()
      clearTimeout(timer)
      await running
    },
  }
}
