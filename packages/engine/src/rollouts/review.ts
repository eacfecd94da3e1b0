/** Reviews: by people that the charter in force names, never by the author, of exactly the texts that they saw. */
import { Fault } from '@ephor/contract'
import { charterInForce, entryOf, getProposal, requireSomeone, reviewsOf } from './context.ts'
import type { Context } from './context.ts'
import { isPending, missingReviews, requireReviewer } from './rules.ts'
import { insertReview, moveProposal } from './store.ts'
import type { Review } from './types.ts'

export type Verdict = { verdict: 'approve' | 'reject'; version: string; note?: string | undefined }

/** @throws Fault PROPOSAL_CLOSED, PROPOSAL_STALE, REVIEW_SELF, AUTHORITY_MISSING, BUNDLE_INVALID; CONFLICT for another version or a second review. */
export async function review(context: Context, id: string, by: string, { verdict, version, note }: Verdict): Promise<void> {
  const { ledger, policy, clock, people } = context
  const proposal = await getProposal(context, id)
  const charter = charterInForce(context)
  requireReviewer(charter, proposal, requireSomeone(context, by))
  if (!isPending(proposal)) throw new Fault('PROPOSAL_CLOSED', `${id} is ${proposal.state}`)
  if (version !== proposal.version) throw new Fault('CONFLICT', `${id} is of ${proposal.version}, and you saw ${version}`)
  const { version: active } = policy.versions.live()
  if (active !== proposal.base) throw new Fault('PROPOSAL_STALE', `${active ?? 'nothing'} is active now, not ${proposal.base ?? 'nothing'}`)
  if (!(await policy.versions.files(version))) throw new Fault('BUNDLE_INVALID', `what is stored as ${version} is something else`)
  const mine: Review = { person: by, verdict, version }
  const missing = missingReviews(charter, proposal, [...(await reviewsOf(context, charter, proposal)), mine], people())
  const state = verdict === 'reject' ? 'rejected' : missing.length === 0 ? 'approved' : 'open'
  const at = clock.now()
  const said = note === undefined ? undefined : { by, words: { note } }
  await ledger.append({
    changes: [insertReview(id, mine, at), moveProposal(proposal, { state, at })],
    entries: [{ ...entryOf('reviewed', proposal, { by, verdict, state, movedAt: at }, said), id: `${id}/review/${by}` }],
  })
}
