/** The timestamps of checkpoints: kept once they were verified, never changed. */
import type { Change, Store } from '@ephor/engine/kernel'

/** `at`: what the authority says, ms since 1970. `note`: what was stamped. `token`: DER of the TimeStampResp. */
export type TimestampRow = { size: number; at: number; note: string; token: Uint8Array }
type Tables = { ledger_timestamp: TimestampRow & { tenant: string } }

const rows = (store: Store) => store.reader<Tables>().selectFrom('ledger_timestamp').where('tenant', '=', store.tenant)

/** The first for a size stays. */
export function addTimestamp({ size, at, note, token }: TimestampRow): Change {
  return {
    sql: `INSERT INTO ledger_timestamp (tenant, size, at, note, token) VALUES (@tenant, ?, ?, ?, ?) ON CONFLICT (tenant, size) DO NOTHING`,
    params: [size, at, note, token],
  }
}

export const readTimestamp = (store: Store, size: number): Promise<TimestampRow | undefined> =>
  rows(store).select(['size', 'at', 'note', 'token']).where('size', '=', size).executeTakeFirst()

export const lastTimestamp = (store: Store): Promise<{ size: number; at: number } | undefined> =>
  rows(store).select(['size', 'at']).orderBy('size', 'desc').limit(1).executeTakeFirst()

/**
 * The first over at least `end` entries: the earliest word that all of them were there. If there is none yet, the last that is
 * over some from `first` on.
 * @param size of the log: later ones are not of it
 */
export async function stampOver(
  store: Store,
  { first, end, size }: { first: number; end: number; size: number },
): Promise<TimestampRow | undefined> {
  const stamps = rows(store).select(['size', 'at', 'note', 'token']).where('size', '<=', size)
  const whole = await stamps.where('size', '>=', end).orderBy('size').limit(1).executeTakeFirst()
  return whole ?? (await stamps.where('size', '>', first).orderBy('size', 'desc').limit(1).executeTakeFirst())
}

/** In order of size. `after`: the size before the first wanted. */
export const listTimestamps = (store: Store, after: number, limit: number): Promise<{ size: number; at: number }[]> =>
  rows(store).select(['size', 'at']).where('size', '>', after).orderBy('size').limit(limit).execute()
