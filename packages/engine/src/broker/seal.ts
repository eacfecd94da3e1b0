/** Makes decisions and outcomes durable: what the ledger's bodies say, and what is written with them in one unit. */
import { Fault } from '@ephor/contract'
import type { Approval } from '@ephor/engine/approvals'
import { isoTime } from '@ephor/engine/kernel'
import type { Json, JsonObject } from '@ephor/engine/kernel'
import type { EntryDraft, Receipt } from '@ephor/engine/ledger'
import { sealedFacts } from '@ephor/engine/policy'
import type { Asking, Context } from './context.ts'
import { digestSession } from './digest.ts'
import { kept, timeoutOf } from './obligations.ts'
import { digestCall } from './resolve.ts'
import type { Known, Resolved, Unresolved } from './resolve.ts'
import type { Ended } from './run-bounded.ts'
import { idempotencyOf, insertDecision, insertPermitted, setOutcome } from './store.ts'
import type { StoredDecision } from './store.ts'
import type { Asked, DecisionRow, OutcomeStatus, Performed, Permitted } from './types.ts'
import type { Verdict } from './verdict.ts'

/** How long after its own time-out a call that Ephor runs counts as lost, in ms. */
const LOST_AFTER_MS = 30_000

const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

/** Score, tier and terms: the words beside them stay in the row. */
export function riskBody({ riskScore }: Pick<DecisionRow, 'riskScore'>): JsonObject | undefined {
  if (!riskScore) return undefined
  const { score, tier, parts } = riskScore
  return { score, tier, parts: parts.map(({ term, points }) => ({ term, points })) }
}

/** The ledger body: opaque ids, digests and pinned names; what the agent wrote goes into the encrypted payload. */
function decisionEntry(row: StoredDecision, { who, call }: Asking, tool: Resolved['tool'], verdict: Verdict): EntryDraft {
  const { world, answer } = verdict
  const optional = {
    onBehalfOf: who.onBehalfOf,
    server: row.server === '' ? undefined : row.server,
    tool: tool && { server: tool.server, name: tool.name, digest: tool.digest, kind: tool.kind, risk: tool.risk },
    policy: row.policy,
    world,
    // What policy said, where something else decided after it: an approval, an obligation, a budget.
    said: answer && answer.decision.effect !== row.effect ? answer.decision.effect : undefined,
    risk: riskBody(row),
    budgets: row.spends.length > 0 ? row.spends.map((spend) => ({ ...spend, start: isoTime(spend.start) })) : undefined,
    obligations: row.obligations.length > 0 ? row.obligations.map((obligation) => ({ ...obligation })) : undefined,
    approval: row.approval,
    fault: row.fault,
    deadline: row.deadline === undefined ? undefined : isoTime(row.deadline),
    parents: call.parents && call.parents.length > 0 ? [...call.parents] : undefined,
    // An invalid traceparent is ignored (W3C Trace Context, 4.3), so that no other text gets into the body.
    trace: call.trace !== undefined && TRACEPARENT.test(call.trace) ? call.trace : undefined,
  }
  const body: JsonObject = {
    effect: row.effect,
    door: row.door,
    principal: { type: 'agent', id: who.id, credential: who.credential },
    session: row.session,
    method: row.method,
    digest: row.digest,
    reasons: row.reasons.map(({ policy }) => policy),
  }
  for (const [key, value] of Object.entries(optional)) if (value !== undefined) body[key] = value
  const asked: JsonObject = { server: call.server, name: call.name, input: call.input }
  if (call.onBehalfOf !== undefined) asked.onBehalfOf = call.onBehalfOf
  const payloads = [{ name: 'input', subject: who.id, value: asked }]
  if (answer) payloads.push({ name: 'facts', subject: who.id, value: sealedFacts(answer.question, answer.decision) })
  return { type: 'decision', id: row.id, body, payloads }
}

const knownOf = (target: Resolved | Unresolved): Known | undefined => ('fault' in target ? target.known : target)

function toRow(context: Context, asking: Asking, target: Resolved | Unresolved, verdict: Verdict): StoredDecision {
  const { id, at, who, call } = asking
  const known = knownOf(target)
  const tool = known?.tool
  const obligations = verdict.effect === 'permit' ? verdict.obligations : []
  const runsFor =
    call.door === 'api' ? context.settings.outcomeDeadlineMs : timeoutOf(obligations, context.settings.timeoutMs) + LOST_AFTER_MS
  return {
    id,
    at,
    door: call.door,
    agent: who.id,
    session: digestSession(who.credential, call.session),
    method: call.method,
    // The agent controls the name of a server that nobody registered: it stays in the encrypted payload.
    server: known?.server.name ?? '',
    tool: tool?.name,
    kind: tool?.kind,
    risk: tool?.risk,
    effect: verdict.effect === 'wait' ? 'hold' : verdict.effect,
    fault: 'fault' in verdict ? verdict.fault : undefined,
    detail: 'fault' in verdict ? verdict.detail : undefined,
    reasons: verdict.reasons,
    obligations,
    approval: verdict.approval?.id,
    policy: verdict.policy,
    digest: digestCall(who, call, tool, verdict.policy),
    riskScore: verdict.risk,
    spends: verdict.effect === 'permit' ? (verdict.spends ?? []) : [],
    idempotency: idempotencyOf(who.id, call.idempotencyKey),
    deadline: verdict.effect === 'permit' ? at + runsFor : undefined,
    outcome: undefined,
    outcomeAt: undefined,
  }
}

/** Builds the answer from what was sealed; a repeated request gets it from the stored row. */
export function toAsked(context: Context, row: StoredDecision, receipt: Receipt, approval: Approval | undefined): Asked {
  const sealed = { decision: row.id, receipt, reasons: row.reasons }
  if (row.effect === 'permit') {
    const timeoutMs = timeoutOf(row.obligations, context.settings.timeoutMs)
    return { ...sealed, kind: 'permitted', obligations: row.obligations, timeoutMs, deadline: row.deadline ?? row.at, row }
  }
  if (row.fault === undefined && approval) return { ...sealed, kind: 'held', approval: { id: approval.id, expiresAt: approval.expiresAt } }
  // A person's note is shown to the agent and kept in its own encrypted payload, never in the row.
  const denial = row.fault === 'APPROVAL_DENIED' ? approval?.votes.at(-1)?.note : undefined
  const note = denial === undefined ? '' : `: ${denial}`
  return { ...sealed, kind: 'refused', fault: row.fault ?? 'POLICY_DENIED', detail: (row.detail ?? '') + note }
}

/**
 * Law 1: a permit is answered only after its record is durable.
 * @throws Fault STORE_UNAVAILABLE when it can't be recorded; APPROVAL_SPENT when another call used the approval first;
 *   BUDGET_EXHAUSTED when what it takes is not left.
 */
export async function sealIntent(context: Context, asking: Asking, target: Resolved | Unresolved, verdict: Verdict): Promise<Asked> {
  const row = toRow(context, asking, target, verdict)
  const entry = decisionEntry(row, asking, knownOf(target)?.tool, verdict)
  const { change, texts } = insertDecision(row)
  entry.body['texts'] = texts
  const { changes = [], entries = [] } = verdict.part ?? {}
  const { effect, agent, server, tool } = row
  const isFirst = effect === 'permit' && tool !== undefined && context.novelty.isUnwritten(agent, server, tool)
  const own = isFirst ? [change, insertPermitted(agent, server, tool)] : [change]
  const [receipt] = await context.ledger.append({ changes: [...own, ...changes], entries: [entry, ...entries] })
  if (!receipt) throw new Fault('INTERNAL', 'the ledger gave no receipt')
  if (verdict.part && verdict.approval) await context.approvals.announce(verdict.approval.id)
  if (effect === 'permit' && tool !== undefined) context.novelty.permitted(agent, server, tool)
  if (effect === 'permit') context.sessions.permitted(row.session)
  context.tell('decision', row)
  return toAsked(context, row, receipt, verdict.approval)
}

type Outcome = {
  status: OutcomeStatus
  value?: Json | undefined
  /** How many of each category were taken out of the value. */
  redacted?: Record<string, number> | undefined
  tokens?: number | undefined
  fault?: string | undefined
  by: 'broker' | 'enforcement-point' | 'recovery'
}

/** One outcome for one decision: the broker, a report, the deadline and recovery all come through here. @throws Fault OUTCOME_DECIDED. */
export async function appendOutcome(context: Context, row: DecisionRow, outcome: Outcome): Promise<Receipt> {
  const { status, value, redacted, tokens, fault, by } = outcome
  const at = context.clock.now()
  const result = value === undefined ? undefined : kept(value, row.obligations)
  const bytes = value === undefined || row.spends.length === 0 ? undefined : Buffer.byteLength(JSON.stringify(value))
  const { settled, part } = context.budgets.settle(row.spends, { bytes, tokens })
  const [receipt] = await context.ledger.append({
    changes: [setOutcome(row.id, status, at), ...part.changes],
    entries: [
      {
        type: 'outcome',
        id: `${row.id}/outcome`,
        body: {
          decision: row.id,
          status,
          by,
          endedAt: isoTime(at),
          ...(fault === undefined ? {} : { fault }),
          ...(settled.length === 0 ? {} : { settled }),
          ...(redacted === undefined ? {} : { redacted }),
          ...(result?.truncated ? { truncated: true } : {}),
        },
        payloads: result === undefined ? [] : [{ name: 'result', subject: row.agent, value: result.value }],
      },
    ],
  })
  if (!receipt) throw new Fault('INTERNAL', 'the ledger gave no receipt')
  context.tell('outcome', { ...row, outcome: status, outcomeAt: at })
  return receipt
}

/** Seals how a call ended that Ephor ran. Where that can't be recorded, the result is withheld: recovery will seal `unknown`. */
export async function sealOutcome(context: Context, permit: Permitted, ended: Ended): Promise<Performed> {
  const { decision, receipt, reasons, row } = permit
  const sealed = { decision, receipt, reasons }
  try {
    if ('fault' in ended) {
      const outcomeReceipt = await appendOutcome(context, row, { status: ended.status, fault: ended.fault, by: 'broker' })
      return {
        ...sealed,
        kind: ended.status === 'unknown' ? 'unknown' : 'failed',
        outcomeReceipt,
        fault: ended.fault,
        detail: ended.detail,
      }
    }
    const { status, value, redacted } = ended
    const outcomeReceipt = await appendOutcome(context, row, { status, value, redacted, by: 'broker' })
    return { ...sealed, kind: 'done', outcomeReceipt, isError: ended.isError, value: ended.value }
  } catch (error) {
    context.log.error({ err: error, decision }, 'the outcome could not be recorded')
    const detail = 'the action ran, but its outcome could not be recorded, so the result is withheld'
    return { ...sealed, kind: 'unknown', outcomeReceipt: undefined, fault: 'STORE_UNAVAILABLE', detail }
  }
}
