/** What may become of an approval: pure rules over its state, its asks and votes, the time and the person. */
import { Fault } from '@ephor/contract'
import type { Approval, ApprovalState, AskState } from './types.ts'

/** True while something can still become of it. */
export function isLive({ state }: { state: ApprovalState }): boolean {
  return state === 'pending' || state === 'approved'
}

/** The state as it is now: what is overdue is expired, whether or not the sweeper came by. */
export function stateAt(state: ApprovalState, expiresAt: number, now: number): ApprovalState {
  return isLive({ state }) && now >= expiresAt ? 'expired' : state
}

/** Never by nobody, whatever quorum a policy names. */
export function isQuorum(people: number, quorum: number): boolean {
  return people >= Math.max(1, quorum)
}

export const isAnswered = ({ by, quorum }: AskState) => isQuorum(by.length, quorum)

/** Whose members decide now; undefined: anyone. */
export function groupOf({ group, escalate, escalated }: AskState): string | undefined {
  return escalated ? escalate : group
}

/** ms: until when those who decide now may do so. */
export function dueAt(openedAt: number, { deadlineMs, escalated }: AskState): number {
  return openedAt + deadlineMs * (escalated ? 2 : 1)
}

type Standing = Pick<Approval, 'openedAt' | 'asks'>

const waitsToPass = (ask: AskState) => ask.escalate !== undefined && !ask.escalated && !isAnswered(ask)

/** The asks whose deadline has come and that another group takes over. */
export function passingAt({ openedAt, asks }: Standing, now: number): AskState[] {
  return asks.filter((ask) => waitsToPass(ask) && now >= dueAt(openedAt, ask))
}

/** ms: when the next ask passes on. */
export function nextPassing({ openedAt, asks }: Standing): number | undefined {
  const times = asks.filter(waitsToPass).map((ask) => dueAt(openedAt, ask))
  return times.length > 0 ? Math.min(...times) : undefined
}

/**
 * ms: when the approval ends. While it is pending, at the first ask that nobody can answer any more; once approved, at
 * the first of its deadlines that is still to come.
 */
export function expiryOf({ openedAt, asks }: Standing, now: number): number {
  const open = asks.filter((ask) => !isAnswered(ask))
  if (open.length === 0) return Math.min(...asks.map((ask) => dueAt(openedAt, ask)).filter((due) => due > now))
  return Math.min(...open.map((ask) => dueAt(openedAt, { ...ask, escalated: ask.escalate !== undefined })))
}

export type InGroup = (person: string, group: string) => boolean

/**
 * The asks that are this person's to answer, answered or not.
 * @throws Fault APPROVAL_SELF for a requester, FORBIDDEN for somebody in no group that is asked.
 */
export function asksFor({ requesters, asks }: Pick<Approval, 'requesters' | 'asks'>, person: string, inGroup: InGroup): AskState[] {
  if (requesters.includes(person)) throw new Fault('APPROVAL_SELF', 'the call is made on your behalf')
  const own = asks.filter((ask) => {
    const group = groupOf(ask)
    return group === undefined || inGroup(person, group)
  })
  if (own.length > 0) return own
  const groups = [...new Set(asks.map(groupOf))].join(' or ')
  throw new Fault('FORBIDDEN', `only members of ${groups} decide this`)
}

/** The state and the asks after a vote on some of them. */
export function afterVote(
  asks: readonly AskState[],
  { by, verdict, policies }: { by: string; verdict: 'approve' | 'deny'; policies: readonly string[] },
): { state: 'pending' | 'approved' | 'denied'; asks: AskState[] } {
  if (verdict === 'deny') return { state: 'denied', asks: [...asks] }
  const voted = asks.map((ask) => (policies.includes(ask.policy) ? { ...ask, by: [...ask.by, by] } : ask))
  return { state: voted.every(isAnswered) ? 'approved' : 'pending', asks: voted }
}

/** Why an approval in this state can't be decided. */
export function undecidable(state: Exclude<ApprovalState, 'pending'>): Fault {
  if (state === 'expired') return new Fault('APPROVAL_EXPIRED', 'the deadline has passed')
  if (state === 'spent') return new Fault('APPROVAL_SPENT', 'it was approved and used')
  return new Fault('APPROVAL_DECIDED', `it is ${state}`)
}

/** Why an approval in this state can't be used. */
export function unspendable(state: Exclude<ApprovalState, 'approved'>): Fault {
  if (state === 'pending') return new Fault('APPROVAL_PENDING', 'not everybody who is asked has agreed yet')
  if (state === 'denied') return new Fault('APPROVAL_DENIED', 'a person denied it')
  if (state === 'expired') return new Fault('APPROVAL_EXPIRED', 'the deadline has passed')
  return new Fault('APPROVAL_SPENT', 'it was used before')
}
