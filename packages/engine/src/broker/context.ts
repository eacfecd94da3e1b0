/** What the pipeline works with: the rooms below, its settings, the rate limits, and one question on its way through. */
import type { AgentPrincipal } from '@ephor/contract'
import type { Approvals } from '@ephor/engine/approvals'
import type { Budgets } from '@ephor/engine/budgets'
import type { Redactor } from '@ephor/engine/guards'
import type { Identity } from '@ephor/engine/identity'
import type { Clock, Logger, Store } from '@ephor/engine/kernel'
import type { Ledger, Witnesses } from '@ephor/engine/ledger'
import type { Policy } from '@ephor/engine/policy'
import type { Registry } from '@ephor/engine/registry'
import type { DelayedWrites } from './delayed-writes.ts'
import type { Limits } from './limits.ts'
import type { Novelty } from './novelty.ts'
import type { Sessions } from './sessions.ts'
import type { Decisions } from './store.ts'
import type { Call, DecisionRow } from './types.ts'

export type BrokerSettings = {
  /** How long a call may run, in ms, unless an obligation says less. */
  timeoutMs: number
  /** How long an enforcement point has to report the outcome of a permit, in ms. */
  outcomeDeadlineMs: number
  /** How long an approval stays open, in ms, unless the policy says less. */
  approvalTtlMs: number
  /** How long a retry waits for the decision of a person, in ms. */
  approvalWaitMs: number
}

export type BrokerRooms = {
  store: Store
  ledger: Ledger
  /** Who cosigns the ledger; nobody when absent. */
  witnesses?: Witnesses
  identity: Identity
  registry: Registry
  policy: Policy
  approvals: Approvals
  budgets: Budgets
  clock: Clock
  log: Logger
  settings: BrokerSettings
}

/** The rooms, the rate limits, the projection of decisions, and whom to tell. */
export type Context = BrokerRooms & {
  limits: Limits
  novelty: Novelty
  sessions: Sessions
  decisions: Decisions
  redactor: Redactor
  delayed: DelayedWrites
  tell(kind: 'decision' | 'outcome', row: DecisionRow): void
}

/** One question on its way through: the id of its decision, when it came, who asks, and for what. */
export type Asking = { id: string; at: number; who: AgentPrincipal; call: Call }
