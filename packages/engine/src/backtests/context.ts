/** What the parts of the room share. */
import type { Clock, Logger, Store } from '@ephor/engine/kernel'
import type { Ledger } from '@ephor/engine/ledger'
import type { Policy } from '@ephor/engine/policy'
import type { Runs } from './store.ts'

export type BacktestsOptions = {
  store: Store
  ledger: Ledger
  policy: Pick<Policy, 'active' | 'bundle' | 'versions' | 'world' | 'worldNow'>
  clock: Clock
  log: Logger
  /** ms between two checks for drift; 0: only when somebody asks for one. */
  driftEveryMs: number
}

export type Context = BacktestsOptions & { runs: Runs }
