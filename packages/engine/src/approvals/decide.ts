/** A person's decision: who may make it, that it is made once, and that the same request gets the same answer. */
import { hash } from 'node:crypto'
import { Fault } from '@ephor/contract'
import type { PersonPrincipal } from '@ephor/contract'
import type { Context } from './context.ts'
import { entryOf } from './parts.ts'
import { getApproval } from './reads.ts'
import { requireMayDecide, undecidable } from './rules.ts'
import { findByKey, markDecided } from './store.ts'
import type { DecisionKey } from './store.ts'
import type { Approval, Verdict } from './types.ts'

/** Hashes, since keys and requests are the client's words; the key salts the request, whose note may be short. */
function decisionKey(id: string, person: string, { idempotencyKey, verdict, digest, note }: Verdict): DecisionKey | undefined {
  if (idempotencyKey === undefined) return undefined
  const key = JSON.stringify([person, idempotencyKey])
  return { key: hash('sha256', key, 'hex'), request: hash('sha256', JSON.stringify([key, id, verdict, digest, note]), 'hex') }
}

/** The answer to the same request sent before, if it was. @throws Fault IDEMPOTENCY_MISMATCH. */
async function answeredBefore(context: Context, decision: DecisionKey | undefined): Promise<Approval | undefined> {
  const before = decision && (await findByKey(context.store, decision.key))
  if (!before) return undefined
  if (before.request !== decision.request) throw new Fault('IDEMPOTENCY_MISMATCH', 'the key came with another decision before')
  return getApproval(context, before.id)
}

async function write(context: Context, approval: Approval, person: PersonPrincipal, verdict: Verdict, key: DecisionKey | undefined) {
  const { ledger, clock, waiting } = context
  const at = clock.now()
  const state = verdict.verdict === 'approve' ? 'approved' : 'denied'
  const entry = entryOf('decided', approval, { verdict: verdict.verdict, by: person.id, session: person.session })
  // A person wrote the note about whomever they liked: it is theirs to have erased, so no body and no row holds it.
  const payloads = verdict.note === undefined ? [] : [{ name: 'note', subject: person.id, value: verdict.note }]
  await ledger.append({ changes: [markDecided(approval, { state, by: person.id, at, key })], entries: [{ ...entry, payloads }] })
  const decided: Approval = { ...approval, state, decidedBy: person.id, decidedAt: at }
  waiting.tell(decided)
  return verdict.note === undefined ? decided : { ...decided, note: verdict.note }
}

export async function decide(context: Context, id: string, person: PersonPrincipal, verdict: Verdict): Promise<Approval> {
  const key = decisionKey(id, person.id, verdict)
  const before = await answeredBefore(context, key)
  if (before) return before
  const approval = await getApproval(context, id)
  requireMayDecide(approval, person.id, context.inGroup)
  if (approval.digest !== verdict.digest) throw new Fault('CONFLICT', 'the digest is not the one of this approval: look at it again')
  if (approval.state !== 'pending') throw undecidable(approval.state)
  try {
    return await write(context, approval, person, verdict, key)
  } catch (error) {
    // Somebody was faster: the same request sent twice at once, another person, or the deadline.
    const meanwhile = await answeredBefore(context, key)
    if (meanwhile) return meanwhile
    throw error
  }
}
