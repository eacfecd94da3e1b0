/** A person's vote: who may give it, that it counts once, what it decides, and that the same request gets the same answer. */
import { hash } from 'node:crypto'
import { Fault } from '@ephor/contract'
import type { PersonPrincipal } from '@ephor/contract'
import { checkRecord } from './check-record.ts'
import type { Context } from './context.ts'
import { escalate } from './escalate.ts'
import { entryOf } from './parts.ts'
import { getApproval } from './reads.ts'
import { afterVote, asksFor, expiryOf, isAnswered, passingAt, undecidable } from './rules.ts'
import { findByKey, insertVote, markVoted } from './store.ts'
import type { VoteKey } from './store.ts'
import type { Approval, Verdict, Vote } from './types.ts'

/** Hashes, since keys and requests are the client's words; the key salts the request, whose note may be short. */
function voteKey(id: string, person: string, { idempotencyKey, verdict, digest, note }: Verdict): VoteKey | undefined {
  if (idempotencyKey === undefined) return undefined
  const key = JSON.stringify([person, idempotencyKey])
  return { key: hash('sha256', key, 'hex'), request: hash('sha256', JSON.stringify([key, id, verdict, digest, note]), 'hex') }
}

/** What the entry says of the key and the request: SHA-256, base64url. */
export function digestOfKey({ key, request }: VoteKey): string {
  return hash('sha256', `${key}\n${request}`, 'base64url')
}

/** The answer to the same request sent before, if it was. @throws Fault IDEMPOTENCY_MISMATCH. */
async function answeredBefore(context: Context, key: VoteKey | undefined): Promise<Approval | undefined> {
  const before = key && (await findByKey(context.store, key.key))
  if (!before) return undefined
  if (before.request !== key.request) throw new Fault('IDEMPOTENCY_MISMATCH', 'the key came with another decision before')
  return getApproval(context, before.approval)
}

/** Who voted for which ask: what the use of the approval is checked against. */
const answersOf = ({ asks }: Approval) => asks.map(({ policy, by }) => ({ policy, by }))

/** The vote, and with the last one that is needed the decision, in one unit. */
async function write(
  { ledger, waiting }: Context,
  approval: Approval,
  { session }: PersonPrincipal,
  vote: Vote,
  key: VoteKey | undefined,
): Promise<Approval> {
  const { note, by, verdict, policies, at } = vote
  const { state, asks } = afterVote(approval.asks, vote)
  const isDecided = state !== 'pending'
  const expiresAt = state === 'denied' ? approval.expiresAt : expiryOf({ ...approval, asks }, at)
  const after: Approval = {
    ...approval,
    state,
    asks,
    expiresAt,
    step: approval.step + 1,
    votes: [...approval.votes, vote],
    ...(isDecided ? { decidedAt: at } : {}),
  }
  // A person wrote the note about whomever they liked: it is theirs to have erased, so no body and no row holds it.
  const payloads = note === undefined ? [] : [{ name: 'note', subject: by, value: note }]
  const sent = key === undefined ? {} : { sent: digestOfKey(key) }
  const entries = [{ ...entryOf('voted', approval, { verdict, by, session, policies, votedAt: at, ...sent }), payloads }]
  const voters = [...new Set(after.votes.map((one) => one.by))]
  if (isDecided) entries.push({ ...entryOf('decided', approval, { verdict, by: voters, answers: answersOf(after) }), payloads: [] })
  await ledger.append({ changes: [markVoted(approval, after, at), insertVote(approval.id, vote, key)], entries })
  waiting.tell(after)
  return after
}

/** One try, from what is there now; undefined when something else came first: then it is looked at anew. */
async function vote(context: Context, approval: Approval, person: PersonPrincipal, said: Verdict, key: VoteKey | undefined) {
  const at = context.clock.now()
  const own = asksFor(approval, person.id, context.inGroup)
  if (approval.digest !== said.digest) throw new Fault('CONFLICT', 'the digest is not the one of this approval: look at it again')
  if (approval.state !== 'pending') throw undecidable(approval.state)
  await checkRecord(context, approval)
  const open = own.filter(({ by }) => !by.includes(person.id))
  if (open.length === 0) throw new Fault('APPROVAL_VOTED', 'your vote on this counts already')
  // An ask that has its quorum needs no more votes; whoever could have answered it may still say no.
  const policies = open.filter((ask) => said.verdict === 'deny' || !isAnswered(ask)).map(({ policy }) => policy)
  if (policies.length === 0) throw new Fault('APPROVAL_DECIDED', 'what is yours to answer has been answered; others are still asked')
  const { verdict, note } = said
  const cast: Vote = { step: approval.step, by: person.id, verdict, policies, at, ...(note === undefined ? {} : { note }) }
  return write(context, approval, person, cast, key)
}

export async function decide(context: Context, id: string, person: PersonPrincipal, said: Verdict): Promise<Approval> {
  const key = voteKey(id, person.id, said)
  for (let last: number | undefined; ;) {
    const before = await answeredBefore(context, key)
    if (before) return before
    const approval = await getApproval(context, id)
    if (last === undefined) said.expect?.(approval)
    const now = context.clock.now()
    try {
      if (approval.state !== 'pending' || passingAt(approval, now).length === 0) return await vote(context, approval, person, said, key)
      // The group that was asked first decides no more, whether or not the sweeper came by.
      await escalate(context, approval, now)
    } catch (error) {
      // Somebody was faster: another vote, the same request sent twice at once, or the deadline. Each leaves a later step or an end.
      const isRace = error instanceof Fault && error.code === 'CONFLICT' && approval.digest === said.digest && approval.step !== last
      if (!isRace) throw error
    }
    last = approval.step
  }
}
