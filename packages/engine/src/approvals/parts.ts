/** What the broker writes in its own units: an approval that opens, and its one use. */
import { Fault, isId } from '@ephor/contract'
import type { Clock } from '@ephor/engine/kernel'
import type { EntryDraft, Part } from '@ephor/engine/ledger'
import { deadlineOf, unspendable } from './rules.ts'
import { insertApproval, markSpent } from './store.ts'
import type { Approval, ApprovalDraft } from './types.ts'

/** The entry of a step. Its id makes a second one of the same step a CONFLICT, whatever the rows say. */
export function entryOf(
  step: 'opened' | 'decided' | 'spent' | 'expired',
  { id, decision, digest }: Approval,
  more: EntryDraft['body'],
): EntryDraft {
  return { type: `approval.${step}`, id: `${id}/${step}`, body: { approval: id, decision, digest, ...more } }
}

export function openPart(clock: Clock, draft: ApprovalDraft): { approval: Approval; part: Part } {
  const now = clock.now()
  const { decision, digest, agent, server, tool, summary, reasons, asks } = draft
  // What isn't an id could be a name or an address, and those stay out of the ledger.
  const requesters = [...new Set(draft.requesters)].filter((id) => isId('per', id))
  const approval: Approval = {
    id: clock.id('apr'),
    state: 'pending',
    decision,
    digest,
    agent,
    server,
    tool,
    summary,
    requesters,
    reasons: [...reasons],
    asks: [...asks],
    openedAt: now,
    expiresAt: deadlineOf(draft, now),
  }
  const asked = asks.map(({ policy, group }) => ({ policy, ...(group === undefined ? {} : { group }) }))
  const entry = entryOf('opened', approval, { agent, server, tool, requesters, asks: asked, expiresAt: approval.expiresAt })
  return { approval, part: { changes: [insertApproval(approval)], entries: [entry] } }
}

/**
 * The checks here give the clear answer; the guard in the change gives the true one, whatever raced in between.
 * @throws Fault APPROVAL_MISMATCH, APPROVAL_PENDING, APPROVAL_DENIED, APPROVAL_EXPIRED, APPROVAL_SPENT.
 */
export function spendPart(approval: Approval, { decision, digest }: { decision: string; digest: string }, at: number): Part {
  if (approval.digest !== digest) throw new Fault('APPROVAL_MISMATCH', 'the call is not the one that was approved')
  if (approval.state !== 'approved') throw unspendable(approval.state)
  if (at >= approval.expiresAt) throw unspendable('expired')
  return { changes: [markSpent(approval.id, { decision, digest, at })], entries: [entryOf('spent', approval, { by: decision })] }
}
