/** Opens the room: asks people, takes their votes, hands out each approval once, and expires what is overdue. */
import { Fault } from '@ephor/contract'
import { entryType } from '@ephor/engine/ledger'
import type { Part } from '@ephor/engine/ledger'
import { readAnswered } from './check-record.ts'
import type { ApprovalsOptions, Context } from './context.ts'
import { decide } from './decide.ts'
import { expire, findCurrent, startSweeper, sweep, withdraw } from './expire.ts'
import { openPart, spendPart } from './parts.ts'
import { getApproval, readCall, withNotes } from './reads.ts'
import { isLive, unspendable } from './rules.ts'
import { findLive, listApprovals } from './store.ts'
import type { Approval, Approvals } from './types.ts'
import { makeWaiting } from './waiting.ts'

async function pendingFor(context: Context, digest: string): Promise<Approval | undefined> {
  const now = context.clock.now()
  const approval = await findLive(context.store, digest, now)
  if (!approval || isLive(approval)) return approval
  // Overdue, but it still holds the digest's place: a new one could not be opened.
  await expire(context, approval, now)
  return undefined
}

async function spend(context: Context, approval: Approval, use: { decision: string; digest: string }): Promise<Part> {
  const now = context.clock.now()
  try {
    return spendPart(approval, use, now)
  } catch (error) {
    if (!(error instanceof Fault && error.code === 'APPROVAL_EXPIRED')) throw error
    const current = await findCurrent(context, approval.id, now)
    // The caller may have looked before it was used, or denied.
    throw current && current.state !== 'approved' ? unspendable(current.state) : error
  }
}

async function wait(context: Context, ...[id, ms, signal]: Parameters<Approvals['wait']>): Promise<Approval> {
  const settled = context.waiting.until(id, signal)
  try {
    const approval = await getApproval(context, id)
    if (approval.state !== 'pending') return approval
    await settled.within(Math.min(ms, approval.expiresAt - context.clock.now()))
    return await getApproval(context, id)
  } finally {
    settled.stop()
  }
}

export function openApprovals(options: ApprovalsOptions): Approvals {
  const { store, clock, log } = options
  const waiting = makeWaiting(log)
  const context: Context = { ...options, waiting }
  const stopSweeper = startSweeper(context)
  async function announce(id: string): Promise<void> {
    const approval = await findCurrent(context, id)
    if (approval) waiting.tell(approval)
  }
  return {
    open: (draft) => openPart(clock, draft),
    find: (id) => withNotes(context, id),
    pendingFor: (digest) => pendingFor(context, digest),
    spend: (approval, use) => spend(context, approval, use),
    answered: (approval, asks) => readAnswered(context, approval, asks),
    announce,
    async follow(entry) {
      const { approval } = entry.body
      if (entryType(entry).startsWith('approval.') && typeof approval === 'string') await announce(approval)
    },
    decide: (id, person, said) => decide(context, id, person, said),
    withdraw: (approval, was = 'withdrawn') => withdraw(context, approval, was),
    wait: (id, ms, signal) => wait(context, id, ms, signal),
    async list({ state, cursor, limit }) {
      const now = clock.now()
      const found = await listApprovals(store, { state, before: cursor, limit: limit + 1 }, now)
      // What is shown as expired is recorded so; a list is no answer to a call, so it does without when nothing can be written.
      if (found.some((approval) => approval.state === 'expired'))
        await sweep(context, now).catch((error: unknown) => log.error({ err: error }, 'overdue approvals could not be swept; trying again'))
      const items = found.slice(0, limit)
      const last = items.at(-1)
      return found.length > limit && last ? { items, next: last.id } : { items }
    },
    callOf: (approval) => readCall(context, approval),
    on: (listener) => waiting.on(listener),
    sweep: (now) => sweep(context, now),
    close() {
      stopSweeper()
      waiting.close()
    },
  }
}
