/** Ends what is overdue and passes on what is due, an entry each: by itself every few seconds, and when the place of a digest is needed. */
import { Fault } from '@ephor/contract'
import type { Context } from './context.ts'
import { escalate } from './escalate.ts'
import { entryOf } from './parts.ts'
import { findApproval, isOverdue, listOverdue, listPassing, markExpired, markWithdrawn } from './store.ts'
import type { Approval, Withdrawn } from './types.ts'

/** Expired, and passed on, in one sweep at most; the next one takes the rest. */
const SWEEP_BATCH = 256
const SWEEP_EVERY_MS = 5_000

/** False when something else became of it meanwhile. */
async function isFirst(change: Promise<unknown>): Promise<boolean> {
  try {
    await change
    return true
  } catch (error) {
    if (error instanceof Fault && error.code === 'CONFLICT') return false
    throw error
  }
}

export async function expire({ ledger, waiting }: Context, approval: Approval, now: number): Promise<boolean> {
  const was = approval.decidedAt === undefined ? 'undecided' : 'unused'
  const done = await isFirst(ledger.append({ changes: [markExpired(approval.id, now)], entries: [entryOf('expired', approval, { was })] }))
  if (done) waiting.tell({ ...approval, state: 'expired' })
  return done
}

/**
 * The approval as it is now. That it has expired is recorded before anybody is told, so that it stays true when the clock
 * goes back.
 * @throws Fault STORE_UNAVAILABLE and the like when that can't be recorded
 */
export async function findCurrent(context: Context, id: string, now = context.clock.now()): Promise<Approval | undefined> {
  const approval = await findApproval(context.store, id, now)
  if (approval?.state !== 'expired' || !(await isOverdue(context.store, id, now))) return approval
  return (await expire(context, approval, now)) ? approval : findCurrent(context, id, now)
}

/** Ends a live approval before its time. False when something else became of it meanwhile. */
export async function withdraw({ ledger, waiting, clock }: Context, approval: Approval, was: Withdrawn): Promise<boolean> {
  const now = clock.now()
  const entry = entryOf('expired', approval, { was, endedAt: now })
  const done = await isFirst(ledger.append({ changes: [markWithdrawn(approval.id, now)], entries: [entry] }))
  if (done) waiting.tell({ ...approval, state: 'expired', expiresAt: now })
  return done
}

export async function sweep(context: Context, now: number): Promise<number> {
  const { store } = context
  const [overdue, passing] = await Promise.all([listOverdue(store, now, SWEEP_BATCH), listPassing(store, now, SWEEP_BATCH)])
  const swept = await Promise.all([
    ...overdue.map((approval) => expire(context, approval, now)),
    ...passing.map((approval) => isFirst(escalate(context, approval, now))),
  ])
  return swept.filter(Boolean).length
}

/** @returns how to stop it */
export function startSweeper(context: Context): () => void {
  const { clock, log } = context
  const timer = setInterval(() => {
    sweep(context, clock.now()).catch((error: unknown) => log.error({ err: error }, 'overdue approvals could not be swept; trying again'))
  }, SWEEP_EVERY_MS).unref()
  return () => clearInterval(timer)
}
