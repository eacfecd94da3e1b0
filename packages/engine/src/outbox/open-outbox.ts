/** Opens the room: a deliverer for each sink that the settings name, their status, and replays. */
import { randomUUID } from 'node:crypto'
import { Fault } from '@ephor/contract'
import type { Clock, Logger, Store } from '@ephor/engine/kernel'
import type { Ledger } from '@ephor/engine/ledger'
import { startDeliverer, TIMING } from './deliver.ts'
import type { Timing } from './deliver.ts'
import { natsSink } from './nats-sink.ts'
import { addSink, placeSink, readSink, readSinks } from './store.ts'
import type { SinkRow } from './store.ts'
import type { Outbox, Sink, SinkOptions, SinkStatus } from './types.ts'
import { webhookSink } from './webhook-sink.ts'

export type OutboxOptions = {
  store: Store
  ledger: Ledger
  clock: Clock
  log: Logger
  sinks: readonly SinkOptions[]
  /** The value of a reference to a secret; read anew for each connection. */
  reveal: (reference: string) => string
  /** This replica's name; a fresh one unless given. */
  replica?: string
  timing?: Timing
}

/** A sink may be behind by this many entries before somebody should look, while it takes what it is sent. */
const LAG_WORTH_A_WARNING = 10_000
const ATTEMPTS = 5

function makeSink({ name, nats, webhook }: SinkOptions, { reveal, clock }: OutboxOptions): Sink {
  if (nats) return natsSink(nats, reveal)
  if (webhook) return webhookSink(webhook, reveal, clock)
  throw new Fault('SETTINGS_INVALID', `the sink ${name} says neither nats nor webhook`)
}

function statusOf(row: SinkRow, size: number, isSet: boolean): SinkStatus {
  return {
    name: row.name,
    state: isSet ? (row.state as 'on' | 'off') : 'unset',
    position: row.next_seq,
    lag: Math.max(0, size - row.next_seq),
    failures: row.failures,
    ...(row.holder !== null && { holder: row.holder }),
    ...(row.delivered_at !== null && { deliveredAt: row.delivered_at }),
    ...(row.failed_at !== null && { failedAt: row.failed_at }),
    ...(row.error !== null && { error: row.error }),
  }
}

function warningOf({ name, state, lag, failures }: SinkStatus): string[] {
  if (state === 'off') return [`the sink ${name} is switched off: its receiver said that it is gone`]
  if (state === 'unset') return []
  if (failures > 0) return [`the sink ${name} does not take entries`]
  return lag > LAG_WORTH_A_WARNING ? [`the sink ${name} is far behind the ledger`] : []
}

/** @throws Fault SETTINGS_INVALID */
export function openOutbox(options: OutboxOptions): Outbox {
  const { store, ledger, clock, log } = options
  const context = { store, ledger, clock, log, holder: options.replica ?? randomUUID(), timing: options.timing ?? TIMING }
  const names = new Set(options.sinks.map(({ name }) => name))
  if (names.size < options.sinks.length) throw new Fault('SETTINGS_INVALID', 'two sinks of the outbox have the same name')
  const made = options.sinks.map((sink) => [sink, makeSink(sink, options)] as const)
  const deliverers = made.map(([sink, sender]) => startDeliverer(context, sink, sender))
  const wake = () => {
    for (const deliverer of deliverers) deliverer.wake()
  }
  const stopListening = store.onForeign(wake)

  async function sinks(): Promise<SinkStatus[]> {
    const rows = await readSinks(store)
    if (rows.length === 0) return []
    const { size } = await ledger.head()
    return rows.map((row) => statusOf(row, size, names.has(row.name)))
  }

  async function held(name: string): Promise<SinkRow> {
    const row = await readSink(store, name)
    if (!row) throw new Fault('NOT_FOUND', `the outbox has no sink ${name}`)
    return row
  }

  /** A replica may take the sink over in between: then what it took is placed. */
  async function place(name: string, from: number | undefined, by: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const row = await held(name)
      const position = from ?? row.next_seq
      const body = { sink: name, from: position, earlier: row.next_seq, by }
      try {
        await ledger.append({ changes: [placeSink(row, position)], entries: [{ type: 'outbox.replayed', body }] })
        return
      } catch (error) {
        if (!(error instanceof Fault) || error.code !== 'CONFLICT' || attempt === ATTEMPTS) throw error
      }
    }
  }

  return {
    sinks,
    wake,
    async replay(name, from, by) {
      const { size } = await ledger.head()
      if (from !== undefined && from > size)
        throw new Fault('REQUEST_INVALID', `the ledger ends before entry ${from}`, { where: 'body/from' })
      if (names.has(name)) await store.commit({ changes: [addSink(name, size)] })
      await place(name, from, by)
      wake()
      return statusOf(await held(name), size + 1, names.has(name))
    },
    warnings: async () => (names.size === 0 ? [] : (await sinks()).flatMap(warningOf)),
    async close() {
      stopListening()
      await Promise.all(deliverers.map((deliverer) => deliverer.close()))
    },
  }
}
