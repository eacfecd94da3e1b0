/** Passes asks on at their deadline: the group that takes over is asked for as long again, and the first one no more. */
import type { Context } from './context.ts'
import { entryOf } from './parts.ts'
import { passingAt } from './rules.ts'
import { markEscalated } from './store.ts'
import type { Approval } from './types.ts'

/** @throws Fault CONFLICT when something else became of it meanwhile. */
export async function escalate({ ledger, waiting }: Context, approval: Approval, now: number): Promise<void> {
  const passing = passingAt(approval, now)
  const asks = approval.asks.map((ask) => (passing.includes(ask) ? { ...ask, escalated: true } : ask))
  const after: Approval = { ...approval, asks, step: approval.step + 1 }
  const entry = entryOf('escalated', approval, {
    policies: passing.map(({ policy }) => policy),
    to: passing.map((ask) => ask.escalate ?? null),
    expiresAt: approval.expiresAt,
  })
  await ledger.append({ changes: [markEscalated(approval, after, now)], entries: [entry] })
  waiting.tell(after)
}
