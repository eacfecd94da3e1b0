/** Decides what a tool server asks of the agent's client in the middle of a call: the server is the principal, and default deny holds. */
import type { FaultCode } from '@ephor/contract'
import type { Json, JsonObject } from '@ephor/engine/kernel'
import type { Decision } from '@ephor/engine/policy'
import type { Context } from './context.ts'
import { digestOf, digestSession } from './digest.ts'
import { appendOutcome, riskBody } from './seal.ts'
import { insertDecision } from './store.ts'
import type { StoredDecision } from './store.ts'
import type { OutcomeStatus, ServerRequest } from './types.ts'
import { toVerdict } from './verdict.ts'
import type { Verdict } from './verdict.ts'

/** A server's request, decided. When permitted, `seal` records how it ended. */
export type JudgedServerRequest =
  | { permitted: true; decision: string; seal(status: OutcomeStatus, result?: Json): Promise<void> }
  | { permitted: false; decision: string; fault: FaultCode; detail: string }

function toSealable(decision: Decision): Exclude<Verdict, { effect: 'hold' }> {
  if (decision.effect !== 'hold') return toVerdict(decision) as Exclude<Verdict, { effect: 'hold' }>
  // The client waits on an open call; there is nobody who could come back later with a handle.
  const detail = 'policy asks for an approval, which a server’s request can’t wait for'
  return {
    effect: 'deny',
    fault: 'APPROVAL_REQUIRED',
    detail,
    reasons: decision.reasons,
    policy: decision.version,
    world: decision.world,
    risk: decision.risk,
    approval: undefined,
  }
}

function toRow(context: Context, request: ServerRequest, verdict: Exclude<Verdict, { effect: 'hold' }>): StoredDecision {
  const { server, method, agent, session, params } = request
  const at = context.clock.now()
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
    deadline: permitted ? at + context.settings.timeoutMs : undefined,
    outcome: undefined,
    outcomeAt: undefined,
  }
}

export async function judgeServerRequest(context: Context, request: ServerRequest): Promise<JudgedServerRequest> {
  const { server, method, agent, params } = request
  const decision = await context.policy.decide({
    principal: { type: 'ToolServer', id: server },
    action: method,
    server,
    input: params,
    facts: { door: 'mcp', now: context.clock.now(), approvals: [] },
  })
  const verdict = toSealable(decision)
  const row = toRow(context, request, verdict)
  const body: JsonObject = {
    effect: row.effect,
    door: row.door,
    principal: { type: 'tool-server', id: server },
    session: row.session,
    method,
    server,
    agent,
    digest: row.digest,
    reasons: row.reasons.map(({ policy }) => policy),
    ...(row.policy === undefined ? {} : { policy: row.policy }),
    ...(verdict.world === undefined ? {} : { world: verdict.world }),
    ...(row.riskScore === undefined ? {} : { risk: riskBody(row) ?? null }),
    ...(row.fault === undefined ? {} : { fault: row.fault }),
  }
  await context.ledger.append({
    changes: [insertDecision(row)],
    entries: [
      { type: 'decision', id: row.id, body, payloads: [{ name: 'input', subject: agent, value: { server, name: method, input: params } }] },
    ],
  })
  context.tell('decision', row)
  if (verdict.effect !== 'permit') return { permitted: false, decision: row.id, fault: verdict.fault, detail: verdict.detail }
  return {
    permitted: true,
    decision: row.id,
    async seal(status, value) {
      await appendOutcome(context, row, { status, value, by: 'broker' })
    },
  }
}
