/** The law of approvals as a property: over any interleaving of steps, at most one use, and none without an approval in time. */
import type { PersonPrincipal } from '@ephor/contract'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { digestOf, faultOf, MINUTE, openWorld } from './test-world.ts'
import type { World } from './test-world.ts'

let world: World
let people: Record<0 | 1, PersonPrincipal>
beforeAll(async () => {
  world = await openWorld()
  people = { 0: await world.newPerson(), 1: await world.newPerson() }
})
afterAll(() => world.end())

/** Steps of one round start together; rounds follow one another. */
const step = fc.oneof(
  fc.record({ kind: fc.constantFrom('approve' as const, 'deny' as const), person: fc.constantFrom(0 as const, 1 as const) }),
  fc.record({ kind: fc.constantFrom('spend' as const, 'spend forged' as const, 'spend swapped' as const, 'sweep' as const) }),
  fc.record({ kind: fc.constant('time' as const), ms: fc.constantFrom(1, MINUTE / 2, MINUTE) }),
)
const rounds = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 })

test('an approval is used at most once, and never without an approval before its deadline', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(rounds, async (plan) => {
      const { approvals, clock } = world
      const held = await world.hold({ ttlMs: MINUTE })
      const events: ('approve' | 'deny' | 'spend' | 'spend swapped')[] = []
      const note = async (event: (typeof events)[number], done: Promise<string>) => {
        const at = clock.now()
        if ((await done) !== 'none') return
        expect(at).toBeLessThan(held.expiresAt)
        events.push(event)
      }
      for (const round of plan) {
        const now = (await approvals.find(held.id)) ?? held
        await Promise.all(
          round.map(async (one) => {
            if ('person' in one) {
              const verdict = { verdict: one.kind, digest: held.digest }
              await note(one.kind, faultOf(approvals.decide(held.id, people[one.person], verdict)))
            } else if (one.kind === 'time') clock.move(one.ms)
            else if (one.kind === 'sweep') await approvals.sweep(clock.now())
            else if (one.kind === 'spend') await note('spend', world.spend(now))
            else if (one.kind === 'spend forged') await note('spend', world.spend({ ...now, state: 'approved', expiresAt: Infinity }))
            else await note('spend swapped', world.spend(now, digestOf('other')))
          }),
        )
      }
      // One decision at most, first; one use at most, after an approval.
      expect([[], ['approve'], ['deny'], ['approve', 'spend']]).toContainEqual(events)
      // What the ledger says is what happened.
      const [decided, spent, expired] = await Promise.all(
        ['decided', 'spent', 'expired'].map((kind) => world.ledger.find(`${held.id}/${kind}`)),
      )
      expect(decided?.body['verdict']).toBe(events[0])
      expect(spent !== undefined).toBe(events.includes('spend'))
      expect(spent !== undefined && expired !== undefined).toBe(false)
      const decidedState = events[0] === 'deny' ? ['denied'] : ['pending', 'approved', 'expired']
      const possible = spent ? ['spent'] : expired ? ['expired'] : decidedState
      expect(possible).toContain((await approvals.find(held.id))?.state)
    }),
    { numRuns: 60 },
  )
})
