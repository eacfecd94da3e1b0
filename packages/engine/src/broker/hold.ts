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
  const answer = { question: held.question, effect: decision.effect }
  const common = { reasons: decision.reasons, policy: decision.version, world: decision.world, risk: decision.risk, answer }
  const refuse = (fault: FaultCode, detail: string, approval?: Approval): Verdict => ({
    ...common,
    effect: 'deny',
    fault,
    detail,
    approval,
  })
  const digest = digestCall(who, call, target.tool, decision.version)

  let approval = call.approval === undefined ? await context.approvals.pendingFor(digest) : await context.approvals.find(call.approval)
  if (call.approval !== undefined && !approval) return refuse('APPROVAL_UNKNOWN', 'there is no approval with that handle')
  // A handle is no bearer grant: it opens nothing for another agent, other arguments, another definition or another policy.
  if (approval && (approval.agent !== who.id || approval.digest !== digest)) {
    return refuse('APPROVAL_MISMATCH', 'the approval was asked for another call, or the tool or the policy changed since')
  }
  if (!approval) return openApproval(context, held, digest)
  if (approval.state === 'pending') {
    await context.approvals.wait(approval.id, context.settings.approvalWaitMs, call.signal)
    approval = (await context.approvals.find(approval.id)) ?? approval
  }
  if (approval.state === 'pending') return { ...common, effect: 'hold', approval }
  const ended = ENDED[approval.state]
  if (ended) return refuse(ended.fault, ended.detail, approval)
  try {
    return await decideAgain(context, held, approval, digest)
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
  return { effect: 'hold', reasons, policy, world, risk, approval, part, answer: { question, effect: 'hold' } }
}

/**
 * An approval answers only the asks that had their quorum, by the ledger's word: policy is evaluated again with them, and
 * may still say no.
 * @throws Fault what `answered` and `spend` throw
 */
async function decideAgain(
  context: Context,
  { question, asking, decision }: HeldCall,
  approval: Approval,
  digest: string,
): Promise<Verdict> {
  const given = await context.approvals.answered(approval, decision.asks)
  const approvals = [{ id: approval.id, ...given }]
  const asked = { ...question, facts: { ...question.facts, now: context.clock.now(), approvals } }
  const again = await context.policy.decide(asked)
  if (again.effect === 'hold' || again.version !== decision.version) {
    const detail = 'the policy changed while the call waited and has to be asked again; repeat the call without the handle'
    const { reasons, version: policy, world, risk } = again
    const answer = { question: asked, effect: again.effect }
    return { effect: 'deny', fault: 'APPROVAL_MISMATCH', detail, reasons, policy, world, risk, approval, answer }
  }
  const verdict = toVerdict(again, asked)
  if (verdict.effect !== 'permit') return { ...verdict, approval }
  return { ...verdict, approval, part: context.approvals.spend(approval, { decision: asking.id, digest }) }
}
