/** Sampled review: a share of what is permitted is due for a look, a report ends it, and the agent has no say in which. */
import { makeId } from '@ephor/contract'
import { callOf, openWorld } from '@ephor/testkit'
import { expect, test } from 'vitest'
import { openThresholds } from './open-thresholds.ts'
import { isSampled, reviewsOf, seeReview } from './reviews.ts'
import type { Sampled } from './reviews.ts'

const POLICIES = {
  'a.cedar': `@id("notes") @reason("Fine.") @obligation("review:40%") permit (principal is Agent, action in Action::"write", resource);
@id("more") @reason("Fine too.") @obligation("review:10%") permit (principal is Agent, action in Action::"write", resource);
@id("reads") @reason("Fine.") permit (principal is Agent, action in Action::"read", resource);
`,
}

test('the largest share that permits ask for is due, in order, until somebody reports', async () => {
  const world = await openWorld({ policies: POLICIES })
  const { bearer } = await world.agent()
  const thresholds = openThresholds({ ledger: world.ledger, policy: world.policy, clock: world.clock })
  const since = world.clock.now()
  const ask = async (name: string, input: object) => {
    const asked = await world.broker.perform(callOf(bearer, name, input as never), async () => ({ isError: false, value: 'ok' }))
    expect(asked.kind).toBe('done')
    return asked.decision
  }
  const made: string[] = []
  for (let i = 0; i < 60; i++) made.push(await ask('note', { text: `${i}` }))
  const read = await ask('look', {})
  const { due, more, done } = await thresholds.reviews(since)
  expect(due.map(({ decision }) => decision)).toEqual(made.filter((decision) => isSampled(decision, 40)))
  expect(due[0]).toMatchObject({ action: 'box/note', policy: 'a/notes', percent: 40 })
  expect({ more, done }).toEqual({ more: 0, done: 0 })
  expect(due.map(({ decision }) => decision)).not.toContain(read)

  const [first, second] = due.map(({ decision }) => decision)
  await thresholds.report(first ?? '', world.person.id, { harmful: false })
  await thresholds.report(second ?? '', world.person.id, { harmful: true, note: 'it was' })
  const after = await thresholds.reviews(since)
  expect(after.done).toBe(2)
  expect(after.due).toEqual(due.slice(2))
  expect((await thresholds.health(since)).harmed).toMatchObject([{ action: 'box/note', harmful: 1 }])
  await world.close()
})

test('the sample has the size that was asked for, and a larger one contains a smaller one', () => {
  const ids = Array.from({ length: 20_000 }, (_, i) => makeId('dec', i, crypto.getRandomValues(new Uint8Array(10))))
  for (const percent of [1, 5, 40, 100]) {
    const share = ids.filter((id) => isSampled(id, percent)).length / ids.length
    expect(Math.abs(share - percent / 100)).toBeLessThan(0.02)
  }
  expect(ids.filter((id) => isSampled(id, 5)).every((id) => isSampled(id, 40))).toBe(true)
})

test('nothing that was held or refused is due, a report of somebody else’s decision ends nothing, and the list is bounded', () => {
  const [sampled, done] = [new Map<string, Sampled>(), new Set<string>()]
  const obligations = [{ kind: 'review', percent: 100, policy: 'a/notes' }]
  const decided = (id: string, effect: string) => ({
    type: 'decision',
    id,
    effect,
    at: '2026-01-01T00:00:00.000Z',
    method: 'tools/call',
    door: 'mcp',
    obligations,
    principal: { type: 'agent', id: 'agt_1' },
    tool: { server: 'box', name: 'note' },
  })
  seeReview(sampled, done, decided('dec_held', 'hold'))
  seeReview(sampled, done, decided('dec_refused', 'deny'))
  for (let i = 0; i < 205; i++) seeReview(sampled, done, decided(`dec_${i}`, 'permit'))
  seeReview(sampled, done, { type: 'decision.reported', decision: 'dec_other', harmful: false })
  const { due, more, done: ended } = reviewsOf(0, sampled, done)
  expect([due.length, more, ended, due[0]?.decision]).toEqual([200, 5, 0, 'dec_0'])
})
