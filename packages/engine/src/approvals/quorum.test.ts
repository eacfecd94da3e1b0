/** Several people, several asks: quorum, veto and escalation, and the attacks on them: double votes, races, swaps, rewritten rows. */
import type { PersonPrincipal } from '@ephor/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Approval, ApprovalAsk } from './index.ts'
import { digestOf, faultOf, MINUTE, openWorld } from './test-world.ts'
import type { World } from './test-world.ts'

let world: World
let fred: PersonPrincipal
let fay: PersonPrincipal
let sam: PersonPrincipal
let boss: PersonPrincipal
let both: PersonPrincipal
beforeAll(async () => {
  world = await openWorld()
  fred = await world.newPerson(['finance'])
  fay = await world.newPerson(['finance'])
  sam = await world.newPerson(['security'])
  boss = await world.newPerson(['cfo'])
  both = await world.newPerson(['finance', 'security'])
})
afterAll(() => world.end())

const ask = (group: string, quorum = 1, more: Partial<ApprovalAsk> = {}): ApprovalAsk => ({
  policy: `needs-${group}`,
  reason: 'Money leaves.',
  group,
  quorum,
  ...more,
})
const vote =
  (verdict: 'approve' | 'deny') =>
  (by: PersonPrincipal, { id, digest }: Approval) =>
    world.approvals.decide(id, by, { verdict, digest })
const approve = vote('approve')
const deny = vote('deny')
const found = async ({ id }: Approval) => (await world.approvals.find(id)) as Approval
const votersOf = ({ asks }: Approval) => asks.map(({ by }) => by)
const bodyOf = async ({ id }: Approval, place: string) => (await world.ledger.find(`${id}/${place}`))?.body

describe('a quorum', () => {
  test('is reached by different people, and each vote is on record', async () => {
    const held = await world.hold({ asks: [ask('finance', 2)] })
    const first = await approve(fred, held)
    expect(first).toMatchObject({ state: 'pending', asks: [{ quorum: 2, by: [fred.id] }] })
    expect(await world.spend(first)).toBe('APPROVAL_PENDING')
    const second = await approve(fay, held)
    expect(second).toMatchObject({ state: 'approved', asks: [{ by: [fred.id, fay.id] }] })
    expect(await bodyOf(held, 'step/0')).toMatchObject({
      type: 'approval.voted',
      by: fred.id,
      session: fred.session,
      policies: ['needs-finance'],
    })
    expect(await bodyOf(held, 'step/1')).toMatchObject({ type: 'approval.voted', by: fay.id, digest: held.digest })
    const answers = [{ policy: 'needs-finance', by: [fred.id, fay.id] }]
    expect(await bodyOf(held, 'decided')).toMatchObject({ verdict: 'approve', by: [fred.id, fay.id], answers })
    expect(await world.spend(await found(held))).toBe('none')
  })

  test('is not reached by one person with two sessions, nor twice at once', async () => {
    const held = await world.hold({ asks: [ask('finance', 2)] })
    await approve(fred, held)
    expect(await faultOf(approve({ ...fred, session: 'ses_another' }, held))).toBe('APPROVAL_VOTED')
    const other = await world.hold({ asks: [ask('finance', 2)] })
    const race = await Promise.all([1, 2, 3].map((n) => faultOf(approve({ ...fred, session: `ses_${n}` }, other))))
    expect(race.toSorted()).toEqual(['APPROVAL_VOTED', 'APPROVAL_VOTED', 'none'])
    expect((await found(other)).state).toBe('pending')
  })

  test('is reached once when many votes race for it, and the ledger has exactly the votes that count', async () => {
    const people = await Promise.all(Array.from({ length: 8 }, () => world.newPerson(['finance'])))
    const held = await world.hold({ asks: [ask('finance', 3)] })
    const before = (await world.ledger.head()).size
    const race = await Promise.all(people.map((person) => faultOf(approve(person, held))))
    expect(race.filter((fault) => fault === 'none')).toHaveLength(3)
    expect(race.filter((fault) => fault === 'APPROVAL_DECIDED')).toHaveLength(5)
    expect((await world.ledger.head()).size).toBe(before + 4)
    const { state, asks } = await found(held)
    expect([state, new Set(asks[0]?.by).size]).toEqual(['approved', 3])
  })

  test('counts neither requesters, nor people in no group that is asked, nor votes on another call', async () => {
    const held = await world.hold({ asks: [ask('finance', 2)], requesters: [fred.id] })
    expect(await faultOf(approve(fred, held))).toBe('APPROVAL_SELF')
    expect(await faultOf(approve(sam, held))).toBe('FORBIDDEN')
    expect(await faultOf(deny(sam, held))).toBe('FORBIDDEN')
    expect(await faultOf(approve(fay, { ...held, digest: digestOf('another call') }))).toBe('CONFLICT')
    expect(votersOf(await found(held))).toEqual([[]])
  })

  test('takes membership at the time of the vote', async () => {
    const leaver = await world.newPerson(['finance'])
    const held = await world.hold({ asks: [ask('finance', 2)] })
    await approve(leaver, held)
    await world.identity.setGroups(leaver.id, [], world.identity.operator)
    expect((await approve(fay, held)).state).toBe('approved')
    const later = await world.hold({ asks: [ask('finance', 2)] })
    expect(await faultOf(approve(leaver, later))).toBe('FORBIDDEN')
  })

  test('survives a restart half-way', async () => {
    const held = await world.hold({ asks: [ask('finance', 2)] })
    const half = await approve(fred, held)
    await world.restart()
    expect(await found(held)).toEqual(half)
    expect(await faultOf(approve(fred, held))).toBe('APPROVAL_VOTED')
    expect((await approve(fay, held)).state).toBe('approved')
  })
})

describe('several asks', () => {
  test('must all be answered, by their own groups', async () => {
    const held = await world.hold({ asks: [ask('finance', 2), ask('security')] })
    await approve(fred, held)
    await approve(fay, held)
    expect(await found(held)).toMatchObject({ state: 'pending', asks: [{ by: [fred.id, fay.id] }, { by: [] }] })
    expect(await faultOf(approve(boss, held))).toBe('FORBIDDEN')
    expect((await approve(sam, held)).state).toBe('approved')
  })

  test('take no votes beyond their quorum, but a denial still', async () => {
    const held = await world.hold({ asks: [ask('finance'), ask('security')] })
    await approve(fred, held)
    expect(await faultOf(approve(fay, held))).toBe('APPROVAL_DECIDED')
    expect((await deny(fay, held)).state).toBe('denied')
  })

  test('may be answered by one vote where one person is in both groups, once in each', async () => {
    const held = await world.hold({ asks: [ask('finance', 2), ask('security')] })
    expect(votersOf(await approve(both, held))).toEqual([[both.id], [both.id]])
    expect(await faultOf(approve(both, held))).toBe('APPROVAL_VOTED')
    expect((await approve(fred, held)).state).toBe('approved')
  })

  test('end with one denial, whoever agreed before', async () => {
    const held = await world.hold({ asks: [ask('finance', 2), ask('security')] })
    await approve(fred, held)
    expect((await deny(sam, held)).state).toBe('denied')
    expect(await faultOf(approve(fay, held))).toBe('APPROVAL_DECIDED')
    expect(await world.spend({ ...(await found(held)), state: 'approved' })).toBe('APPROVAL_SPENT')
    expect(await bodyOf(held, 'decided')).toMatchObject({ verdict: 'deny', by: [fred.id, sam.id] })
  })

  test('end at the first deadline that passes unanswered; an answered one waits for the others', async () => {
    const asks = [ask('finance', 1, { deadlineMs: 2 * MINUTE }), ask('security', 1, { deadlineMs: 8 * MINUTE })]
    const missed = await world.hold({ asks })
    const answered = await world.hold({ asks })
    expect((await approve(fred, answered)).expiresAt).toBe(answered.openedAt + 8 * MINUTE)
    world.clock.move(2 * MINUTE)
    expect(await faultOf(approve(fred, missed))).toBe('APPROVAL_EXPIRED')
    const approved = await approve(sam, answered)
    expect(await world.spend(approved)).toBe('none')
  })

  test('of one policy, or none at all, are no approval', async () => {
    expect(await faultOf(world.hold({ asks: [ask('finance'), ask('finance')] }))).toBe('INTERNAL')
    expect(await faultOf(world.hold({ asks: [] }))).toBe('INTERNAL')
  })
})

describe('at its deadline', () => {
  const escalating = (quorum = 1) => ask('finance', quorum, { deadlineMs: 5 * MINUTE, escalate: 'cfo' })

  test('an ask passes to the next group for as long again, on record and announced', async () => {
    world.clock.move(60 * MINUTE)
    await world.approvals.sweep(world.clock.now())
    const held = await world.hold({ asks: [escalating()] })
    expect(held.expiresAt).toBe(held.openedAt + 10 * MINUTE)
    expect(await faultOf(approve(boss, held))).toBe('FORBIDDEN')
    world.clock.move(5 * MINUTE)
    const told: Approval[] = []
    const off = world.approvals.on((approval) => void told.push(approval))
    expect(await world.approvals.sweep(world.clock.now())).toBe(1)
    expect(await world.approvals.sweep(world.clock.now())).toBe(0)
    off()
    expect(told).toMatchObject([{ id: held.id, state: 'pending', asks: [{ escalated: true }] }])
    expect(await bodyOf(held, 'step/0')).toMatchObject({ type: 'approval.escalated', policies: ['needs-finance'], to: ['cfo'] })
    expect(await faultOf(approve(fred, held))).toBe('FORBIDDEN')
    expect(await faultOf(deny(fred, held))).toBe('FORBIDDEN')
    expect(await world.spend(await approve(boss, held))).toBe('none')
  })

  test('it passes on for a vote that comes before the sweeper, and the first group is too late', async () => {
    const held = await world.hold({ asks: [escalating()] })
    world.clock.move(5 * MINUTE)
    expect(await faultOf(approve(fred, held))).toBe('FORBIDDEN')
    expect(await bodyOf(held, 'step/0')).toMatchObject({ type: 'approval.escalated' })
    expect((await approve(boss, held)).state).toBe('approved')
  })

  test('votes that were given still count, the people who gave them not twice, and the quorum stays', async () => {
    const chief = await world.newPerson(['finance', 'cfo'])
    const held = await world.hold({ asks: [escalating(2)] })
    await approve(chief, held)
    world.clock.move(5 * MINUTE)
    expect(await faultOf(approve(chief, held))).toBe('APPROVAL_VOTED')
    expect(await approve(boss, held)).toMatchObject({ state: 'approved', asks: [{ by: [chief.id, boss.id] }] })
  })

  test('somebody who voted on one ask may vote on another that passed to them', async () => {
    const either = await world.newPerson(['security', 'cfo'])
    const held = await world.hold({ asks: [escalating(), ask('security', 2)] })
    expect(votersOf(await approve(either, held))).toEqual([[], [either.id]])
    world.clock.move(5 * MINUTE)
    expect(votersOf(await approve(either, held))).toEqual([[either.id], [either.id]])
    expect((await approve(sam, held)).state).toBe('approved')
  })

  test('the second time it ends, also after a restart and a jump of the clock', async () => {
    const held = await world.hold({ asks: [escalating()] })
    world.clock.move(5 * MINUTE)
    await world.restart()
    await world.approvals.sweep(world.clock.now())
    expect((await found(held)).asks).toMatchObject([{ escalated: true }])
    // Back before the deadline: what was passed on stays so.
    world.clock.move(-MINUTE)
    expect(await faultOf(approve(fred, held))).toBe('FORBIDDEN')
    world.clock.move(6 * MINUTE)
    expect(await faultOf(approve(boss, held))).toBe('APPROVAL_EXPIRED')
    const slept = await world.hold({ asks: [escalating()] })
    world.clock.move(60 * MINUTE)
    await world.approvals.sweep(world.clock.now())
    expect((await found(slept)).state).toBe('expired')
  })

  test('an answered ask is not passed on', async () => {
    const held = await world.hold({ asks: [escalating(), ask('security')] })
    await approve(fred, held)
    world.clock.move(5 * MINUTE)
    await world.approvals.sweep(world.clock.now())
    expect((await found(held)).asks).toMatchObject([{ escalated: false }, {}])
    expect((await approve(sam, held)).state).toBe('approved')
  })
})

describe('whoever can write the database', () => {
  const asks = [ask('finance', 2)]

  test('approves nothing by setting the state', async () => {
    const held = await world.hold({ asks })
    await world.tamper("UPDATE approvals_request SET state = 'approved' WHERE id = ?", held.id)
    expect(await faultOf(world.approvals.answered(await found(held), asks))).toBe('STORE_CORRUPT')
  })

  test.each([
    ['a vote that nobody gave', (id: string) => world.tamper('UPDATE approvals_vote SET person = ? WHERE approval = ?', fay.id, id)],
    [
      'a lower quorum',
      (id: string) => world.tamper(`UPDATE approvals_request SET asks = replace(asks, '"quorum":2', '"quorum":1') WHERE id = ?`, id),
    ],
    [
      'another group',
      (id: string) =>
        world.tamper(`UPDATE approvals_request SET asks = replace(asks, '"group":"finance"', '"group":"cfo"') WHERE id = ?`, id),
    ],
    [
      'an early escalation',
      (id: string) =>
        world.tamper(
          `UPDATE approvals_request SET asks = replace(asks, '"escalated":false', '"escalated":true,"escalate":"cfo"') WHERE id = ?`,
          id,
        ),
    ],
    ['a requester struck out', (id: string) => world.tamper(`UPDATE approvals_request SET requesters = '[]' WHERE id = ?`, id)],
    ['a vote struck out', (id: string) => world.tamper('DELETE FROM approvals_vote WHERE approval = ?', id)],
    ['another call', (id: string) => world.tamper('UPDATE approvals_request SET digest = ? WHERE id = ?', digestOf('another call'), id)],
  ])('gets no further vote past %s', async (_, rewrite) => {
    const chief = await world.newPerson(['finance', 'cfo'])
    const held = await world.hold({ asks, requesters: [sam.id] })
    await approve(fred, held)
    await rewrite(held.id)
    expect(await faultOf(approve(chief, await found(held)))).toBe('STORE_CORRUPT')
    expect((await found(held)).state).toBe('pending')
  })

  test('answers no ask that the decision on record does not: a policy that asks for more is not satisfied', async () => {
    const held = await world.hold({ asks: [ask('finance', 1)] })
    const approved = await approve(fred, held)
    expect(await world.approvals.answered(approved, [ask('finance', 1)])).toEqual({ by: [fred.id], policies: ['needs-finance'] })
    expect(await world.approvals.answered(approved, [ask('finance', 2), ask('security')])).toEqual({ by: [], policies: [] })
    expect(await faultOf(world.approvals.answered({ ...approved, digest: digestOf('another call') }, asks))).toBe('STORE_CORRUPT')
  })
})
