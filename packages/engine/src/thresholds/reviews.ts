/** Sampled review: which permits a person should look at afterwards, by the record alone, and which somebody has looked at. */
import { hash } from 'node:crypto'
import type { JsonObject } from '@ephor/engine/kernel'
import { actionOf } from './tally.ts'

/** A permit of the sample. */
export type Sampled = { decision: string; /** RFC 3339 */ at: string; agent: string; action: string; policy: string; percent: number }

export type Reviews = { since: number; due: Sampled[]; /** Due beyond these. */ more: number; done: number }

/** Reviews that are listed at once. */
const LISTED = 200

/**
 * By the decision's id, which Ephor draws at random after the agent has asked: nobody can choose to be left out, and who
 * reads the record finds the same sample.
 */
export function isSampled(decision: string, percent: number): boolean {
  return Number.parseInt(hash('sha256', `review\n${decision}`, 'hex').slice(0, 8), 16) < (percent / 100) * 2 ** 32
}

/** @param sampled in their order, by decision; what is reported leaves it */
export function seeReview(sampled: Map<string, Sampled>, done: Set<string>, body: JsonObject): void {
  if (body['type'] === 'decision.reported') {
    const decision = body['decision'] as string
    if (sampled.delete(decision)) done.add(decision)
    return
  }
  if (body['type'] !== 'decision' || body['effect'] !== 'permit') return
  const obligations = (body['obligations'] ?? []) as { kind: string; percent: number; policy: string }[]
  const review = obligations.find(({ kind }) => kind === 'review')
  const { id, at, principal } = body as { id: string; at: string; principal: { id: string } }
  if (!review || !isSampled(id, review.percent)) return
  const { policy, percent } = review
  sampled.set(id, { decision: id, at, agent: principal.id, action: actionOf(body), policy, percent })
}

export function reviewsOf(since: number, sampled: ReadonlyMap<string, Sampled>, done: ReadonlySet<string>): Reviews {
  const due = [...sampled.values()]
  return { since, due: due.slice(0, LISTED), more: Math.max(0, due.length - LISTED), done: done.size }
}
