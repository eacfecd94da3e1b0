/** What happens to an agent's call, top to bottom: identify, resolve, decide, hold, seal the intent, run, seal the outcome. */
import { Fault, isId } from '@ephor/contract'
import type { AgentPrincipal, FaultCode } from '@ephor/contract'
import { beforeRun } from './before-run.ts'
import type { Asking, Context } from './context.ts'
import { factsOf, subjectsOf } from './facts.ts'
import { hold } from './hold.ts'
import { describeUsedUp } from './limits.ts'
import { redactEnded, unmet } from './obligations.ts'
import { repeated } from './repeat.ts'
import { resolve } from './resolve.ts'
import type { Resolved, Unresolved } from './resolve.ts'
import { runBounded } from './run-bounded.ts'
import { sealIntent, sealOutcome } from './seal.ts'
import type { Asked, Call, Performed, Run } from './types.ts'
import { toVerdict } from './verdict.ts'
import type { Verdict } from './verdict.ts'

/** The whole way of a call that Ephor runs itself. */
export async function perform(context: Context, call: Call, run: Run): Promise<Performed> {
  const asked = await ask(context, call)
  if (asked.kind !== 'permitted') return asked
  const before = await beforeRun(context, asked, call.signal)
  if ('fault' in before) return sealOutcome(context, asked, before)
  const ended = await runBounded({ ...asked, ...before }, run, call.signal)
  return sealOutcome(context, asked, await redactEnded(context.redactor, ended, asked.obligations))
}

/** The first half: the answer is durable before it is given, and nothing has run yet. */
export async function ask(context: Context, call: Call): Promise<Asked> {
  try {
    return await askOnce(context, call)
  } catch (error) {
    // The same call came twice at once, and the other one opened the approval or took the idempotency key: now it is found.
    if (error instanceof Fault && error.code === 'CONFLICT') return askOnce(context, call)
    throw error
  }
}

async function askOnce(context: Context, call: Call): Promise<Asked> {
  if (call.parents?.some((parent) => !isId('dec', parent)))
    throw new Fault('REQUEST_INVALID', 'a parent is the id of a decision: dec_…', { where: '/parents' })
  const asking = { id: context.clock.id('dec'), at: context.clock.now(), who: await identify(context, call), call }
  const forked = context.ledger.forked()
  if (forked) {
    // Neither an earlier answer nor an approval opens anything now; the refusal takes no idempotency key of another answer.
    const { idempotencyKey: _, ...once } = call
    const target = resolve(context.registry, asking)
    const known = 'fault' in target ? target.known : target
    const refused: Unresolved = { effect: 'deny', fault: 'LEDGER_FORKED', detail: forked.detail, ...(known ? { known } : {}) }
    return sealIntent(context, { ...asking, call: once }, refused, refuse(refused))
  }
  const earlier = call.idempotencyKey === undefined ? undefined : await repeated(context, asking, call.idempotencyKey)
  if (earlier) return earlier
  const target = resolve(context.registry, asking)
  const verdict = 'fault' in target ? refuse(target) : await decide(context, asking, target)
  return sealWithinLimits(context, asking, target, verdict)
}

/** Who acts: proven by the credential. An unproven caller is turned away before anything is recorded in anyone's name. */
async function identify(context: Context, call: Call): Promise<AgentPrincipal> {
  const who = await context.identity.identify(call.bearer)
  if (who.kind !== 'agent') throw new Fault('FORBIDDEN', 'calls are made by agents; this credential is a person’s')
  return who
}

function refuse({ effect, fault, detail }: Unresolved): Verdict {
  return { effect, fault, detail, reasons: [], policy: undefined, world: undefined, approval: undefined }
}

/** What policy says; where it says that a person must agree, what a person said of exactly this call. */
async function decide(context: Context, asking: Asking, target: Resolved): Promise<Verdict> {
  const { who, call, at } = asking
  const proven = who.onBehalfOf === undefined ? {} : { onBehalfOf: who.onBehalfOf }
  const question = {
    principal: { type: 'Agent' as const, id: who.id },
    action: target.action,
    server: target.server.name,
    input: call.input,
    facts: { door: call.door, now: at, approvals: [], ...target.facts, ...proven, ...(await factsOf(context, asking, target)) },
  }
  const decision = await context.policy.decide(question)
  if (decision.effect !== 'hold') return toVerdict(decision, question)
  // Nobody is asked about a call that could not run once they have agreed.
  const missing = unmet(call.door, decision.obligations, context.witnesses)
  if (missing === undefined) return hold(context, { asking, target, question, decision })
  const { reasons, version: policy, world, risk } = decision
  const answer = { question, decision }
  return { effect: 'deny', fault: 'OBLIGATION_UNMET', detail: missing, reasons, policy, world, risk, approval: undefined, answer }
}

/** By what policy was told. A unit that fails costs the others of its batch a second try, which an agent must not cause at will. */
function isKnownOver({ charges, answer }: Extract<Verdict, { effect: 'permit' }>): boolean {
  const told = answer?.question.facts.budgets ?? {}
  return charges.some(({ budget, limit, amount }) => told[budget]?.limit === limit && amount > told[budget].left)
}

/**
 * Makes the answer durable. A permit whose obligations can't be met is none; the others first take their place in the
 * rate limits that they carry, and with it what they take of budgets.
 */
async function sealWithinLimits(context: Context, asking: Asking, target: Resolved | Unresolved, verdict: Verdict): Promise<Asked> {
  if (verdict.effect !== 'permit') return sealIntent(context, asking, target, verdict)
  const { who, at } = asking
  const refuseFor = (fault: FaultCode, detail: string) =>
    sealIntent(context, asking, target, { ...verdict, effect: 'deny', fault, detail, part: undefined })
  const missing = unmet(asking.call.door, verdict.obligations, context.witnesses)
  if (missing !== undefined) return refuseFor('OBLIGATION_UNMET', missing)
  const refuseOver = async () => refuseFor('BUDGET_EXHAUSTED', await context.budgets.explain(verdict.charges, subjectsOf(asking), at))
  if (isKnownOver(verdict)) return refuseOver()
  const over = context.limits.reserve(who.id, verdict.obligations, at)
  if (over) return refuseFor('OBLIGATION_UNMET', describeUsedUp(over, at))
  // A call may have waited for people since it was asked.
  const forked = context.ledger.forked()
  if (forked) return refuseFor('LEDGER_FORKED', forked.detail)
  const { spends, part } = context.budgets.spend(verdict.charges, subjectsOf(asking), at)
  const { changes = [], entries = [] } = verdict.part ?? {}
  try {
    return await sealIntent(context, asking, target, { ...verdict, spends, part: { changes: [...changes, ...part.changes], entries } })
  } catch (error) {
    context.limits.release(who.id, verdict.obligations, at)
    if (!(error instanceof Fault)) throw error
    // Nothing of this call was written, so its refusal is: what it needed was taken by another one first.
    if (error.code === 'APPROVAL_SPENT') return refuseFor(error.code, error.message)
    if (error.code === 'BUDGET_EXHAUSTED') return refuseOver()
    throw error
  }
}
