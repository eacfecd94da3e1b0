/** The enforcement point: asks Ephor before an action, waits for people, runs it, and reports what came of it. */
import { callsOperations, Fault, identityOperations, ledgerOperations } from '@ephor/contract'
import type { FaultCode, OperationResponse } from '@ephor/contract'
import { parseVerifierKey, verifyReceipt } from '@ephor/proof'
import type { Checkpoint } from '@ephor/proof'
import { agentKeyBearer } from './agent-key.ts'
import type { AgentKey } from './agent-key.ts'
import { makeClient } from './client.ts'
import type { Client, ClientOptions } from './client.ts'
import { findUnkept } from './find-unkept.ts'
import type { Keeps, Obligation } from './find-unkept.ts'
import { reportOutcome } from './report-outcome.ts'
import { verifyWarrant } from './verify-warrant.ts'

const operations = { ...callsOperations, ...identityOperations, ...ledgerOperations }
type CallAnswer = OperationResponse<typeof callsOperations.askCall>
type Permit = Extract<CallAnswer, { kind: 'permitted' }>
type Receipt = Permit['receipt']
type Reason = Permit['reasons'][number]

export type EphorOptions = {
  /** As Ephor prints it: `http://127.0.0.1:7373`. */
  url: string
  /** A local credential (`eph_…`), or the agent's own key. */
  credential: string | AgentKey
  /** The ledger's verifier key as you got it from a source you trust; what Ephor itself says, once, unless given. */
  verifierKey?: string
  /** What this program itself does for a permit that demands it; a permit that demands anything else is not run. */
  keeps?: Keeps
  /** How long `call` waits for a person, in ms; until the approval expires unless said. */
  approvalWaitMs?: number
  fetch?: typeof globalThis.fetch
}

export type CallRequest = {
  /** `server/tool` as the registry has it. */
  tool: string
  input: Record<string, unknown>
  session?: string
  onBehalfOf?: string
  /** Decisions whose results led to this call. */
  parents?: readonly string[]
  signal?: AbortSignal
  /** Told once when the call is held for a person. */
  onHeld?: (approval: { id: string; expiresAt: string }, reasons: readonly Reason[]) => void
}

/** What `run` may know of the permit. It must stop when `signal` fires. */
export type RunPermit = {
  decision: string
  warrant: string
  deadline: Date
  /** What the permit is tied to: of `redact` and `sandbox` only what the options say that this program keeps. */
  obligations: readonly Obligation[]
  signal: AbortSignal
  /**
   * Says how many tokens of a language model the action used, once for each use: the sum is reported with the outcome,
   * however the action ends.
   * @throws Fault REQUEST_INVALID for what is no count.
   */
  usedTokens: (count: number) => void
}

export type CallResult<T> =
  | { kind: 'done'; decision: string; value: T; receipt: Receipt; outcomeReceipt: Receipt }
  | { kind: 'refused'; decision: string; fault: FaultCode; detail: string; reasons: readonly Reason[]; receipt: Receipt }
  /** Nobody decided in time: ask again with `approval` later, by the same call. */
  | { kind: 'held'; decision: string; approval: { id: string; expiresAt: string }; reasons: readonly Reason[]; receipt: Receipt }

/** Throw it from `run` when nobody can say whether the action happened. */
export class OutcomeUnknown extends Error {}

export type Ephor = {
  /**
   * Runs the action if Ephor permits it. What `run` throws is reported (`failed`, or `unknown` for OutcomeUnknown and
   * after the signal fired) and thrown again.
   * @throws Fault OBLIGATION_UNMET, OBLIGATION_UNKNOWN where the permit demands what this program does not keep; and for
   *   everything that is neither a permit, a hold nor a refusal: SERVER_UNREACHABLE, UNAUTHENTICATED, …
   */
  call<T>(request: CallRequest, run: (permit: RunPermit) => Promise<T>): Promise<CallResult<T>>
  /**
   * Checks that the ledger kept the promise of a receipt: the entry is in the tree that a signed checkpoint covers.
   * @returns that checkpoint, to keep
   * @throws ProofError when it is not, or the proof is not of this ledger.
   */
  verifyReceipt(receipt: Receipt): Promise<Checkpoint>
  readonly client: Client<typeof operations>
}

/** Asks; a lost answer is asked for again under the same key, so that it is the same decision. */
async function ask(client: Client<typeof operations>, request: CallRequest, approval: string | undefined): Promise<CallAnswer> {
  const { tool, input, session, onBehalfOf, parents, signal } = request
  const body = {
    tool,
    input: input as Record<string, never>,
    ...(session === undefined ? {} : { session }),
    ...(onBehalfOf === undefined ? {} : { onBehalfOf }),
    ...(parents === undefined ? {} : { parents: [...parents] }),
    ...(approval === undefined ? {} : { approval }),
  }
  const idempotencyKey = crypto.randomUUID()
  for (let attempt = 1; ; attempt++) {
    try {
      return await client.askCall({ body, idempotencyKey, ...(signal === undefined ? {} : { signal }) })
    } catch (error) {
      if (attempt === 3 || !(error instanceof Fault) || error.code !== 'SERVER_UNREACHABLE') throw error
      await new Promise((resolve) => setTimeout(resolve, 200 * attempt))
    }
  }
}

async function askUntilDecided(client: Client<typeof operations>, request: CallRequest, waitMs: number): Promise<CallAnswer> {
  const until = Date.now() + waitMs
  let answer = await ask(client, request, undefined)
  if (answer.kind === 'held') request.onHeld?.(answer.approval, answer.reasons)
  while (answer.kind === 'held' && Date.now() < Math.min(until, Date.parse(answer.approval.expiresAt))) {
    const asked = Date.now()
    answer = await ask(client, request, answer.approval.id)
    // Ephor itself waits for the decision; where it is set not to, don't hammer it.
    if (answer.kind === 'held' && Date.now() - asked < 500) await new Promise((resolve) => setTimeout(resolve, 500))
  }
  return answer
}

/** Adds up what an action says that it used; undefined as long as it said nothing, which is not the same as 0. */
function makeTally() {
  let total: number | undefined
  return {
    total: () => total,
    add: (count: number): void => {
      const sum = (total ?? 0) + count
      // A count that Ephor would turn down must not cost the outcome its report.
      if (!Number.isSafeInteger(count) || count < 0 || !Number.isSafeInteger(sum))
        throw new Fault('REQUEST_INVALID', 'tokens are counted in whole numbers from 0', { where: 'usedTokens' })
      total = sum
    },
  }
}

/** When the action must be over: the strictest of the permit's time-outs and the deadline for the outcome. */
function timeLeft({ obligations, deadline }: Permit): number {
  const timeouts = obligations.flatMap((obligation) => (obligation.kind === 'timeout' ? [obligation.ms] : []))
  return Math.max(0, Math.min(Date.parse(deadline) - Date.now(), ...timeouts))
}

export function openEphor(options: EphorOptions): Ephor {
  const { url, credential, fetch } = options
  const bearer = typeof credential === 'string' ? () => credential : agentKeyBearer({ url, fetch }, credential)
  const clientOptions: ClientOptions = { url, bearer, fetch }
  const client = makeClient(operations, clientOptions)
  let keys: ReturnType<typeof client.showKeys> | undefined

  async function runPermitted<T>(request: CallRequest, permit: Permit, run: (permit: RunPermit) => Promise<T>): Promise<CallResult<T>> {
    const { decision, warrant, deadline, receipt, obligations } = permit
    const unkept = findUnkept(obligations, options.keeps)
    if (unkept !== undefined) {
      const fault = new Fault('OBLIGATION_UNMET', `${unkept}; nothing was run`)
      await reportOutcome(client, decision, deadline, { status: 'failed', result: { error: fault.message } })
      throw fault
    }
    keys ??= client.showKeys()
    const { decision: named } = await verifyWarrant(warrant, await keys, { tool: request.tool, input: request.input })
    if (named !== decision) throw new Fault('WARRANT_INVALID', 'the warrant is for another decision')
    const timeout = AbortSignal.timeout(timeLeft(permit))
    const signal = request.signal ? AbortSignal.any([request.signal, timeout]) : timeout
    const tally = makeTally()
    let value: T
    try {
      value = await run({ decision, warrant, deadline: new Date(deadline), obligations, signal, usedTokens: tally.add })
    } catch (error) {
      const status = error instanceof OutcomeUnknown || signal.aborted ? 'unknown' : 'failed'
      const result = { error: error instanceof Error ? error.message : String(error) }
      await reportOutcome(client, decision, deadline, { status, result, tokens: tally.total() })
      throw error
    }
    const outcome = await reportOutcome(client, decision, deadline, { status: 'succeeded', result: value, tokens: tally.total() })
    return { kind: 'done', decision, value, receipt, outcomeReceipt: outcome }
  }

  let verifierKey = options.verifierKey
  return {
    client,
    async verifyReceipt(receipt) {
      verifierKey ??= (await client.getLedgerHead()).verifierKey
      const { proof } = await client.getLedgerProof({ params: { seq: receipt.seq } })
      return verifyReceipt(receipt, proof, parseVerifierKey(verifierKey))
    },
    async call(request, run) {
      const answer = await askUntilDecided(client, request, options.approvalWaitMs ?? Infinity)
      if (answer.kind === 'permitted') return runPermitted(request, answer, run)
      const { kind, decision, reasons, receipt } = answer
      if (kind === 'held') return { kind, decision, approval: answer.approval, reasons, receipt }
      return { kind, decision, fault: answer.fault as FaultCode, detail: answer.detail, reasons, receipt }
    },
  }
}
