/** The position of each sink and the lease of its deliverer: every change is fenced by the epoch of the lease. */
import type { Change, Migrations, Store } from '@ephor/engine/kernel'

export const outboxMigrations: Migrations = { room: 'outbox', folder: new URL('./migrations/', import.meta.url) }

export type SinkRow = {
  name: string
  next_seq: number
  epoch: number
  holder: string | null
  lease_until: number
  state: string
  delivered_at: number | null
  failures: number
  failed_at: number | null
  error: string | null
}
type Tables = { outbox_sink: SinkRow & { tenant: string } }

/** A lease: who may move the position of this sink as long as nobody took over. */
export type Lease = { name: string; epoch: number }

const columns = ['name', 'next_seq', 'epoch', 'holder', 'lease_until', 'state', 'delivered_at', 'failures', 'failed_at', 'error'] as const
const rows = (store: Store) => store.reader<Tables>().selectFrom('outbox_sink').select(columns).where('tenant', '=', store.tenant)

export const readSink = (store: Store, name: string): Promise<SinkRow | undefined> =>
  rows(store).where('name', '=', name).executeTakeFirst()
export const readSinks = (store: Store): Promise<SinkRow[]> => rows(store).orderBy('name').execute()

/** A sink that is there already keeps its position. */
export function addSink(name: string, seq: number): Change {
  return {
    sql: `INSERT INTO outbox_sink (tenant, name, next_seq, epoch, lease_until, state, failures) VALUES (@tenant, ?, ?, 0, 0, 'on', 0)
      ON CONFLICT (tenant, name) DO NOTHING`,
    params: [name, seq],
  }
}

/** Takes over what was read: of two that read the same, one gets it. */
export function takeLease({ name, epoch, lease_until }: SinkRow, holder: string, until: number): Change {
  return {
    sql: `UPDATE outbox_sink SET epoch = epoch + 1, holder = ?, lease_until = ?
      WHERE tenant = @tenant AND name = ? AND epoch = ? AND lease_until = ? AND state = 'on'`,
    params: [holder, until, name, epoch, lease_until],
    rows: 1,
    fault: 'CONFLICT',
  }
}

/** Whoever lost the lease, or was paused beyond it, changes no row and gets CONFLICT. */
const fenced = (set: string, params: Change['params'], { name, epoch }: Lease): Change => ({
  sql: `UPDATE outbox_sink SET ${set} WHERE tenant = @tenant AND name = ? AND epoch = ?`,
  params: [...params, name, epoch],
  rows: 1,
  fault: 'CONFLICT',
})

export const renewLease = (lease: Lease, until: number): Change => fenced('lease_until = ?', [until], lease)

export const releaseLease = (lease: Lease): Change => fenced('lease_until = 0, holder = NULL', [], lease)

export const moveSink = (lease: Lease, seq: number, until: number, now: number): Change =>
  fenced('next_seq = ?, lease_until = ?, delivered_at = ?, failures = 0, error = NULL', [seq, until, now], lease)

export const failSink = (lease: Lease, error: string, until: number, now: number): Change =>
  fenced('failures = failures + 1, error = ?, failed_at = ?, lease_until = ?', [error, now, until], lease)

export const endSink = (lease: Lease, error: string, now: number): Change =>
  fenced(`state = 'off', holder = NULL, lease_until = 0, failures = failures + 1, error = ?, failed_at = ?`, [error, now], lease)

/** A person moves it: the epoch counts up, so that the deliverer at work can't move it back. */
export function placeSink({ name, epoch }: SinkRow, seq: number): Change {
  return {
    sql: `UPDATE outbox_sink SET next_seq = ?, epoch = epoch + 1, holder = NULL, lease_until = 0, state = 'on', failures = 0, error = NULL
      WHERE tenant = @tenant AND name = ? AND epoch = ?`,
    params: [seq, name, epoch],
    rows: 1,
    fault: 'CONFLICT',
  }
}
