/** Decides what another enforcement point asks about its own application: held, refused or permitted, and recorded like any call. */
import { Fault } from '@ephor/contract'
import type { AgentPrincipal, FaultCode } from '@ephor/contract'
import type { Approval } from '@ephor/engine/approvals'
import { isoTime } from '@ephor/engine/kernel'
import type { JsonObject } from '@ephor/engine/kernel'
import type { EntryDraft, Part, Receipt } from '@ephor/engine/ledger'
import type { Decision, GivenApproval, Obligation, Reason } from '@ephor/engine/policy'
import type { Context } from './context.ts'
import { digestOf, digestSession } from './digest.ts'
import { insertDecision } from './store.ts'
import type { StoredDecision } from './store.ts'

export type AccessRequest = {
  door: 'authzen' | 'envoy'
  /** Whose credential asked: it is trusted to say who the subject is. */
  enforcementPoint: AgentPrincipal
  /** The application, which takes the place of the tool server in the record. */
  application: string
  /** The action's declared name. */
  action: string
  /** Subject, resource and the rest, as they were asked about: kept encrypted, since they may name people. */
  question: JsonObject
  decide(approvals: readonly GivenApproval[]): Decision
  /** The handle of an approval: `apr_…`. */
  approval?: string
  /** Answer first, and record within this many ms: only what is permitted, or refused by a policy. */
  delayedMs?: number
  /** How long a question to people stays open, unless the policy says. */
  deadlineMs: number
}

type Judged = {
  decision: string
  digest: string
  reasons: readonly Reason[]
  /** Absent while the record is still on its way. */ receipt: Receipt | undefined
}
export type JudgedAccess = Judged &
  (
    | { kind: 'permitted'; obligations: readonly Obligation[] }
    | { kind: 'held'; approval: Approval }
    | { kind: 'refused'; fault: FaultCode; detail: string }
  )

type Settled = { decision: Decision; approval?: Approval; part?: Part; refused?: { fault: FaultCode; detail: string } }

const ENDED: Partial<Record<Approval['state'], { fault: FaultCode; detail: string }>> = {
  denied: { fault: 'APPROVAL_DENIED', detail: 'a person denied this' },
  expired: { fault: 'APPROVAL_EXPIRED', detail: 'nobody decided in time, or the approval was not used in time' },
  spent: { fault: 'APPROVAL_SPENT', detail: 'the approval served an earlier question' },
}

/** Budgets are a charter's, and applications have none: nothing here counts, so a permit that takes of a budget is none. */
function refuseCharges(decision: Decision): Decision {
  if (decision.effect !== 'permit' || !decision.charges?.length) return decision
  const names = decision.charges.map(({ budget }) => budget).join(', ')
  const detail = `the budget ${names} covers this, and what is asked about an application is not counted`
  return { version: decision.version, world: decision.world, effect: 'deny', fault: 'BUDGET_UNCOUNTABLE', detail, reasons: [] }
}

/** While there are two histories of the ledger, nothing is permitted and nobody is asked. */
function refuseForked({ ledger }: Context, decision: Decision): Decision {
  const forked = ledger.forked()
  if (!forked) return decision
  return { version: decision.version, world: decision.world, effect: 'deny', fault: 'LEDGER_FORKED', detail: forked.detail, reasons: [] }
}

/** A held question: asked of people, still waiting, or decided again with their answer. */
async function settle(context: Context, request: AccessRequest, id: string, digest: string, decision: Decision): Promise<Settled> {
  if (decision.effect !== 'hold') return { decision }
  const { approvals } = context
  const named = request.approval
  const approval = named === undefined ? await approvals.pendingFor(digest) : await approvals.find(named)
  if (named !== undefined && !approval)
    return { decision, refused: { fault: 'APPROVAL_UNKNOWN', detail: 'there is no approval with that handle' } }
  if (!approval) {
    const opened = approvals.open({
      decision: id,
      digest,
      agent: request.enforcementPoint.id,
      server: request.application,
      tool: request.action,
      summary: `${request.action} in the application ${request.application}`,
      requesters: request.enforcementPoint.onBehalfOf === undefined ? [] : [request.enforcementPoint.onBehalfOf],
      reasons: decision.reasons,
      asks: decision.asks,
      ttlMs: request.deadlineMs,
    })
    return { decision, ...opened }
  }
  // A handle is no bearer grant: it opens nothing for another enforcement point, another question or other policies.
  if (approval.agent !== request.enforcementPoint.id || approval.digest !== digest)
    return {
      decision,
      approval,
      refused: { fault: 'APPROVAL_MISMATCH', detail: 'the approval was asked for another question, or the policies changed since' },
    }
  if (approval.state === 'pending') return { decision, approval }
  const ended = ENDED[approval.state]
  if (ended) return { decision, approval, refused: ended }
  const given = await approvals.answered(approval, decision.asks)
  const again = refuseForked(context, refuseCharges(request.decide([{ id: approval.id, ...given }])))
  if (again.effect !== 'permit') return { decision: again, approval }
  return { decision: again, approval, part: await approvals.spend(approval, { decision: id, digest }) }
}

function rowOf(request: AccessRequest, id: string, at: number, digest: string, settled: Settled): StoredDecision {
  const { decision, refused, approval } = settled
  const denial = refused ?? (decision.effect === 'deny' ? decision : undefined)
  return {
    id,
    at,
    door: request.door,
    agent: request.enforcementPoint.id,
    session: digestSession(request.enforcementPoint.credential, request.application),
    method: 'access/evaluation',
    server: request.application,
    tool: request.action,
    kind: undefined,
    risk: undefined,
    effect: denial ? 'deny' : decision.effect,
    fault: denial?.fault,
    detail: denial?.detail,
    reasons: decision.reasons,
    obligations: !denial && decision.effect === 'permit' ? decision.obligations : [],
    approval: approval?.id,
    policy: decision.version,
    digest,
    riskScore: undefined,
    spends: [],
    idempotency: undefined,
    // Whoever asked acts by itself and reports nothing: no outcome is waited for.
    deadline: undefined,
    outcome: undefined,
    outcomeAt: undefined,
  }
}

function entryOf(
  row: StoredDecision,
  { enforcementPoint, question, application, action }: AccessRequest,
  delayedMs: number | undefined,
): EntryDraft {
  const body: JsonObject = {
    effect: row.effect,
    door: row.door,
    principal: { type: 'enforcement-point', id: enforcementPoint.id, credential: enforcementPoint.credential },
    session: row.session,
    method: row.method,
    server: application,
    action,
    digest: row.digest,
    reasons: row.reasons.map(({ policy }) => policy),
    ...(row.policy === undefined ? {} : { policy: row.policy }),
    ...(row.obligations.length > 0 ? { obligations: row.obligations.map((obligation) => ({ ...obligation })) } : {}),
    ...(row.approval === undefined ? {} : { approval: row.approval }),
    ...(row.fault === undefined ? {} : { fault: row.fault }),
    ...(delayedMs === undefined
      ? {}
      : {
          durability: {
            answered: isoTime(row.at),
            withinMs: delayedMs,
            loss: 'answers of the last withinMs before a crash may have no record',
          },
        }),
  }
  const payloads = [{ name: 'input', subject: enforcementPoint.id, value: { server: application, name: action, input: question } }]
  return { type: 'decision', id: row.id, body, payloads }
}

/**
 * @throws Fault STORE_UNAVAILABLE when it can't be recorded; CONFLICT when the same question was held twice at once.
 */
async function judgeOnce(context: Context, request: AccessRequest): Promise<JudgedAccess> {
  const [id, at] = [context.clock.id('dec'), context.clock.now()]
  const first = refuseForked(context, refuseCharges(request.decide([])))
  const digest = digestOf({
    action: request.action,
    application: request.application,
    enforcementPoint: request.enforcementPoint.id,
    policy: first.version ?? null,
    question: request.question,
  })
  const settled = await settle(context, request, id, digest, first)
  const row = rowOf(request, id, at, digest, settled)
  const delayed = row.effect === 'hold' || settled.approval ? undefined : request.delayedMs
  const { changes = [], entries = [] } = settled.part ?? {}
  const { change, texts } = insertDecision(row)
  const entry = entryOf(row, request, delayed)
  entry.body['texts'] = texts
  const write = () => context.ledger.append({ changes: [change, ...changes], entries: [entry, ...entries] })
  const receipt = delayed === undefined ? (await write())[0] : await context.delayed.write(write, delayed)
  if (settled.part && settled.approval) await context.approvals.announce(settled.approval.id)
  context.tell('decision', row)
  const judged = { decision: id, digest, reasons: row.reasons, receipt }
  if (row.effect === 'permit') return { ...judged, kind: 'permitted', obligations: row.obligations }
  if (row.effect === 'hold' && settled.approval) return { ...judged, kind: 'held', approval: settled.approval }
  return { ...judged, kind: 'refused', fault: row.fault ?? 'POLICY_DENIED', detail: row.detail ?? '' }
}

export async function judgeAccess(context: Context, request: AccessRequest): Promise<JudgedAccess> {
  try {
    return await judgeOnce(context, request)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    // The same question came twice at once and the other one opened, or used, the approval: now it is found.
    if (error.code === 'CONFLICT' || error.code === 'APPROVAL_SPENT') return judgeOnce(context, request)
    throw error
  }
}
