/** Decides what a tool server asks of the agent's client in the middle of a call: the server is the principal, and default deny holds. */
import type { FaultCode } from '@ephor/contract'
import { isoTime } from '@ephor/engine/kernel'
import type { Json, JsonObject } from '@ephor/engine/kernel'
import { sealedFacts } from '@ephor/engine/policy'
import type { Decision, PolicyRequest } from '@ephor/engine/policy'
import type { Context } from './context.ts'
import { digestOf, digestSession } from './digest.ts'
import { describeUsedUp } from './limits.ts'
import { timeoutOf, unmet } from './obligations.ts'
import { appendOutcome, riskBody } from './seal.ts'
import { insertDecision } from './store.ts'
import type { StoredDecision } from './store.ts'
import type { OutcomeStatus, ServerRequest } from './types.ts'
import { toVerdict } from './verdict.ts'
import type { Verdict } from './verdict.ts'

/** A server's request, decided. When permitted, `seal` records how it ended. */
export type JudgedServerRequest =
  /** `timeoutMs`: how long the client may take. */
  | { permitted: true; decision: string; timeoutMs: number; seal(status: OutcomeStatus, result?: Json): Promise<void> }
  | { permitted: false; decision: string; fault: FaultCode; detail: string }

type Sealable = Exclude<Verdict, { effect: 'hold' }>

function toSealable(context: Context, question: PolicyRequest, decision: Decision, agent: string): Sealable {
  const at = question.facts.now
  const { reasons, version: policy, world, risk } = decision
  const deny = (fault: FaultCode, detail: string): Sealable => {
    return { effect: 'deny', fault, detail, reasons, policy, world, risk, approval: undefined }
  }
  const forked = context.ledger.forked()
  if (forked) return deny('LEDGER_FORKED', forked.detail)
  // The client waits on an open call; there is nobody who could come back later with a handle.
  if (decision.effect === 'hold') return deny('APPROVAL_REQUIRED', 'policy asks for an approval, which a server’s request can’t wait for')
  if (decision.effect === 'deny') return toVerdict(decision, question) as Sealable
  const { obligations } = decision
  const missing = obligations.some(({ kind }) => kind === 'redact')
    ? 'what a client answers to a server is not redacted, so a permit that demands it is none'
    : obligations.some(({ kind }) => kind === 'witnessed')
      ? 'a server’s request does not wait for witnesses, so a permit that demands them is none'
      : unmet('mcp', obligations)
  if (missing !== undefined) return deny('OBLIGATION_UNMET', missing)
  const over = context.limits.reserve(agent, obligations, at)
  return over ? deny('OBLIGATION_UNMET', describeUsedUp(over, at)) : (toVerdict(decision, question) as Sealable)
}

function toRow(context: Context, request: ServerRequest, verdict: Sealable, at: number): StoredDecision {
  const { server, method, agent, session, params } = request
  const permitted = verdict.effect === 'permit'
  return {
    id: context.clock.id('dec'),
    at,
    door: 'mcp' as const,
    agent,
    method,
    server,
    session: digestSession(agent, session),
    tool: undefined,
    kind: undefined,
    risk: undefined,
    effect: permitted ? ('permit' as const) : ('deny' as const),
    fault: permitted ? undefined : verdict.fault,
    detail: permitted ? undefined : verdict.detail,
    reasons: verdict.reasons,
    obligations: permitted ? verdict.obligations : [],
    approval: undefined,
    policy: verdict.policy,
    digest: digestOf({ agent, method, params, policy: verdict.policy ?? null, server }),
    riskScore: verdict.risk,
    spends: [],
    idempotency: undefined,
    deadline: permitted ? at + timeoutOf(verdict.obligations, context.settings.timeoutMs) : undefined,
    outcome: undefined,
    outcomeAt: undefined,
  }
}

export async function judgeServerRequest(context: Context, request: ServerRequest): Promise<JudgedServerRequest> {
  const { server, method, agent, params } = request
  const at = context.clock.now()
  const question: PolicyRequest = {
    principal: { type: 'ToolServer', id: server },
    action: method,
    server,
    input: params,
    facts: { door: 'mcp', now: at, approvals: [] },
  }
  const decision = await context.policy.decide(question)
  const verdict = toSealable(context, question, decision, agent)
  const row = toRow(context, request, verdict, at)
  const { change, texts } = insertDecision(row)
  const body: JsonObject = {
    effect: row.effect,
    door: row.door,
    principal: { type: 'tool-server', id: server },
    session: row.session,
    method,
    server,
    agent,
    digest: row.digest,
    texts,
    reasons: row.reasons.map(({ policy }) => policy),
    ...(row.policy === undefined ? {} : { policy: row.policy }),
    ...(verdict.world === undefined ? {} : { world: verdict.world }),
    ...(row.riskScore === undefined ? {} : { risk: riskBody(row) ?? null }),
    ...(row.fault === undefined ? {} : { fault: row.fault }),
    ...(row.deadline === undefined ? {} : { deadline: isoTime(row.deadline) }),
    ...(decision.effect === row.effect ? {} : { said: decision.effect }),
  }
  const payloads = [
    { name: 'input', subject: agent, value: { server, name: method, input: params } },
    { name: 'facts', subject: agent, value: sealedFacts(question, decision) },
  ]
  try {
    await context.ledger.append({ changes: [change], entries: [{ type: 'decision', id: row.id, body, payloads }] })
  } catch (error) {
    context.limits.release(agent, row.obligations, at)
    throw error
  }
  context.tell('decision', row)
  if (verdict.effect !== 'permit') return { permitted: false, decision: row.id, fault: verdict.fault, detail: verdict.detail }
  return {
    permitted: true,
    decision: row.id,
    timeoutMs: timeoutOf(row.obligations, context.settings.timeoutMs),
    async seal(status, value) {
      await appendOutcome(context, row, { status, value, by: 'broker' })
    },
  }
}
