/** The shapes at the broker's door: a call that somebody asks for, and every way it can end. */
import type { FaultCode } from '@ephor/contract'
import type { Spend } from '@ephor/engine/budgets'
import type { JsonObject, Json } from '@ephor/engine/kernel'
import type { Receipt } from '@ephor/engine/ledger'
import type { Obligation, Reason, RiskScore } from '@ephor/engine/policy'

/**
 * Where a call came in. `mcp`: the gateway runs it; `api`: the caller is an enforcement point and runs it itself; `authzen`,
 * `envoy`: an enforcement point asks about an application of its own and reports nothing.
 */
export type Door = 'mcp' | 'api' | 'authzen' | 'envoy'

/** Methods that do something, and so are decided one by one. */
export type CallMethod = 'tools/call' | 'resources/read' | 'resources/subscribe' | 'prompts/get' | 'completion/complete'

/** What is asked for. The agent controls every field but those that the door filled from the credential and its own state. */
export type Call = {
  door: Door
  /** The presented credential, as it came. Identity comes from it and from nothing else. */
  bearer: string
  method: CallMethod
  /** The registry's name of the tool server. */
  server: string
  /** The tool or prompt as the server names it, or the URI of the resource. */
  name: string
  input: JsonObject
  /** What shares labels, budgets and a plan; the door fills it in. */
  session: string
  /** A person that the agent says it acts for. Unproven: it can only narrow who may approve. */
  onBehalfOf?: string
  /** Decisions whose results went into this call, as the caller says; at most 16. */
  parents?: readonly string[]
  /** The same key with the same call is answered with the same decision. */
  idempotencyKey?: string
  /** The handle of an approval: `apr_…`. */
  approval?: string
  /** W3C traceparent. */
  trace?: string
  signal: AbortSignal
}

/** The tool server's answer. `isError`: it says itself that it failed. */
export type RunResult = { isError: boolean; value: Json }

/**
 * Does the action. It must stop when the signal fires; a Fault that it throws becomes the outcome. Under `redact` nothing
 * of the tool server may reach the agent but the result, which is examined.
 */
export type Run = (permit: Pick<Permitted, 'decision' | 'timeoutMs' | 'obligations'>, signal: AbortSignal) => Promise<RunResult>

/** What the holder of a held call is told. */
export type HeldApproval = { id: string; /** ms since 1970 */ expiresAt: number }

type Sealed = { decision: string; receipt: Receipt; reasons: readonly Reason[] }

export type Held = Sealed & { kind: 'held'; approval: HeldApproval }
export type Refused = Sealed & { kind: 'refused'; fault: FaultCode; detail: string }
export type Permitted = Sealed & {
  kind: 'permitted'
  obligations: readonly Obligation[]
  timeoutMs: number
  deadline: number
  row: DecisionRow
}

/** The answer to a question: durable in the ledger before anyone sees it. */
export type Asked = Permitted | Held | Refused

/** How an action ended. `unknown`: it may or may not have happened. */
export type OutcomeStatus = 'succeeded' | 'failed' | 'unknown'

export type Done = Sealed & { kind: 'done'; outcomeReceipt: Receipt; isError: boolean; value: Json }
export type Broken = Sealed & { kind: 'failed' | 'unknown'; outcomeReceipt: Receipt | undefined; fault: FaultCode; detail: string }

/** The end of a performed call. */
export type Performed = Done | Broken | Held | Refused

/** A tool server asks something of the agent's client in the middle of a call. */
export type ServerRequest = {
  server: string
  method: 'sampling/createMessage' | 'elicitation/create' | 'roots/list'
  /** The agent whose call the server works on, `agt_…`, and its session. */
  agent: string
  session: string
  params: JsonObject
}

/** A decision as lists and events show it. */
export type DecisionRow = {
  id: string
  at: number
  door: Door
  agent: string
  session: string
  method: string
  server: string
  /** The pinned tool; absent where the call named nothing that the registry knows. */
  tool: string | undefined
  kind: string | undefined
  risk: string | undefined
  effect: 'permit' | 'hold' | 'deny'
  fault: FaultCode | undefined
  /** The refusal in words, for the agent and for people. */
  detail: string | undefined
  reasons: readonly Reason[]
  obligations: readonly Obligation[]
  approval: string | undefined
  policy: string | undefined
  digest: string
  /** With the arithmetic; absent where the call was refused before any policy was asked. */
  riskScore: RiskScore | undefined
  /** What a permit took of budgets. */
  spends: readonly Spend[]
  outcome: OutcomeStatus | undefined
  outcomeAt: number | undefined
}

export type BrokerEvent = { kind: 'decision' | 'outcome'; decision: DecisionRow }
