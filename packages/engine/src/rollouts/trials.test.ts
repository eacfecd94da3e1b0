/** Trials: shadow has no say, a canary is stable, rules end a trial, and what was held is finished by what held it. */
import { checkProjections } from '@ephor/engine/ledger'
import type { Comparison } from '@ephor/engine/policy'
import { afterEach, expect, test, vi } from 'vitest'
import { openRollouts } from './open-rollouts.ts'
import { rolloutsProjector } from './project-rollouts.ts'
import { BASE, CHARTER, faultOf, FORBID_NOTES, HOLD_NOTES, makeCaller, openBoard, PERMIT, settled } from './rollouts.fixture.ts'
import type { Board } from './rollouts.fixture.ts'

// Several starts in a test, each with an engine that is loaded anew to read the policies.
vi.setConfig({ testTimeout: 90_000 })

let board: Board
afterEach(() => board.world.close())

const HOLDS_ALL = 'rollback: { decisions: 20, holds: 1, denials: 1 }'
const withRollout = (rules: string) => ({ ...BASE, 'charter.yaml': `${CHARTER}rollout: { ${rules} }\n` })

async function publish(files: Record<string, string>, mode: 'shadow' | 'canary', percent = 0) {
  const { id, version } = await board.proposed(files, board.people.sam)
  await board.world.rollouts.take(id, board.people.sam, { mode, percent })
  return { id, version }
}

async function approve(id: string) {
  const { approvals, person } = board.world
  const approval = await approvals.find(id)
  await approvals.decide(id, person, { verdict: 'approve', digest: approval?.digest ?? '' })
}

test('a version in shadow has no say, and what it would have said is recorded', async () => {
  const base = withRollout(HOLDS_ALL)
  board = await openBoard({ policies: base })
  const { world } = board
  const call = await makeCaller(world)
  const { version } = await publish({ ...base, 'p.cedar': FORBID_NOTES }, 'shadow')
  for (let i = 0; i < 5; i++) expect((await call('note', `s${i}`)).kind).toBe('done')
  expect((await call('look')).kind).toBe('done')
  await settled()
  const trial = await world.rollouts.trial()
  expect(trial?.figures).toMatchObject({ decisions: 6, active: { permit: 6 }, tried: { permit: 1, deny: 5 }, escalated: 0 })
  expect(trial?.differences).toMatchObject([{ action: 'box/note', active: 'permit', tried: 'deny', policies: ['p/no-notes'], count: 5 }])
  const decisions = (await board.entries('decision')).filter((body) => body.type === 'decision')
  expect(decisions.some((body) => body.policy === version)).toBe(false)
})

test('a version in shadow that can never be evaluated is an error of its own, and no call’s', async () => {
  const base = withRollout('rollback: { decisions: 1000 }')
  board = await openBoard({ policies: base })
  const call = await makeCaller(board.world)
  const overflow = `${PERMIT}@reason("r")\nforbid (principal, action == Action::"box/pay", resource)\nwhen { context.input has amount && context.input.amount + 9223372036854775807 > 0 };\n`
  await publish({ ...base, 'p.cedar': overflow }, 'shadow')
  expect((await call('pay', 's', { amount: 5, to: 'x' })).kind).toBe('done')
  await settled()
  expect((await board.world.rollouts.trial())?.figures).toMatchObject({ active: { permit: 1 }, tried: { error: 1 } })
})

test('in a canary each call is decided by one version, and the record says which', async () => {
  const base = withRollout(HOLDS_ALL)
  board = await openBoard({ policies: base })
  const { world } = board
  const call = await makeCaller(world)
  const before = world.policy.version()
  const { version } = await publish({ ...base, 'p.cedar': FORBID_NOTES }, 'canary', 100)
  const refused = await call('note')
  expect(refused).toMatchObject({ kind: 'refused', fault: 'POLICY_DENIED' })
  expect((await world.ledger.find(refused.decision))?.body).toMatchObject({ policy: version })
  await settled()
  expect((await world.rollouts.trial())?.figures).toMatchObject({ decisions: 1, active: { permit: 1 }, tried: { deny: 1 } })
  await world.rollouts.rollback(board.people.operator, { why: 'enough' })
  const done = await call('note')
  expect((await world.ledger.find(done.decision))?.body).toMatchObject({ effect: 'permit', policy: before })
})

test('what is counted is written once, however many write at once, and what could not be written is written later', async () => {
  const base = withRollout(HOLDS_ALL)
  board = await openBoard({ policies: base })
  const { world } = board
  const call = await makeCaller(world)
  await publish({ ...base, 'p.cedar': FORBID_NOTES }, 'shadow')
  const append = world.ledger.append.bind(world.ledger)
  for (let i = 0; i < 4; i++) await call('note')
  await settled()
  world.ledger.append = () => Promise.reject(new Error('full'))
  await expect(world.rollouts.tick(1)).rejects.toThrow('full')
  world.ledger.append = append
  await Promise.all([world.rollouts.tick(1), world.rollouts.trial(), world.rollouts.tick(1), world.rollouts.trial()])
  expect((await world.rollouts.trial())?.differences).toMatchObject([{ count: 4 }])
  expect((await world.rollouts.trial())?.figures).toMatchObject({ decisions: 4, observed: { shadow: 3 } })
  const observed = await board.entries('rollout.observed')
  expect(observed.reduce((sum, body) => sum + Number(body.decisions), 0)).toBe(4)
})

test('a part of the sessions gets the canary, each of them all the time', async () => {
  const base = withRollout('rollback: { decisions: 1000 }')
  board = await openBoard({ policies: base })
  const call = await makeCaller(board.world)
  const { id } = await publish({ ...base, 'p.cedar': FORBID_NOTES }, 'canary', 30)
  const sessions = Array.from({ length: 60 }, (_, i) => `s${i}`)
  const refused = async () => {
    const kinds = await Promise.all(sessions.map(async (session) => ((await call('note', session)).kind === 'refused' ? [session] : [])))
    return kinds.flat()
  }
  const [first, again] = [await refused(), await refused()]
  expect(again).toEqual(first)
  expect(first.length).toBeGreaterThan(5)
  expect(first.length).toBeLessThan(32)
  await board.world.rollouts.take(id, board.people.sam, { mode: 'canary', percent: 60 })
  expect(await refused()).toEqual(expect.arrayContaining(first))
  await settled()
  // Only calls of the canary are compared, so both figures are of the same calls.
  const { figures } = (await board.world.rollouts.trial()) ?? {}
  expect(figures?.active).toEqual({ permit: figures?.decisions, hold: 0, deny: 0, error: 0 })
  expect(figures?.tried).toEqual({ permit: 0, hold: 0, deny: figures?.decisions, error: 0 })
})

test.each([
  ['holds', HOLD_NOTES, { rule: 'holds', figure: 1, limit: 0.2 }],
  ['denials', FORBID_NOTES, { rule: 'denials', figure: 1, limit: 0.2 }],
])('too many %s end the trial by themselves, on record with the figures', async (_, policy, rule) => {
  const base = withRollout('rollback: { decisions: 20 }')
  board = await openBoard({ policies: base })
  const { world } = board
  const call = await makeCaller(world)
  const { id, version } = await publish({ ...base, 'p.cedar': policy }, 'canary', 100)
  for (let i = 0; i < 19; i++) await call('note', `s${i}`)
  await settled()
  await world.rollouts.tick(10)
  expect(world.policy.active().staged?.version).toBe(version)
  await call('note', 's20')
  await settled()
  await world.rollouts.tick(10)
  await expect.poll(() => world.policy.active().staged, { timeout: 15_000 }).toBeUndefined()
  expect(await board.stateOf(id)).toBe('rolled-back')
  const [body] = await board.entries('rollout.rolled-back')
  expect(body).toMatchObject({ by: 'rule', proposal: id, version, rules: [rule], decisions: 20 })
  expect((await call('note', 's1')).kind).toBe('done')
})

test('the charter’s order of trials is kept, and time counts only while Ephor watches', async () => {
  const base = withRollout('shadow: 10m, canary: { percent: 10, for: 1h }')
  board = await openBoard({ policies: base })
  const { world, people } = board
  const { id } = await board.proposed({ ...base, 'p.cedar': HOLD_NOTES }, people.sam)
  const take = (mode: 'shadow' | 'canary' | 'active', percent = 0) => faultOf(world.rollouts.take(id, people.sam, { mode, percent }))
  expect(await take('active')).toBe('ROLLOUT_EARLY')
  expect(await take('canary', 5)).toBe('ROLLOUT_EARLY')
  expect(await take('shadow')).toBe('none')
  // Somebody sets the clock a day on, or back: that is no day of watching.
  world.clock.advance(86_400_000)
  expect(await take('canary', 5)).toBe('ROLLOUT_EARLY')
  world.clock.advance(-2 * 86_400_000)
  expect(await take('canary', 5)).toBe('ROLLOUT_EARLY')
  await world.rollouts.tick(600_000)
  expect(await take('canary', 11)).toBe('ROLLOUT_EARLY')
  expect(await take('canary', 10)).toBe('none')
  expect(await take('active')).toBe('ROLLOUT_EARLY')
  await world.rollouts.tick(3_600_000)
  expect(await take('canary', 50)).toBe('none')
  expect(await take('active')).toBe('none')
})

test('what a canary held is finished by it, while it is tried and after it is promoted', async () => {
  const base = withRollout(HOLDS_ALL)
  board = await openBoard({ policies: base })
  const { world, people } = board
  const call = await makeCaller(world)
  const { id, version } = await publish({ ...base, 'p.cedar': HOLD_NOTES }, 'canary', 100)
  const [one, two] = [await call('note', 's', { text: '1' }), await call('note', 's', { text: '2' })]
  if (one.kind !== 'held' || two.kind !== 'held') throw new Error(one.kind)
  await approve(one.approval.id)
  const done = await call('note', 's', { text: '1' }, one.approval.id)
  expect(done.kind).toBe('done')
  expect((await world.ledger.find(done.decision))?.body).toMatchObject({ policy: version, effect: 'permit' })
  await world.rollouts.take(id, people.sam, { mode: 'active', percent: 100 })
  await approve(two.approval.id)
  expect((await call('note', 's', { text: '2' }, two.approval.id)).kind).toBe('done')
})

test('what a version held before another was promoted is finished by the version that held it, also after a restart', async () => {
  const base = { ...withRollout(HOLDS_ALL), 'p.cedar': HOLD_NOTES }
  board = await openBoard({ policies: base })
  const { world, people } = board
  const { bearer } = await world.agent()
  let call = await makeCaller(world, bearer)
  const before = world.policy.version()
  const [one, two] = [await call('note', 's', { text: '1' }), await call('note', 's', { text: '2' })]
  if (one.kind !== 'held' || two.kind !== 'held') throw new Error(one.kind)
  const { id } = await board.proposed({ ...base, 'q.cedar': FORBID_NOTES.slice(PERMIT.length).replace('box/note', 'box/wipe') }, people.sam)
  await world.rollouts.take(id, people.sam, { mode: 'active', percent: 100 })
  expect(world.policy.version()).not.toBe(before)
  await world.close({ keep: true })
  board = await openBoard({ home: world.home })
  call = await makeCaller(board.world, bearer)
  await approve(one.approval.id)
  const done = await call('note', 's', { text: '1' }, one.approval.id)
  expect(done.kind).toBe('done')
  expect((await board.world.ledger.find(done.decision))?.body).toMatchObject({ policy: before, effect: 'permit' })
  // For other arguments it is worth nothing, whatever version is asked.
  await approve(two.approval.id)
  expect(await call('note', 's', { text: '3' }, two.approval.id)).toMatchObject({ fault: 'APPROVAL_MISMATCH' })
  await board.world.rollouts.rollback(people.operator, { why: 'back' })
  expect((await call('note', 's', { text: '2' }, two.approval.id)).kind).toBe('done')
})

test('what a version held that was rolled back is asked anew', async () => {
  const base = { ...withRollout(HOLDS_ALL), 'p.cedar': HOLD_NOTES }
  board = await openBoard({ policies: base })
  const { world, people } = board
  const call = await makeCaller(world)
  await publish({ ...base, 'q.cedar': '@reason("r")\nforbid (principal, action == Action::"box/wipe", resource);\n' }, 'canary', 100)
  const held = await call('note', 's', { text: '1' })
  if (held.kind !== 'held') throw new Error(held.kind)
  await approve(held.approval.id)
  await world.rollouts.rollback(people.operator, { why: 'wrong' })
  expect(await call('note', 's', { text: '1' }, held.approval.id)).toMatchObject({ kind: 'refused', fault: 'APPROVAL_MISMATCH' })
})

test('what became active meanwhile still refuses a call that an earlier version held', async () => {
  const base = { ...withRollout(HOLDS_ALL), 'p.cedar': HOLD_NOTES }
  board = await openBoard({ policies: base })
  const { world, people } = board
  const call = await makeCaller(world)
  const held = await call('note', 's', { text: '1' })
  if (held.kind !== 'held') throw new Error(held.kind)
  await approve(held.approval.id)
  const { id } = await board.proposed({ ...base, 'p.cedar': FORBID_NOTES }, people.sam)
  await world.rollouts.take(id, people.sam, { mode: 'active', percent: 100 })
  expect(await call('note', 's', { text: '1' }, held.approval.id)).toMatchObject({ kind: 'refused', fault: 'POLICY_DENIED' })
})

test('however many differences there are, each is in an entry, and the tables are what the entries say', async () => {
  const base = withRollout('rollback: { decisions: 100000 }')
  board = await openBoard({ policies: base })
  const { world, people } = board
  const { id } = await publish({ ...base, 'p.cedar': FORBID_NOTES }, 'shadow')
  const comparers: ((comparison: Comparison) => void)[] = []
  const { versions } = world.policy
  const policy = {
    ...world.policy,
    versions: { ...versions, onCompared: (one: (typeof comparers)[number]) => (comparers.push(one), () => undefined) },
  }
  const other = await openRollouts({ ...world, policy, people: () => world.identity.people() })
  const [active, staged] = [{ effect: 'permit' }, { effect: 'deny', reasons: [{ policy: `p/${'x'.repeat(300)}`, text: '' }] }]
  for (let i = 0; i < 400; i++) {
    const comparison = {
      version: versions.live().stage?.version,
      principal: `agt_${i}`,
      action: 'box/note',
      server: 'box',
      active,
      staged,
      ms: 1,
    }
    for (const see of comparers) see(comparison as unknown as Comparison)
  }
  await other.tick(1000)
  const entries = await board.entries('rollout.observed')
  expect(entries.length).toBeGreaterThan(2)
  expect(entries.flatMap(({ differences }) => differences)).toHaveLength(400)
  const { rows, differences } = await checkProjections(world.ledger, [rolloutsProjector(world)])
  expect(differences).toEqual([])
  expect(rows).toBeGreaterThan(400)
  await other.close()
  await world.rollouts.withdraw(id, people.operator)
})
