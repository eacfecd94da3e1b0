/** Puts the broker together from the rooms below it. */
import type { AgentPrincipal, FaultCode, Principal } from '@ephor/contract'
import type { Approvals } from '@ephor/engine/approvals'
import type { Identity } from '@ephor/engine/identity'
import type { Clock, Json, Logger, Store } from '@ephor/engine/kernel'
import type { Ledger } from '@ephor/engine/ledger'
import type { Policy } from '@ephor/engine/policy'
import type { Registry, Tool } from '@ephor/engine/registry'
import type { Asked, BrokerEvent, Call, DecisionRow, OutcomeStatus, Performed, Run, ServerRequest } from './types.ts'

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
  identity: Identity
  registry: Registry
  policy: Policy
  approvals: Approvals
  clock: Clock
  log: Logger
  settings: BrokerSettings
}

/** A server's request to the client, decided. When permitted, `seal` records how it ended. */
export type JudgedServerRequest =
  | { permitted: true; decision: string; seal(status: OutcomeStatus, result?: Json): Promise<void> }
  | { permitted: false; decision: string; fault: FaultCode; detail: string }

export interface Broker {
  /**
   * Decides the call, runs it if permitted and seals what came of it.
   * @throws Fault UNAUTHENTICATED and its kin before anyone is known; STORE_UNAVAILABLE when nothing can be recorded;
   *   SHUTTING_DOWN.
   */
  perform(call: Call, run: Run): Promise<Performed>
  /** Decides only: for enforcement points that run the action themselves and then `report`. */
  ask(call: Call): Promise<Asked & { warrant?: string }>
  /** Seals the outcome that an enforcement point reports. @throws Fault NOT_FOUND, OUTCOME_DECIDED, OUTCOME_LATE. */
  report(principal: AgentPrincipal, decision: string, outcome: { status: OutcomeStatus; result?: Json }): Promise<DecisionRow>
  judgeServerRequest(request: ServerRequest): Promise<JudgedServerRequest>
  /** The tools of accepted servers that this agent could ever be permitted to call. */
  visible(principal: AgentPrincipal): { server: string; tools: Tool[] }[]
  /** Newest first. `cursor`: the id where the last page ended. */
  list(query: { cursor?: string; limit: number; agent?: string; effect?: DecisionRow['effect']; server?: string }): Promise<DecisionRow[]>
  show(decision: string, reader: Principal): Promise<DecisionRow | undefined>
  on(listener: (event: BrokerEvent) => void): () => void
  /** Seals permits without an outcome as unknown: at start, and past their deadline. Returns how many. */
  recover(): Promise<number>
  /** Takes no new calls and resolves when those in flight have been sealed, or after `ms`. */
  drain(ms: number): Promise<number>
  close(): void
}

export declare function createBroker(rooms: BrokerRooms): Broker
