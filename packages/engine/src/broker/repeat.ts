/** Answers a repeated request with its first answer: the caller lost it, or retries because it can't know. */
import { Fault } from '@ephor/contract'
import type { Receipt } from '@ephor/engine/ledger'
import type { Asking, Context } from './context.ts'
import { digestCall } from './resolve.ts'
import { toAsked } from './seal.ts'
import { idempotencyOf } from './store.ts'
import type { Asked } from './types.ts'

/** @throws Fault IDEMPOTENCY_MISMATCH when the key was used for another call. */
export async function repeated(context: Context, { who, call }: Asking, key: string): Promise<Asked | undefined> {
  const row = await context.decisions.byIdempotency(idempotencyOf(who.id, key) ?? '')
  if (!row) return undefined
  const tool = row.tool === undefined ? undefined : context.registry.tool(row.server, row.tool)
  if (digestCall(who, call, tool, row.policy) !== row.digest) {
    throw new Fault(
      'IDEMPOTENCY_MISMATCH',
      `the key was used for decision ${row.id}, which was another call or of an older tool definition`,
    )
  }
  const entry = await context.ledger.find(row.id)
  if (!entry) throw new Fault('STORE_CORRUPT', `decision ${row.id} has no ledger entry`)
  const receipt: Receipt = { origin: context.ledger.origin, seq: entry.seq, leafHash: entry.leafHash }
  const approval = row.approval === undefined ? undefined : await context.approvals.find(row.approval)
  return toAsked(context, row, receipt, approval)
}
