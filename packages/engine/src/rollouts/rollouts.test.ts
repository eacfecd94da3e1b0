/** The way of a version: proposed, reviewed, published, rolled back, each step on record and there after a restart. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { BASE, CHARTER, faultOf, FORBID_NOTES, HOLD_NOTES, openBoard, PERMIT } from './rollouts.fixture.ts'
import type { Board } from './rollouts.fixture.ts'

const SOON = { timeout: 20_000 }

// Several starts in a test, each with an engine that is loaded anew to read the policies.
vi.setConfig({ testTimeout: 90_000 })

let board: Board
beforeAll(async () => {
  board = await openBoard()
})
afterAll(() => board.world.close())

const readOnly = (files = {}) => ({ ...BASE, 'p.cedar': `${PERMIT}// ${Math.random()}\n`, ...files })

test('a proposal decides nothing, and a review by somebody whom the charter names lets it be published', async () => {
  const { world, people, stateOf, entries } = board
  const before = world.policy.version()
  const { id, version } = await world.rollouts.propose(people.ann, { files: readOnly(), why: 'Clearer.', impact: 'None.' })
  expect(world.policy.version()).toBe(before)
  expect(await faultOf(world.rollouts.take(id, people.sam, { mode: 'active', percent: 100 }))).toBe('REVIEWS_MISSING')
  await world.rollouts.review(id, people.sue, { verdict: 'approve', version, note: 'Fine.' })
  expect(await stateOf(id)).toBe('approved')
  await world.rollouts.take(id, people.sam, { mode: 'active', percent: 100 })
  expect(world.policy.version()).toBe(version)
  expect(await stateOf(id)).toBe('promoted')
  const dossier = await world.rollouts.dossier(id)
  expect(dossier.words).toEqual({ proposed: { why: 'Clearer.', impact: 'None.' }, [people.sue]: { note: 'Fine.' } })
  const bodies = (await entries('rollout.')).filter((body) => body.proposal === id)
  expect(bodies.map((body) => body.type)).toEqual(['rollout.proposed', 'rollout.reviewed', 'rollout.promoted'])
  expect(JSON.stringify(bodies)).not.toMatch(/Clearer|Fine/)
  expect(bodies[2]).toMatchObject({ by: people.sam, author: people.ann, reviewers: [people.sue], version, base: before })
})

test('a rejection ends a proposal', async () => {
  const { world, people, proposed, stateOf } = board
  const { id, version } = await proposed(readOnly())
  await world.rollouts.review(id, people.sam, { verdict: 'reject', version })
  expect(await stateOf(id)).toBe('rejected')
  expect(await faultOf(world.rollouts.review(id, people.sue, { verdict: 'approve', version }))).toBe('PROPOSAL_CLOSED')
  expect(await faultOf(world.rollouts.take(id, people.sue, { mode: 'active', percent: 100 }))).toBe('PROPOSAL_CLOSED')
})

test('what has errors is not published, and says where', async () => {
  const { world, people, proposed } = board
  const { id } = await proposed(
    readOnly({ 'b.cedar': '@reason("r")\npermit (principal, action in Action::"raed", resource);' }),
    people.sam,
  )
  expect((await world.rollouts.dossier(id)).waitsFor).toMatchObject([
    { code: 'POLICY_INVALID', detail: expect.stringContaining('b.cedar:2:') },
  ])
  expect(await faultOf(world.rollouts.take(id, people.sam, { mode: 'shadow', percent: 0 }))).toBe('POLICY_INVALID')
  await world.rollouts.withdraw(id, people.ann)
})

test('when something else became active, a proposal has to be brought up to it', async () => {
  const { world, people, proposed } = board
  const first = await proposed(readOnly(), people.sam)
  const second = await proposed(readOnly(), people.sam)
  await world.rollouts.take(first.id, people.sam, { mode: 'active', percent: 100 })
  expect(await faultOf(world.rollouts.take(second.id, people.sam, { mode: 'active', percent: 100 }))).toBe('PROPOSAL_STALE')
  expect(await faultOf(world.rollouts.review(second.id, people.sue, { verdict: 'approve', version: second.version }))).toBe(
    'PROPOSAL_STALE',
  )
  await world.rollouts.withdraw(second.id, people.ann)
})

test('one command goes back to what was active before, and again to what was before that', async () => {
  const { world, people, proposed, stateOf, entries } = board
  const zero = world.policy.version()
  const one = await proposed(readOnly(), people.sam)
  await world.rollouts.take(one.id, people.sam, { mode: 'active', percent: 100 })
  const two = await proposed(readOnly(), people.sam)
  await world.rollouts.take(two.id, people.sam, { mode: 'active', percent: 100 })
  expect(await world.rollouts.rollback(people.operator, { why: 'It refuses too much.' })).toEqual({
    from: two.version,
    to: one.version,
    ended: two.id,
  })
  expect(await stateOf(two.id)).toBe('rolled-back')
  expect(await world.rollouts.rollback(people.sam, { why: 'Further.' })).toMatchObject({ to: zero })
  expect(world.policy.version()).toBe(zero)
  expect((await entries('rollout.rolled-back')).at(-1)).toMatchObject({ by: people.sam, from: one.version, to: zero })
  await world.rollouts.rollback(people.operator, { to: two.version, why: 'It was right.' })
  expect(world.policy.version()).toBe(two.version)
})

test('the same texts are proposed once, and not when they are active', async () => {
  const { world, people, proposed } = board
  const files = readOnly()
  const { id } = await proposed(files)
  expect(await faultOf(world.rollouts.propose(people.sam, { files, why: 'again' }))).toBe('CONFLICT')
  await world.rollouts.withdraw(id, people.ann)
  const active = (await world.policy.versions.files(world.policy.version() ?? '')) ?? {}
  expect(await faultOf(world.rollouts.propose(people.sam, { files: active, why: 'again' }))).toBe('CONFLICT')
})

test('tests that fail or are missing keep a version back where the charter says so', async () => {
  const reports: Record<string, number> = { good: 0, bad: 1 }
  const strict = await openBoard({
    policies: { ...BASE, 'charter.yaml': `${CHARTER}tests: { required: true }\n` },
    runTests: async (files) => {
      const name = files['p.test.yaml']
      if (name === undefined) return { cases: 0, failed: [] }
      const failed = Array.from({ length: reports[name.trim()] ?? 0 }, () => ({
        file: 'p.test.yaml',
        name: 'a case',
        detail: 'expected deny',
      }))
      return { cases: 3, failed }
    },
  })
  const { world, people, proposed } = strict
  const charter = { 'charter.yaml': `${CHARTER}tests: { required: true }\n` }
  for (const [tests, outcome] of [
    [{}, 'TESTS_FAILED'],
    [{ 'p.test.yaml': 'bad' }, 'TESTS_FAILED'],
    [{ 'p.test.yaml': 'good' }, 'none'],
  ] as const) {
    const { id } = await proposed({ ...readOnly(charter), ...tests }, people.sam)
    expect(await faultOf(world.rollouts.take(id, people.sam, { mode: 'active', percent: 100 }))).toBe(outcome)
  }
  await world.close()
})

test('everything survives a restart: reviews, the trial, what it counted, and what is active', async () => {
  const first = await openBoard()
  const { world, people, proposed } = first
  const { id, version } = await proposed({ ...BASE, 'p.cedar': HOLD_NOTES }, people.sam)
  const other = await proposed({ ...BASE, 'p.cedar': FORBID_NOTES }, people.sam)
  await world.rollouts.take(id, people.sam, { mode: 'canary', percent: 40 })
  await world.rollouts.tick(1234)
  await world.close({ keep: true })
  const second = await openBoard({ home: world.home })
  expect(second.world.policy.active().staged).toEqual({ version, mode: 'canary', percent: 40 })
  expect((await second.world.rollouts.trial())?.figures.observed).toEqual({ shadow: 0, canary: 1234 })
  expect((await second.world.rollouts.dossier(other.id)).waitsFor).toMatchObject([{ code: 'ROLLOUT_RUNNING' }])
  await second.world.rollouts.take(id, people.sam, { mode: 'active', percent: 100 })
  await second.world.close({ keep: true })
  const third = await openBoard({ home: world.home })
  expect(third.world.policy.version()).toBe(version)
  // The folder still holds what was active before, and that is no change of it.
  expect(third.world.policy.active()).toMatchObject({ pending: undefined, staged: undefined })
  await third.world.close()
})

test('whoever else has the store open follows by themselves', async () => {
  const { world, people, proposed } = board
  const { openPolicy } = await import('../policy/open-policy.ts')
  const replica = await openPolicy({
    folder: world.policyFolder,
    world: { agents: [], servers: [], tools: [] },
    store: world.store,
    ledger: world.ledger,
    key: world.keys.policy,
    log: world.log,
    clock: world.clock,
  })
  const { id, version } = await proposed(readOnly(), people.sam)
  const timed = async (holds: () => boolean) => {
    const started = performance.now()
    await expect.poll(holds, { timeout: 5000, interval: 5 }).toBe(true)
    return performance.now() - started
  }
  await world.rollouts.take(id, people.sam, { mode: 'canary', percent: 10 })
  const staged = await timed(() => replica.active().staged?.percent === 10)
  await world.rollouts.take(id, people.sam, { mode: 'active', percent: 100 })
  const promoted = await timed(() => replica.version() === version && replica.active().staged === undefined)
  await replica.close()
  // Half a second, and the reading of the texts, which takes as long again where the machine is busy with other tests.
  expect(
    [staged, promoted].every((ms) => ms < 3000),
    `${staged} and ${promoted} ms`,
  ).toBe(true)
})

test('under a charter a changed folder becomes a proposal of nobody, which takes one review more', async () => {
  const governed = await openBoard()
  const { world, people, stateOf } = governed
  const before = world.policy.version()
  writeFileSync(join(world.policyFolder, 'p.cedar'), FORBID_NOTES)
  await world.policy.reload()
  const { pending } = world.policy.active()
  expect(pending).toBeDefined()
  expect(world.policy.version()).toBe(before)
  await expect.poll(async () => (await world.rollouts.list({ limit: 10 })).items.length, SOON).toBe(1)
  const [found] = (await world.rollouts.list({ limit: 10 })).items
  expect(found).toMatchObject({ author: 'folder', version: pending, changes: ['policy'], state: 'open' })
  const { id = '', version = '' } = found ?? {}
  await world.rollouts.review(id, people.sam, { verdict: 'approve', version })
  expect(await faultOf(world.rollouts.take(id, people.sam, { mode: 'active', percent: 100 }))).toBe('REVIEWS_MISSING')
  await world.rollouts.review(id, people.sue, { verdict: 'approve', version })
  await world.rollouts.take(id, people.sam, { mode: 'active', percent: 100 })
  expect(world.policy.active()).toMatchObject({ version, pending: undefined })
  // The folder goes on: its old proposal makes room for the new one, and goes when the folder is back.
  writeFileSync(join(world.policyFolder, 'p.cedar'), HOLD_NOTES)
  await world.policy.reload()
  await expect.poll(async () => (await world.rollouts.list({ state: 'open', limit: 10 })).items.length, SOON).toBe(1)
  writeFileSync(join(world.policyFolder, 'p.cedar'), FORBID_NOTES)
  await world.policy.reload()
  await expect.poll(async () => (await world.rollouts.list({ state: 'open', limit: 10 })).items.length, SOON).toBe(0)
  expect(await stateOf(id)).toBe('promoted')
  await world.close()
})

test('a person who answers for what the folder holds takes the place of nobody', async () => {
  const governed = await openBoard()
  const { world, people } = governed
  writeFileSync(join(world.policyFolder, 'p.cedar'), FORBID_NOTES)
  await world.policy.reload()
  await expect.poll(async () => (await world.rollouts.list({ limit: 10 })).items.length, SOON).toBe(1)
  const { id, version } = await governed.proposed({ ...BASE, 'p.cedar': FORBID_NOTES }, people.sam)
  await world.rollouts.take(id, people.sam, { mode: 'active', percent: 100 })
  expect(world.policy.active()).toMatchObject({ version, pending: undefined })
  expect((await world.rollouts.list({ limit: 10 })).items.map(({ author, state }) => [author, state])).toEqual([
    [people.ann, 'promoted'],
    ['folder', 'withdrawn'],
  ])
  await world.close()
})

test('without a charter the folder is active at once, as ever, and operators publish', async () => {
  const free = await openBoard({ policies: { 'p.cedar': PERMIT } })
  const { world, people } = free
  writeFileSync(join(world.policyFolder, 'p.cedar'), FORBID_NOTES)
  await world.policy.reload()
  expect(world.policy.active().files['p.cedar']).toBe(FORBID_NOTES)
  const { id, version } = await free.proposed({ 'p.cedar': HOLD_NOTES })
  expect(await faultOf(world.rollouts.take(id, people.sam, { mode: 'active', percent: 100 }))).toBe('AUTHORITY_MISSING')
  await world.rollouts.take(id, people.operator, { mode: 'active', percent: 100 })
  expect(world.policy.version()).toBe(version)
  rmSync(join(world.policyFolder, 'p.cedar'))
  await world.policy.reload()
  expect(world.policy.version()).toBe(version)
  await world.close()
})
