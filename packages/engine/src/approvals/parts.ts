/** What the broker writes in its own units: an approval that opens, and its one use. */
import { hash } from 'node:crypto'
import { Fault, isId } from '@ephor/contract'
import type { Clock } from '@ephor/engine/kernel'
import type { EntryDraft, Part } from '@ephor/engine/ledger'
import { expiryOf, unspendable } from './rules.ts'
import { insertApproval, markSpent } from './store.ts'
import type { Approval, ApprovalDraft, AskState } from './types.ts'

type EntryKind = 'opened' | 'voted' | 'escalated' | 'decided' | 'spent' | 'expired'

/** The entry of a step. Its id makes a second one of the same step a CONFLICT, whatever the rows say. */
export function entryOf(kind: EntryKind, { id, decision, digest, step }: Approval, more: EntryDraft['body']): EntryDraft {
  const place = kind === 'voted' || kind === 'escalated' ? `step/${step}` : kind
  return { type: `approval.${kind}`, id: `${id}/${place}`, body: { approval: id, decision, digest, ...more } }
}

/** What of an ask the opening entry says; later the rows have to say the same. */
export function sealedAsk({ policy, quorum, deadlineMs, group, escalate }: AskState): EntryDraft['body'] {
  return { policy, quorum, deadlineMs, ...(group === undefined ? {} : { group }), ...(escalate === undefined ? {} : { escalate }) }
}

/** The texts of the row that people are shown, which the opening entry says by their digest alone: SHA-256, base64url. */
export function digestOfTexts({ summary, reasons, asks }: Pick<Approval, 'summary' | 'reasons' | 'asks'>): string {
  const texts = [summary, reasons.map(({ policy, text }) => [policy, text]), asks.map(({ reason }) => reason)]
  return hash('sha256', JSON.stringify(texts), 'base64url')
}

export function openPart(clock: Clock, draft: ApprovalDraft): { approval: Approval; part: Part } {
  const now = clock.now()
  const { decision, digest, agent, server, tool, summary, reasons, ttlMs } = draft
  // Votes name the ask by its policy: two of one name would share them.
  if (draft.asks.length === 0 || new Set(draft.asks.map(({ policy }) => policy)).size < draft.asks.length)
    throw new Fault('INTERNAL', 'an approval has at least one ask, and one a policy')
  // What isn't an id could be a name or an address, and those stay out of the ledger.
  const requesters = [...new Set(draft.requesters)].filter((id) => isId('per', id))
  const asks = draft.asks.map((ask): AskState => {
    return { ...ask, deadlineMs: Math.min(ttlMs, ask.deadlineMs ?? ttlMs), escalated: false, by: [] }
  })
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
    asks,
    votes: [],
    step: 0,
    openedAt: now,
    expiresAt: expiryOf({ openedAt: now, asks }, now),
  }
  const asked = {
    agent,
    server,
    tool,
    requesters,
    asks: asks.map(sealedAsk),
    expiresAt: approval.expiresAt,
    openedAt: now,
    texts: digestOfTexts(approval),
  }
  return { approval, part: { changes: [insertApproval(approval)], entries: [entryOf('opened', approval, asked)] } }
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
