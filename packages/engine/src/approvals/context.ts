/** What the parts of the room share. */
import type { Clock, Logger, Store } from '@ephor/engine/kernel'
import type { Ledger } from '@ephor/engine/ledger'
import type { InGroup } from './rules.ts'
import type { Waiting } from './waiting.ts'

export type ApprovalsOptions = {
  store: Store
  ledger: Ledger
  clock: Clock
  log: Logger
  /** Whether a person is in a group that a policy asks; identity knows. */
  inGroup: InGroup
}

export type Context = ApprovalsOptions & { waiting: Waiting }
