/** What may become of an approval: pure rules over its state, the time and the person. */
import { Fault } from '@ephor/contract'
import type { Approval, ApprovalDraft, ApprovalState } from './types.ts'

/** True while something can still become of it. */
export function isLive({ state }: { state: ApprovalState }): boolean {
  return state === 'pending' || state === 'approved'
}

/** The state as it is now: what is overdue is expired, whether or not the sweeper came by. */
export function stateAt(state: ApprovalState, expiresAt: number, now: number): ApprovalState {
  return isLive({ state }) && now >= expiresAt ? 'expired' : state
}

/** The shortest deadline holds: a policy that asks for more time must not give another one's ask more. */
export function deadlineOf({ asks, ttlMs }: Pick<ApprovalDraft, 'asks' | 'ttlMs'>, now: number): number {
  return now + Math.min(ttlMs, ...asks.map((ask) => ask.deadlineMs ?? Infinity))
}

/**
 * Refuses a person who may not decide: a requester, or somebody outside a group that is asked. Every ask counts: one
 * person decides for all of them, so must be in all their groups.
 * @throws Fault APPROVAL_SELF, FORBIDDEN.
 */
export function requireMayDecide(
  approval: Pick<Approval, 'requesters' | 'asks'>,
  person: string,
  inGroup: (person: string, group: string) => boolean,
): void {
  if (approval.requesters.includes(person)) throw new Fault('APPROVAL_SELF', 'the call is made on your behalf')
  for (const { group } of approval.asks)
    if (group !== undefined && !inGroup(person, group)) throw new Fault('FORBIDDEN', `only members of ${group} decide this`)
}

/** Why an approval in this state can't be decided. */
export function undecidable(state: Exclude<ApprovalState, 'pending'>): Fault {
  if (state === 'expired') return new Fault('APPROVAL_EXPIRED', 'the deadline has passed')
  if (state === 'spent') return new Fault('APPROVAL_SPENT', 'it was approved and used')
  return new Fault('APPROVAL_DECIDED', `it is ${state}`)
}

/** Why an approval in this state can't be used. */
export function unspendable(state: Exclude<ApprovalState, 'approved'>): Fault {
  if (state === 'pending') return new Fault('APPROVAL_PENDING', 'nobody decided yet')
  if (state === 'denied') return new Fault('APPROVAL_DENIED', 'a person denied it')
  if (state === 'expired') return new Fault('APPROVAL_EXPIRED', 'the deadline has passed')
  return new Fault('APPROVAL_SPENT', 'it was used before')
}
