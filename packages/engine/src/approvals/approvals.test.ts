/** What may become of an approval, and the attacks on it: replays, races, swaps, second thoughts, the wrong person. */
import type { PersonPrincipal } from '@ephor/contract'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Approval } from './index.ts'
import { AGENT, digestOf, faultOf, MINUTE, openWorld } from './test-world.ts'
import type { World } from './test-world.ts'

let world: World
let alice: PersonPrincipal
let bob: PersonPrincipal
beforeAll(async () => {
  world = await openWorld()
  alice = await world.newPerson()
  bob = await world.newPerson(['finance'])
})
afterAll(() => world.end())

const approve = ({ id, digest }: Approval, by: PersonPrincipal = alice) => world.approvals.decide(id, by, { verdict: 'approve', digest })
const deny = ({ id, digest }: Approval, by: PersonPrincipal = alice) => world.approvals.decide(id, by, { verdict: 'deny', digest })
const stateOf = async ({ id }: Approval) => (await world.approvals.find(id))?.state
/** As the broker finds it when the call comes again. */
const found = async ({ id }: Approval) => (await world.approvals.find(id)) as Approval
const never = new AbortController().signal

/** Lets everything that earlier tests left open run out. */
async function sweepAll(): Promise<void> {
  world.clock.move(60 * MINUTE)
  await world.approvals.sweep(world.clock.now())
}

/** The bodies of an approval's ledger entries, in order. */
async function entriesOf({ id }: Approval) {
  const places = ['opened', 'step/0', 'step/1', 'step/2', 'decided', 'spent', 'expired']
  const kinds = await Promise.all(places.map((place) => world.ledger.find(`${id}/${place}`)))
  return kinds.flatMap((entry) => (entry ? [entry.body] : []))
}

describe('an approved call', () => {
  test('may be made once, by exactly that call, and leaves an entry for each step', async () => {
    const approval = await world.hold()
    expect(await world.approvals.pendingFor(approval.digest)).toEqual(approval)
    const decided = await approve(approval)
    expect(decided).toMatchObject({ state: 'approved', votes: [{ by: alice.id }], decidedAt: world.clock.now() })
    expect(await world.approvals.pendingFor(approval.digest)).toEqual(decided)
    expect(await world.spend(decided)).toBe('none')
    expect(await found(approval)).toMatchObject({ state: 'spent', spentBy: expect.stringMatching(/^dec_/) })
    expect(await world.approvals.pendingFor(approval.digest)).toBeUndefined()
    const { digest, decision } = approval
    expect(await entriesOf(approval)).toMatchObject([
      { type: 'approval.opened', approval: approval.id, decision, digest, agent: AGENT, server: 'files', tool: 'move_file' },
      { type: 'approval.voted', approval: approval.id, decision, digest, verdict: 'approve', by: alice.id, session: alice.session },
      { type: 'approval.decided', approval: approval.id, decision, digest, verdict: 'approve', by: [alice.id] },
      { type: 'approval.spent', approval: approval.id, decision, digest },
    ])
  })

  test('cannot be replayed', async () => {
    const decided = await approve(await world.hold())
    expect(await world.spend(decided)).toBe('none')
    // What the attacker remembers still says `approved`; what the store says counts.
    expect(await world.spend(decided)).toBe('APPROVAL_SPENT')
    expect(await world.spend(await found(decided))).toBe('APPROVAL_SPENT')
  })

  test('is made by one of many that race for it, and the others leave nothing behind', async () => {
    const decided = await approve(await world.hold())
    const before = (await world.ledger.head()).size
    const race = await Promise.all(Array.from({ length: 20 }, () => world.spend(decided)))
    expect(race.filter((fault) => fault === 'none')).toHaveLength(1)
    expect(race.filter((fault) => fault === 'APPROVAL_SPENT')).toHaveLength(19)
    expect((await world.ledger.head()).size).toBe(before + 2)
  })

  test('is not another call', async () => {
    const decided = await approve(await world.hold())
    expect(await world.spend(decided, digestOf('another call'))).toBe('APPROVAL_MISMATCH')
    // Nor when the attacker brings an approval whose digest was changed to fit.
    const other = digestOf('another call')
    expect(await world.spend({ ...decided, digest: other }, other)).toBe('APPROVAL_SPENT')
    expect(await stateOf(decided)).toBe('approved')
  })

  test('is not made before anyone decided, after a denial, or by a forged state', async () => {
    const approval = await world.hold()
    expect(await world.spend(approval)).toBe('APPROVAL_PENDING')
    expect(await world.spend({ ...approval, state: 'approved' })).toBe('APPROVAL_SPENT')
    expect(await stateOf(approval)).toBe('pending')
    const denied = await deny(approval)
    expect(await world.spend(denied)).toBe('APPROVAL_DENIED')
    expect(await world.spend({ ...denied, state: 'approved' })).toBe('APPROVAL_SPENT')
    expect(await stateOf(approval)).toBe('denied')
  })

  test('is not made after its deadline, swept or not', async () => {
    const decided = await approve(await world.hold({ ttlMs: MINUTE }))
    world.clock.move(MINUTE)
    expect(await world.spend(decided)).toBe('APPROVAL_EXPIRED')
    expect(await world.spend({ ...decided, expiresAt: decided.expiresAt + MINUTE })).toBe('APPROVAL_SPENT')
    await world.approvals.sweep(world.clock.now())
    expect(await world.spend(await found(decided))).toBe('APPROVAL_EXPIRED')
    expect((await entriesOf(decided)).at(-1)).toMatchObject({ type: 'approval.expired', was: 'unused' })
  })
})

describe('a decision', () => {
  test('is final: no approval after a denial, no denial after an approval, nothing after the use', async () => {
    const [denied, approved, spent] = [await world.hold(), await world.hold(), await world.hold()]
    await deny(denied)
    expect(await faultOf(approve(denied, bob))).toBe('APPROVAL_DECIDED')
    await approve(approved)
    expect(await faultOf(deny(approved, bob))).toBe('APPROVAL_DECIDED')
    await world.spend(await approve(spent))
    expect(await faultOf(deny(spent, bob))).toBe('APPROVAL_SPENT')
    expect([await stateOf(denied), await stateOf(approved), await stateOf(spent)]).toEqual(['denied', 'approved', 'spent'])
  })

  test('is one when two people make it at once', async () => {
    const approval = await world.hold()
    const both = await Promise.all([faultOf(approve(approval, alice)), faultOf(deny(approval, bob))])
    expect(both.toSorted()).toEqual(['APPROVAL_DECIDED', 'none'])
    const decisions = (await entriesOf(approval)).filter((body) => body['type'] === 'approval.decided')
    expect(decisions).toHaveLength(1)
  })

  test('comes too late after the deadline', async () => {
    const approval = await world.hold({ ttlMs: MINUTE })
    world.clock.move(MINUTE)
    expect(await faultOf(approve(approval))).toBe('APPROVAL_EXPIRED')
    expect(await faultOf(deny(approval))).toBe('APPROVAL_EXPIRED')
    expect(await stateOf(approval)).toBe('expired')
  })

  test('is about what the person saw', async () => {
    const approval = await world.hold()
    const swapped = { verdict: 'approve', digest: digestOf('what was shown') } as const
    expect(await faultOf(world.approvals.decide(approval.id, alice, swapped))).toBe('CONFLICT')
    expect(await stateOf(approval)).toBe('pending')
    expect(await faultOf(world.approvals.decide('apr_0', alice, swapped))).toBe('APPROVAL_UNKNOWN')
  })

  test('is not made by a person for whom the call is made', async () => {
    const approval = await world.hold({ requesters: ['Alice Liddell', alice.id, alice.id] })
    expect(approval.requesters).toEqual([alice.id])
    expect(await faultOf(approve(approval, alice))).toBe('APPROVAL_SELF')
    expect(await faultOf(deny(approval, alice))).toBe('APPROVAL_SELF')
    expect(JSON.stringify(await entriesOf(approval))).not.toContain('Liddell')
    expect((await approve(approval, bob)).state).toBe('approved')
  })

  test('keeps the note out of the ledger’s bodies and the tables, for those who look at the approval', async () => {
    const { id, digest } = await world.hold()
    const note = 'Call Bob Dodgson first'
    expect(await world.approvals.decide(id, alice, { verdict: 'deny', digest, note })).toMatchObject({ votes: [{ note }] })
    expect((await world.approvals.find(id))?.votes[0]?.note).toBe(note)
    expect(JSON.stringify(await world.ledger.list({ limit: 500 }))).not.toContain('Dodgson')
    expect(JSON.stringify(await world.approvals.list({ limit: 500 }))).not.toContain('Dodgson')
  })

  test('sent again with its idempotency key is answered again; with another content it is refused', async () => {
    const [approval, other] = [await world.hold(), await world.hold()]
    const said = { verdict: 'approve', digest: approval.digest, idempotencyKey: 'k1', note: 'fine' } as const
    const [first, second] = await Promise.all([1, 2].map(() => world.approvals.decide(approval.id, alice, said)))
    expect(second).toEqual(first)
    await world.spend(await found(approval))
    expect(await world.approvals.decide(approval.id, alice, said)).toMatchObject({ state: 'spent', votes: [{ note: 'fine' }] })
    expect(await faultOf(world.approvals.decide(approval.id, alice, { ...said, verdict: 'deny' }))).toBe('IDEMPOTENCY_MISMATCH')
    expect(await faultOf(world.approvals.decide(other.id, alice, { ...said, digest: other.digest }))).toBe('IDEMPOTENCY_MISMATCH')
    // The key is the person's own: somebody else's is another one.
    expect(await faultOf(world.approvals.decide(approval.id, bob, said))).toBe('APPROVAL_SPENT')
  })
})

describe('asking', () => {
  test('twice for one call is one approval, also when both ask at once', async () => {
    const digest = digestOf('the same call')
    const both = await Promise.all([faultOf(world.hold({ digest })), faultOf(world.hold({ digest }))])
    expect(both.toSorted()).toEqual(['CONFLICT', 'none'])
  })

  test('again after the deadline is a new approval, even if no sweep came by', async () => {
    const first = await world.hold({ ttlMs: MINUTE })
    world.clock.move(MINUTE)
    expect(await world.approvals.pendingFor(first.digest)).toBeUndefined()
    expect((await entriesOf(first)).at(-1)).toMatchObject({ type: 'approval.expired', was: 'undecided' })
    const second = await world.hold({ digest: first.digest })
    expect(await world.approvals.pendingFor(first.digest)).toMatchObject({ id: second.id, state: 'pending' })
  })

  test('of several policies keeps every ask, and the shortest deadline', async () => {
    const ask = (policy: string, deadlineMs?: number) => ({
      policy,
      reason: policy,
      quorum: 1,
      ...(deadlineMs ? { deadlineMs } : {}),
    })
    const approval = await world.hold({ asks: [ask('a', 5 * MINUTE), ask('b', 3 * MINUTE), ask('c')], ttlMs: 10 * MINUTE })
    expect(approval.expiresAt - approval.openedAt).toBe(3 * MINUTE)
    expect((await found(approval)).asks.map(({ policy }) => policy)).toEqual(['a', 'b', 'c'])
  })

  test('without end is stopped before it wears people out', async () => {
    const agent = 'agt_flooding'
    await sweepAll()
    for (let i = 0; i < 200; i += 50) await Promise.all(Array.from({ length: 50 }, () => world.hold({ agent, ttlMs: MINUTE })))
    expect(await faultOf(world.hold({ agent }))).toBe('RATE_LIMITED')
    expect(await faultOf(world.hold())).toBe('none')
    world.clock.move(MINUTE)
    expect(await world.approvals.sweep(world.clock.now())).toBe(200)
    expect(await faultOf(world.hold({ agent }))).toBe('none')
  })
})

describe('a retry that waits', () => {
  test('goes on as soon as a person decides', async () => {
    const approval = await world.hold()
    const waiting = world.approvals.wait(approval.id, 10_000, never)
    await approve(approval)
    expect(await waiting).toMatchObject({ state: 'approved' })
    expect(await world.approvals.wait(approval.id, 10_000, never)).toMatchObject({ state: 'approved' })
  })

  test('gets the state as it is when the time is over, when it gives up, and when Ephor stops', async () => {
    const approval = await world.hold()
    expect(await world.approvals.wait(approval.id, 20, never)).toMatchObject({ state: 'pending' })
    expect(await world.approvals.wait(approval.id, 10_000, AbortSignal.abort())).toMatchObject({ state: 'pending' })
    const stop = new AbortController()
    const waiting = world.approvals.wait(approval.id, 10_000, stop.signal)
    stop.abort()
    expect(await waiting).toMatchObject({ state: 'pending' })
    expect(await faultOf(world.approvals.wait('apr_0', 10_000, never))).toBe('APPROVAL_UNKNOWN')
    const last = world.approvals.wait(approval.id, 10_000, never)
    world.approvals.close()
    expect(await last).toMatchObject({ state: 'pending' })
    expect(await world.approvals.wait(approval.id, 10_000, never)).toMatchObject({ state: 'pending' })
    await world.restart()
  })

  test('is told of an expiry', async () => {
    const approval = await world.hold({ ttlMs: MINUTE })
    const waiting = world.approvals.wait(approval.id, 10_000, never)
    world.clock.move(MINUTE)
    await world.approvals.sweep(world.clock.now())
    expect(await waiting).toMatchObject({ state: 'expired' })
  })
})

test('a restart changes nothing about what is pending, approved or denied', async () => {
  const [pending, approved, denied] = [await world.hold(), await world.hold(), await world.hold()]
  await approve(approved)
  await deny(denied)
  const before = await Promise.all([pending, approved, denied].map(found))
  await world.restart()
  expect(await Promise.all([pending, approved, denied].map(found))).toEqual(before)
  expect(await world.spend(await found(approved))).toBe('none')
  expect(await world.approvals.callOf(pending)).toEqual({ name: 'move_file', arguments: { from: '/a', to: '/b' } })
})

test('listeners are told of every step, and one that fails harms nobody', async () => {
  await sweepAll()
  const seen: string[] = []
  const offs = [
    world.approvals.on(() => {
      throw new Error('a broken listener')
    }),
    world.approvals.on(({ state }) => seen.push(state)),
  ]
  const approval = await world.hold({ ttlMs: MINUTE })
  await world.spend(await approve(approval))
  await world.hold({ ttlMs: MINUTE })
  world.clock.move(MINUTE)
  await world.approvals.sweep(world.clock.now())
  for (const off of offs) off()
  await world.hold()
  await world.approvals.announce('apr_0')
  expect(seen).toEqual(['pending', 'approved', 'spent', 'pending', 'expired'])
})

test('the list is newest first, by state, in pages', async () => {
  await sweepAll()
  const held: Approval[] = []
  for (let i = 0; i < 5; i++) {
    world.clock.move(1)
    held.unshift(await world.hold({ ttlMs: 10 * MINUTE }))
  }
  const ids = async (query: Parameters<World['approvals']['list']>[0]) => (await world.approvals.list(query)).items.map(({ id }) => id)
  const all = held.map(({ id }) => id)
  expect(await ids({ limit: 50, state: 'pending' })).toEqual(all)
  const first = await world.approvals.list({ limit: 2, state: 'pending' })
  const second = await world.approvals.list({ limit: 3, state: 'pending', cursor: first.next ?? '' })
  expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(all)
  expect(second.next).toBeUndefined()
  await approve(held[0] as Approval)
  expect(await ids({ limit: 50, state: 'approved' })).toEqual(all.slice(0, 1))
  world.clock.move(10 * MINUTE)
  // Overdue is expired, swept or not.
  expect(await ids({ limit: 50, state: 'pending' })).toEqual([])
  expect(await ids({ limit: 5, state: 'expired' })).toEqual(all)
})

test('the sweeper goes round by itself, and one that fails tries again', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  try {
    await world.restart()
    const approval = await world.hold({ ttlMs: MINUTE })
    world.clock.move(MINUTE)
    const append = vi.spyOn(world.ledger, 'append').mockRejectedValueOnce(new Error('the disk is full'))
    const told = new Promise<string>((resolve) => world.approvals.on(({ id, state }) => void (id === approval.id && resolve(state))))
    vi.advanceTimersByTime(5000)
    await vi.waitFor(() => expect(append).toHaveBeenCalled())
    vi.advanceTimersByTime(5000)
    expect(await told).toBe('expired')
    append.mockRestore()
  } finally {
    vi.useRealTimers()
  }
})

test('what an agent gives up is over: it can be neither approved nor used, and stays so', async () => {
  const pending = await world.hold()
  expect(await world.approvals.withdraw(pending)).toBe(true)
  expect((await world.approvals.find(pending.id))?.state).toBe('expired')
  await expect(approve(pending)).rejects.toMatchObject({ code: 'APPROVAL_EXPIRED' })
  const approved = await approve(await world.hold())
  expect(await world.approvals.withdraw(approved)).toBe(true)
  // The broker may still hold what it read before: its whole unit fails.
  expect(await world.spend(approved)).toBe('APPROVAL_SPENT')
  expect(await world.approvals.withdraw(approved)).toBe(false)
})
