/** Approvals with what only the ledger holds: people's notes, and the call that is asked about. */
import { Fault } from '@ephor/contract'
import type { Context } from './context.ts'
import { findCurrent } from './expire.ts'
import type { Approval, HeldCall } from './types.ts'

/** With the notes, which are encrypted payloads of the votes' entries. */
export async function withNotes(context: Context, id: string): Promise<Approval | undefined> {
  const { ledger } = context
  const approval = await findCurrent(context, id)
  if (!approval || approval.votes.length === 0) return approval
  const votes = approval.votes.map(async (vote) => {
    const entry = await ledger.find(`${id}/step/${vote.step}`)
    const note = entry && (await ledger.payload(entry.seq, 'note'))
    return typeof note === 'string' ? { ...vote, note } : vote
  })
  return { ...approval, votes: await Promise.all(votes) }
}

/** @throws Fault APPROVAL_UNKNOWN. */
export async function getApproval(context: Context, id: string): Promise<Approval> {
  const approval = await withNotes(context, id)
  if (!approval) throw new Fault('APPROVAL_UNKNOWN', `no approval ${id.slice(0, 40)}`)
  return approval
}

/**
 * Opened from the ledger and not from a table: it was sealed with the decision, and is checked against its commitment.
 * @throws Fault STORE_CORRUPT.
 */
export async function readCall({ ledger }: Context, { id, decision, server }: Approval): Promise<HeldCall> {
  const entry = await ledger.find(decision)
  const asked = entry && (await ledger.payload(entry.seq, 'input'))
  if (asked === null || typeof asked !== 'object' || Array.isArray(asked) || asked['input'] === undefined)
    throw new Fault('STORE_CORRUPT', `the arguments of ${id} are not in the ledger`)
  const { name, onBehalfOf } = asked
  if (typeof name !== 'string' || asked['server'] !== server)
    throw new Fault('STORE_CORRUPT', `${id} is about another call than its decision`)
  return { name, arguments: asked['input'], ...(typeof onBehalfOf === 'string' ? { onBehalfOf } : {}) }
}
