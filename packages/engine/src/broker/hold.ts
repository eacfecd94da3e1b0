/** Holds a call for a person, or lets it go on when that person has approved exactly this call. */
import { Fault } from '@ephor/contract'
import type { FaultCode } from '@ephor/contract'
import type { Approval } from '@ephor/engine/approvals'
import type { Decision, PolicyRequest } from '@ephor/engine/policy'
import type { Asking, Context } from './context.ts'
import { digestCall } from './resolve.ts'
import type { Resolved } from './resolve.ts'
import { toVerdict } from './verdict.ts'
import type { Verdict } from './verdict.ts'

export type HeldCall = { asking: Asking; target: Resolved; question: PolicyRequest; decision: Extract<Decision, { effect: 'hold' }> }

const ENDED: Partial<Record<Approval['state'], { fault: FaultCode; detail: string }>> = {
  denied: { fault: 'APPROVAL_DENIED', detail: 'a person denied this call' },
  expired: { fault: 'APPROVAL_EXPIRED', detail: 'nobody decided in time, or the approval was not used in time' },
  spent: { fault: 'APPROVAL_SPENT', detail: 'the approval served an earlier call' },
}

export async function hold(context: Context, held: HeldCall): Promise<Verdict> {
  const { asking, target, decision } = held
  const { who, call } = asking
  const refuse = refusalOf(held)
  const digest = digestCall(who, call, target.tool, decision.version)

  const approval = call.approval === undefined ? await context.approvals.pendingFor(digest) : await context.approvals.find(call.approval)
  if (call.approval !== undefined && !approval) return refuse('APPROVAL_UNKNOWN', 'there is no approval with that handle')
  if (!approval) return openApproval(context, held, digest)
  // A handle is no bearer grant: it opens nothing for another agent, other arguments or another definition.
  const by = approval.agent !== who.id ? undefined : approval.digest === digest ? held : await byWhatAsked(context, held, approval)
  if (!by) {
    return refuse('APPROVAL_MISMATCH', 'the approval was asked for another call, or the tool changed since, or the policy was taken back')
  }
  // What policy asks may have grown since, with the hour, a budget or the session: nobody was asked for that.
  const isOutgrown = by === held && (approval.state === 'pending' || approval.state === 'approved') && !covers(approval, decision.asks)
  if (!isOutgrown) return settle(context, by, approval)
  if (call.approval !== undefined)
    return refuse('APPROVAL_MISMATCH', 'policy asks for more than when the call was held; repeat it without the handle')
  await context.approvals.withdraw(approval, 'outgrown')
  return openApproval(context, held, digest)
}

function covers({ asks }: Approval, wanted: HeldCall['decision']['asks']): boolean {
  return wanted.every((ask) =>
    asks.some(({ policy, quorum, group }) => policy === ask.policy && quorum >= ask.quorum && group === ask.group),
  )
}

function refusalOf({ question, decision }: HeldCall) {
  const { reasons, version: policy, world, risk } = decision
  return (fault: FaultCode, detail: string, approval?: Approval): Verdict => ({
    effect: 'deny',
    reasons,
    policy,
    world,
    risk,
    fault,
    detail,
    approval,
    answer: { question, decision },
  })
}

/**
 * A held call is finished by the policy version that held it, as long as that was not rolled back. What is active by now was
 * asked before this: it could have refused.
 */
async function byWhatAsked(context: Context, held: HeldCall, { decision: id, digest }: Approval): Promise<HeldCall | undefined> {
  const { asking, target, question } = held
  const version = (await context.decisions.find(id))?.policy
  if (version === undefined || digestCall(asking.who, asking.call, target.tool, version) !== digest) return undefined
  const decision = await context.policy.decideUnder(version, question)
  return decision?.effect === 'hold' ? { ...held, decision } : undefined
}

async function settle(context: Context, held: HeldCall, opened: Approval): Promise<Verdict> {
  const { asking, decision } = held
  const refuse = refusalOf(held)
  let approval = opened
  if (approval.state === 'pending') {
    await context.approvals.wait(approval.id, context.settings.approvalWaitMs, asking.call.signal)
    approval = (await context.approvals.find(approval.id)) ?? approval
  }
  if (approval.state === 'pending') {
    const { reasons, version: policy, world, risk } = decision
    return { effect: 'hold', reasons, policy, world, risk, approval, answer: { question: held.question, decision } }
  }
  const ended = ENDED[approval.state]
  if (ended) return refuse(ended.fault, ended.detail, approval)
  try {
    return await decideAgain(context, held, approval)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return refuse(error.code, error.message, approval)
  }
}

function openApproval(context: Context, { asking, target, question, decision }: HeldCall, digest: string): Verdict {
  const { who, call, id } = asking
  const { approval, part } = context.approvals.open({
    decision: id,
    digest,
    agent: who.id,
    server: target.server.name,
    tool: target.tool?.name ?? call.method,
    summary: target.tool
      ? `${target.tool.kind} action ${target.tool.name} on ${target.server.name}`
      : `${call.method} on ${target.server.name}`,
    requesters: [who.onBehalfOf, call.onBehalfOf].filter((person) => person !== undefined),
    reasons: decision.reasons,
    asks: decision.asks,
    ttlMs: context.settings.approvalTtlMs,
  })
  const { reasons, version: policy, world, risk } = decision
  return { effect: 'hold', reasons, policy, world, risk, approval, part, answer: { question, decision } }
}

/**
 * An approval answers only the asks that had their quorum, by the ledger's word: policy is evaluated again with them, and
 * may still say no.
 * @throws Fault what `answered` and `spend` throw
 */
async function decideAgain(context: Context, held: HeldCall, approval: Approval): Promise<Verdict> {
  const { question, asking, decision } = held
  const given = await context.approvals.answered(approval, decision.asks)
  const approvals = [{ id: approval.id, ...given }]
  const asked = { ...question, facts: { ...question.facts, now: context.clock.now(), approvals } }
  const again = await context.policy.decideUnder(decision.version ?? '', asked)
  if (!again || again.effect === 'hold') {
    const detail = 'the policy changed while the call waited and has to be asked again; repeat the call without the handle'
    return refusalOf(held)('APPROVAL_MISMATCH', detail, approval)
  }
  const verdict = toVerdict(again, asked)
  if (verdict.effect !== 'permit') return { ...verdict, approval }
  return { ...verdict, approval, part: await context.approvals.spend(approval, { decision: asking.id, digest: approval.digest }) }
}
