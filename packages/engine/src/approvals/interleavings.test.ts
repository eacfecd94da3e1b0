/** The laws of approvals as properties: over any interleaving, at most one use, and none without everybody who is asked, in time. */
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

const LOOKS = ['find', 'approve', 'spend', 'wait', 'list', 'sweep'] as const
const look = fc.constantFrom(...LOOKS)
const jump = fc.constantFrom(MINUTE / 2, MINUTE, 2 * MINUTE, -MINUTE, -3 * MINUTE)

test('what was said to have expired stays so, whatever the clock does before anybody sweeps', { timeout: 60_000 }, async () => {
  let told = 0
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.array(look, { maxLength: 3 }), jump), { minLength: 2, maxLength: 6 }), async (plan) => {
      const { approvals, clock } = world
      const held = await world.hold({ ttlMs: MINUTE })
      let seen = held
      const sayings: Record<(typeof LOOKS)[number], () => Promise<unknown>> = {
        find: async () => (seen = (await approvals.find(held.id)) ?? held).state,
        approve: () => faultOf(approvals.decide(held.id, people[0], { verdict: 'approve', digest: held.digest })),
        spend: () => world.spend(seen),
        wait: async () => (await approvals.wait(held.id, 0, AbortSignal.timeout(1000))).state,
        list: async () => (await approvals.list({ limit: 100 })).items.find(({ id }) => id === held.id)?.state,
        sweep: () => approvals.sweep(clock.now()),
      }
      let isOver = false
      for (const [words, ms] of plan) {
        const said = await Promise.all(words.map((word) => sayings[word]()))
        isOver ||= said.some((word) => word === 'expired' || word === 'APPROVAL_EXPIRED')
        clock.move(ms)
        if (!isOver) continue
        told++
        expect((await approvals.find(held.id))?.state).toBe('expired')
        expect(await world.ledger.find(`${held.id}/expired`)).toBeDefined()
        expect(await faultOf(approvals.decide(held.id, people[1], { verdict: 'approve', digest: held.digest }))).toBe('APPROVAL_EXPIRED')
        expect(await world.spend({ ...held, state: 'approved' })).not.toBe('none')
      }
    }),
    { numRuns: 60 },
  )
  expect(told, 'the plans reach the deadline').toBeGreaterThan(10)
})

const GROUPS = [['finance'], ['finance'], ['finance', 'security'], ['cfo'], ['cfo', 'security'], []]
const ASKS = [
  { policy: 'money', reason: 'r', group: 'finance', quorum: 2, deadlineMs: MINUTE, escalate: 'cfo' },
  { policy: 'safety', reason: 'r', group: 'security', quorum: 1, deadlineMs: 3 * MINUTE },
]
function whoDecides(policy: string, age: number, passed: boolean): string {
  if (policy === 'safety') return 'security'
  // What was passed on stays so, also when the clock goes back.
  return passed || age >= MINUTE ? 'cfo' : 'finance'
}

const move = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('approve' as const), who: fc.nat(GROUPS.length - 1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deny' as const), who: fc.nat(GROUPS.length - 1) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('spend' as const, 'sweep' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.constantFrom(MINUTE / 2, MINUTE, -MINUTE / 4) }) },
)

test(
  'what is used was agreed to by a quorum of those who could decide each ask, and denied by none of them',
  { timeout: 60_000 },
  async () => {
    const crowd = await Promise.all(GROUPS.map((groups) => world.newPerson(groups)))
    const groupsOf = new Map(crowd.map(({ id }, i) => [id, GROUPS[i] ?? []]))
    let used = 0
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(move, { minLength: 1, maxLength: 5 }), { minLength: 2, maxLength: 8 }), async (plan) => {
        const { approvals, clock } = world
        const held = await world.hold({ asks: ASKS, ttlMs: 5 * MINUTE })
        for (const round of plan) {
          const now = (await approvals.find(held.id)) ?? held
          await Promise.all(
            round.map(async (one) => {
              if ('who' in one)
                await faultOf(approvals.decide(held.id, crowd[one.who] as PersonPrincipal, { verdict: one.kind, digest: held.digest }))
              else if (one.kind === 'time') clock.move(one.ms)
              else if (one.kind === 'sweep') await approvals.sweep(clock.now())
              else await world.spend(now)
            }),
          )
        }
        const after = await approvals.find(held.id)
        const isUsed = (await world.ledger.find(`${held.id}/spent`)) !== undefined
        expect(isUsed).toBe(after?.state === 'spent')
        const votes = after?.votes ?? []
        const steps = await Promise.all(Array.from({ length: after?.step ?? 0 }, (_, n) => world.ledger.find(`${held.id}/step/${n}`)))
        const passing = steps.findIndex((entry) => entry?.body['type'] === 'approval.escalated')
        const passedAt = passing < 0 ? Infinity : passing
        // Whoever voted could at that time, for exactly these asks, and never twice for one.
        for (const { step, by, at, policies } of votes.filter(({ verdict }) => verdict === 'approve'))
          for (const policy of policies) expect(groupsOf.get(by)).toContain(whoDecides(policy, at - held.openedAt, step > passedAt))
        for (const { by } of after?.asks ?? []) expect(new Set(by).size).toBe(by.length)
        if (!isUsed) return
        used++
        expect(votes.map(({ verdict }) => verdict)).not.toContain('deny')
        for (const { policy, quorum } of ASKS)
          expect(new Set(votes.filter(({ policies }) => policies.includes(policy)).map(({ by }) => by)).size).toBeGreaterThanOrEqual(quorum)
      }),
      { numRuns: 150 },
    )
    expect(used, 'the plans reach the use').toBeGreaterThan(3)
  },
)
