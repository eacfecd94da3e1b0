/** A ledger with an outbox on a real store in a scratch folder, for the tests of this room. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadKeys, makeLog, systemClock } from '@ephor/engine/kernel'
import type { Store } from '@ephor/engine/kernel'
import { openTestStore } from '@ephor/engine/kernel/testing'
import { fileSigner, ledgerExtension, ledgerMigrations, openLedger } from '@ephor/engine/ledger'
import type { CloudEvent } from '@ephor/engine/ledger'
import { startDeliverer } from './deliver.ts'
import type { Timing } from './deliver.ts'
import { openOutbox } from './open-outbox.ts'
import type { OutboxOptions } from './open-outbox.ts'
import { outboxMigrations } from './store.ts'
import type { Sink, SinkOptions } from './types.ts'

export const ORIGIN = 'ledger.test/outbox'
export const FAST: Timing = { leaseMs: 3000, firstPauseMs: 20, lastPauseMs: 200 }

export const scratch = (): string => mkdtempSync(join(tmpdir(), 'ephor-outbox-'))

export type World = Awaited<ReturnType<typeof openWorld>>

export async function openWorld(folder = scratch()) {
  const keys = loadKeys(join(folder, 'keys'))
  const outside = join(folder, 'checkpoint')
  const extension = ledgerExtension({ outside })
  const store = await openTestStore({ folder, migrations: [ledgerMigrations, outboxMigrations], extension })
  const base = { store, clock: systemClock, log: makeLog('silent') }
  const ledger = await openLedger({ ...base, keys, signer: fileSigner(keys.ledger), origin: ORIGIN, outside })
  const wakers = new Set<() => void>()
  const closers: (() => Promise<void>)[] = []
  const world = {
    ...base,
    folder,
    ledger,
    /** Appends an entry a type, and wakes whoever delivers. */
    append: async (...types: string[]): Promise<void> => {
      await ledger.append({ changes: [], entries: types.map((type) => ({ type, body: {} })) })
      for (const wake of wakers) wake()
    },
    outbox: (sinks: readonly SinkOptions[], more: Partial<OutboxOptions> = {}) => {
      const outbox = openOutbox({ ...base, ledger, sinks, reveal: (text) => text, timing: FAST, ...more })
      wakers.add(() => outbox.wake())
      closers.push(() => outbox.close())
      return outbox
    },
    /** One replica's deliverer to a sink that the test plays. */
    deliverer: (
      sink: Sink,
      { name = 'sink', holder = 'a', shared = false, timing = FAST, types = [] as string[], from = 'start' as const } = {},
    ) => {
      // A store that several replicas share honours their leases; the embedded one has a single process.
      const leased = Object.create(store, { kind: { value: 'postgres' } }) as Store
      const context = { ...base, store: shared ? leased : store, ledger, holder, timing }
      const deliverer = startDeliverer(context, { name, types, from }, sink)
      wakers.add(() => deliverer.wake())
      closers.push(() => deliverer.close())
      return deliverer
    },
    close: async (): Promise<void> => {
      for (const close of closers.splice(0)) await close()
      await ledger.close()
      await store.close()
    },
  }
  return world
}

/** A sink in memory. `then` runs for each event before it counts as taken. */
export function memorySink(then: (event: CloudEvent, signal: AbortSignal) => Promise<void> | void = () => {}) {
  const got: number[] = []
  const sink: Sink = {
    async send(event, signal) {
      await then(event, signal)
      got.push(event.data.seq)
    },
    close: () => Promise.resolve(),
  }
  return { sink, got }
}

/** Machines may be busy with other things. */
export const SOON = { timeout: 20_000 }

export const range = (count: number, from = 0): number[] => Array.from({ length: count }, (_, i) => from + i)
