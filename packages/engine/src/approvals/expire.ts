/** Ends what is overdue, an entry each: by itself every few seconds, and when the place of a digest is needed. */
import { Fault } from '@ephor/contract'
import type { Context } from './context.ts'
import { entryOf } from './parts.ts'
import { listOverdue, markExpired } from './store.ts'
import type { Approval } from './types.ts'

/** Expired in one sweep at most; the next one takes the rest. */
const SWEEP_BATCH = 256
const SWEEP_EVERY_MS = 5_000

/** False when something else became of it meanwhile. */
export async function expire({ ledger, waiting }: Context, approval: Approval, now: number): Promise<boolean> {
  const was = approval.decidedBy === undefined ? 'undecided' : 'unused'
  try {
    await ledger.append({ changes: [markExpired(approval.id, now)], entries: [entryOf('expired', approval, { was })] })
  } catch (error) {
    if (error instanceof Fault && error.code === 'CONFLICT') return false
    throw error
  }
  waiting.tell({ ...approval, state: 'expired' })
  return true
}

export async function sweep(context: Context, now: number): Promise<number> {
  const overdue = await listOverdue(context.store, now, SWEEP_BATCH)
  const expired = await Promise.all(overdue.map((approval) => expire(context, approval, now)))
  return expired.filter(Boolean).length
}

/** @returns how to stop it */
export function startSweeper(context: Context): () => void {
  const { clock, log } = context
  const timer = setInterval(() => {
    sweep(context, clock.now()).catch((error: unknown) => log.error({ err: error }, 'overdue approvals could not be expired; trying again'))
  }, SWEEP_EVERY_MS).unref()
  return () => clearInterval(timer)
}
