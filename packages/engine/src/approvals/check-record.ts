/** Holds the rows of an approval against the ledger: rows can be rewritten by whoever can write the database, entries can't unseen. */
import { isDeepStrictEqual } from 'node:util'
import { Fault } from '@ephor/contract'
import type { JsonObject } from '@ephor/engine/kernel'
import type { Context } from './context.ts'
import { sealedAsk } from './parts.ts'
import { isQuorum } from './rules.ts'
import type { Answered, Approval, ApprovalAsk } from './types.ts'

const corrupt = (id: string, what: string) => new Fault('STORE_CORRUPT', `${what} of ${id} is not what the ledger says`)

/**
 * Before a vote, since the entry that seals a decision repeats the votes before it.
 * @throws Fault STORE_CORRUPT when digest, requesters, asks, escalations or votes are not the ones in the ledger.
 */
export async function checkRecord({ ledger }: Context, approval: Approval): Promise<void> {
  const { id, digest, requesters, asks, votes, step } = approval
  const [opened, ...steps] = await Promise.all(
    ['opened', ...Array.from({ length: step }, (_, n) => `step/${n}`)].map(async (place) => (await ledger.find(`${id}/${place}`))?.body),
  )
  const sealed = { digest: opened?.['digest'], requesters: opened?.['requesters'], asks: opened?.['asks'] }
  if (!isDeepStrictEqual(sealed, { digest, requesters, asks: asks.map(sealedAsk) })) throw corrupt(id, 'what is asked')
  const of = (type: string) => steps.filter((body): body is JsonObject => body?.['type'] === `approval.${type}`)
  const cast = of('voted').map(({ by, verdict, policies }) => ({ by, verdict, policies }))
  const passed = new Set(of('escalated').flatMap((body) => body['policies'] as string[]))
  const isComplete = cast.length + of('escalated').length === step
  const rows = votes.map(({ by, verdict, policies }) => ({ by, verdict, policies }))
  if (!isComplete || !isDeepStrictEqual(cast, rows)) throw corrupt(id, 'the list of votes')
  if (asks.some(({ policy, escalated }) => escalated !== passed.has(policy))) throw corrupt(id, 'who is asked')
}

/** @throws Fault STORE_CORRUPT when no entry says that this was approved. */
export async function readAnswered({ ledger }: Context, { id, digest }: Approval, asks: readonly ApprovalAsk[]): Promise<Answered> {
  const body = (await ledger.find(`${id}/decided`))?.body
  if (body?.['verdict'] !== 'approve' || body['digest'] !== digest) throw corrupt(id, 'the decision')
  // Absent in what was decided before there were quorums: that answers nothing now.
  const answers = (body['answers'] ?? []) as { policy: string; by: string[] }[]
  const votersOf = new Map(answers.map(({ policy, by }) => [policy, new Set(by)]))
  const answered = asks.filter(({ policy, quorum }) => isQuorum(votersOf.get(policy)?.size ?? 0, quorum))
  return {
    policies: answered.map(({ policy }) => policy),
    by: [...new Set(answered.flatMap(({ policy }) => [...(votersOf.get(policy) ?? [])]))],
  }
}
