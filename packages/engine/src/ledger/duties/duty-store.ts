/** Duties: who of several replicas does what only one should do, by a lease in the store. */
import { Fault } from '@ephor/contract'
import type { Store } from '@ephor/engine/kernel'

/**
 * Takes or prolongs a duty. It is only there to save work: whatever a late holder still does must be harmless.
 * @param ms how long it lasts unless it is prolonged
 * @returns false while another replica has it
 */
export async function claimDuty(
  store: Store,
  { name, holder, now, ms }: { name: string; holder: string; now: number; ms: number },
): Promise<boolean> {
  const claim = {
    sql: `INSERT INTO ledger_duty (tenant, name, holder, lease_until) VALUES (@tenant, ?, ?, ?)
      ON CONFLICT (tenant, name) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until
      WHERE ledger_duty.holder = excluded.holder OR ledger_duty.lease_until <= ?`,
    params: [name, holder, now + ms, now],
    rows: 1,
    fault: 'CONFLICT' as const,
  }
  try {
    await store.commit({ changes: [claim] })
    return true
  } catch (error) {
    if (error instanceof Fault && error.code === 'CONFLICT') return false
    throw error
  }
}
