/** Holds that are always approved and permits that did harm are found, and what is suggested changes nothing by itself. */
import type { JsonObject } from '@ephor/engine/kernel'
import type { Decision } from '@ephor/engine/policy'
import { callOf, openWorld, WORLD_TOOLS } from '@ephor/testkit'
import type { WorldOptions } from '@ephor/testkit'
import { expect, test } from 'vitest'
import { openThresholds } from './open-thresholds.ts'

const POLICIES = {
  'a.cedar': `// Everything.
@id("all") @reason("Fine.") permit (principal is Agent, action, resource);
// Wipes are looked at.
@id("wipes") @reason("Somebody has to agree.") @approval("quorum:1")
forbid (principal, action in Action::"destructive", resource);
@id("pays") @reason("Look at payments.") @approval("quorum:1") forbid (principal, action in Action::"money", resource);
`,
}

async function openCase(options: WorldOptions = {}) {
  const world = await openWorld({ policies: POLICIES, ...options })
  const { bearer } = await world.agent()
  const thresholds = openThresholds({ ledger: world.ledger, policy: world.policy, clock: world.clock })
  const perform = (name: string, input: JsonObject, more = {}) =>
    world.broker.perform({ ...callOf(bearer, name, input), ...more }, async () => ({ isError: false, value: 'ok' }))
  const person = async (name: string) => ({
    ...world.person,
    id: (await world.identity.addPerson({ name, groups: [] }, world.person.id)).id,
  })
  const hold = async (name: string, input: JsonObject, answer?: 'approve' | 'deny', by = world.person, afterMs = 60_000) => {
    const held = await perform(name, input)
    if (held.kind !== 'held') throw new Error(`it was not held: ${JSON.stringify(held)}`)
    world.clock.advance(afterMs)
    const { digest } = (await world.approvals.find(held.approval.id)) ?? { digest: '' }
    if (answer) await world.approvals.decide(held.approval.id, by, { verdict: answer, digest })
    return held
  }
  return { world, thresholds, perform, hold, person, since: world.clock.now() }
}

test('a policy whose holds are always approved is named, with who approved how fast, and what one could do', async () => {
  const { world, thresholds, hold, person, since } = await openCase()
  const ann = await person('Ann')
  for (let i = 0; i < 21; i++) await hold('wipe', { what: `${i}` }, 'approve', i % 2 === 0 ? ann : world.person)
  for (let i = 0; i < 3; i++) await hold('pay', { amount: i }, i === 0 ? 'deny' : 'approve')
  await hold('pay', { amount: 9 })
  const { asked, harmed, decisions } = await thresholds.health(since)
  expect({ decisions, harmed }).toEqual({ decisions: 25, harmed: [] })
  expect(asked).toMatchObject([
    { policy: 'a/wipes', holds: 21, approved: 21, denied: 0, approvers: 2 },
    { policy: 'a/pays', holds: 4, approved: 2, denied: 1, pending: 1, undecided: 0, approvers: 1 },
  ])
  expect(asked[0]?.medianMs).toBeGreaterThanOrEqual(60_000)
  expect(asked[0]?.suggestion?.text).toMatch(/^always approved \(21 of 21 in 1 days, by 2 people, half of them within 60 s\); consider/)
  expect(asked[1]?.suggestion).toBeUndefined()
  // The texts without that policy, and nothing else touched.
  expect(asked[0]?.suggestion?.files).toEqual({
    'a.cedar': POLICIES['a.cedar'].replace(/@id\("wipes"\)[^;]*;\n/, ''),
  })
  await world.close()
})

test('one refusal, or too few holds, and nothing is suggested; approvals within seconds are called what they are', async () => {
  const { world, thresholds, hold, since } = await openCase()
  for (let i = 0; i < 19; i++) await hold('wipe', { what: `${i}` }, 'approve', world.person, 1000)
  expect((await thresholds.health(since)).asked[0]).not.toHaveProperty('suggestion')
  await hold('wipe', { what: 'last' }, 'approve', world.person, 1000)
  expect((await thresholds.health(since)).asked[0]?.suggestion?.text).toContain('that fast nobody reads what they agree to')
  await hold('wipe', { what: 'no' }, 'deny', world.person, 1000)
  expect((await thresholds.health(since)).asked[0]).not.toHaveProperty('suggestion')
  await world.close()
})

test('permits that were reported as harmful are counted by action, and a question to a person is suggested', async () => {
  const { world, thresholds, perform, person, since } = await openCase()
  const ann = await person('Ann')
  const done = [await perform('note', { text: '1' }), await perform('note', { text: '2' }), await perform('note', { text: '3' })]
  const [one = { decision: '' }, two = { decision: '' }] = done
  const receipt = await thresholds.report(one.decision, ann.id, { harmful: true, note: 'It overwrote Bob’s notes.' })
  expect((await thresholds.health(since)).harmed).toMatchObject([{ action: 'box/note', permits: 3, harmful: 1 }])
  expect((await thresholds.health(since)).harmed[0]).not.toHaveProperty('suggestion')
  await thresholds.report(two.decision, ann.id, { harmful: true })
  const [row] = (await thresholds.health(since)).harmed
  expect(row).toMatchObject({ harmful: 2, policies: ['a/all'], decisions: [one.decision, two.decision] })
  expect(row?.suggestion?.files?.['a.cedar']).toBe(POLICIES['a.cedar'])
  // What is suggested is right as it stands, and held by it is what did harm.
  expect(await world.policy.check(row?.suggestion?.files ?? {})).toEqual([])
  expect(row?.suggestion?.files?.['ask-box-note.cedar']).toContain('action == Action::"box/note"')
  // What a person wrote is in no body.
  expect(JSON.stringify((await world.ledger.read(receipt.seq))?.body)).not.toContain('Bob')
  expect(await world.ledger.payload(receipt.seq, 'note')).toBe('It overwrote Bob’s notes.')
  // Taken back by the one who said it; what another says stays.
  await thresholds.report(two.decision, world.person.id, { harmful: false })
  expect((await thresholds.health(since)).harmed[0]?.harmful).toBe(2)
  await thresholds.report(two.decision, ann.id, { harmful: false })
  expect((await thresholds.health(since)).harmed[0]?.harmful).toBe(1)
  expect(world.policy.active().files).toEqual(POLICIES)
  await world.close()
})

test('only what was permitted can be reported, and only by a decision’s own id', async () => {
  const { world, thresholds, perform } = await openCase()
  const { decision } = await perform('wipe', { what: 'a' })
  await expect(thresholds.report(decision, world.person.id, { harmful: true })).rejects.toMatchObject({ code: 'CONFLICT' })
  const { decision: done } = await perform('note', { text: 'x' })
  for (const id of [`${done}/outcome`, 'dec_none', '', 'policy/world/x'])
    await expect(thresholds.report(id, world.person.id, { harmful: true })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await world.close()
})

test('a tool whose name is Cedar text gets no policy written with it', async () => {
  const name = 'note"; permit(principal, action, resource); //'
  const tools = [...WORLD_TOOLS, { name, kind: 'write' as const, properties: {} }]
  const { world, thresholds, perform, since } = await openCase({ tools })
  for (let i = 0; i < 3; i++) {
    const { decision, kind } = await perform(name, {}, { session: `${i}` })
    expect(kind).toBe('done')
    await thresholds.report(decision, world.person.id, { harmful: true })
  }
  const [row] = (await thresholds.health(since)).harmed
  expect(row).toMatchObject({ action: `box/${name}`, harmful: 3 })
  expect(row?.suggestion).not.toHaveProperty('files')
  await world.close()
})

test('only what came since then is looked at', async () => {
  const { world, thresholds, hold, perform } = await openCase()
  await hold('wipe', { what: 'a' }, 'approve')
  world.clock.advance(86_400_000)
  const since = world.clock.now()
  await perform('note', { text: 'x' })
  expect(await thresholds.health(since)).toMatchObject({ decisions: 1, asked: [] })
  expect(await thresholds.health(0)).toMatchObject({ decisions: 2, asked: [{ holds: 1 }] })
  await world.close()
})

test('an application’s policies are named apart, and nothing is suggested for ours when they share a name', async () => {
  const { world, thresholds, since } = await openCase()
  const gateway = await world.agent('gateway')
  const pins = { version: 'sha256:aa', world: undefined, reasons: [{ policy: 'a/wipes', text: 'why' }] }
  const permit: Decision = { ...pins, effect: 'permit', obligations: [] }
  const hold: Decision = { ...pins, effect: 'hold', obligations: [], asks: [{ policy: 'a/wipes', reason: 'why', quorum: 1 }] }
  const ask = (resource: string, decide: () => Decision) =>
    world.broker.judgeAccess({
      door: 'authzen',
      enforcementPoint: gateway.principal,
      application: 'records',
      action: 'note',
      question: { resource },
      decide,
      deadlineMs: 900_000,
    })
  for (let i = 0; i < 21; i++) {
    const held = await ask(`${i}`, () => hold)
    if (held.kind !== 'held') throw new Error(held.kind)
    world.clock.advance(1000)
    await world.approvals.decide(held.approval.id, world.person, { verdict: 'approve', digest: held.approval.digest })
  }
  for (const resource of ['x', 'y']) {
    const { decision } = await ask(resource, () => permit)
    await thresholds.report(decision, world.person.id, { harmful: true })
  }
  const { asked, harmed } = await thresholds.health(since)
  expect(asked).toMatchObject([{ policy: 'records: a/wipes', holds: 21, approved: 21, approvers: 1 }])
  expect(asked[0]).not.toHaveProperty('suggestion')
  expect(harmed).toMatchObject([{ action: 'records: note', permits: 2, harmful: 2, policies: ['records: a/wipes'] }])
  expect(harmed[0]?.suggestion).not.toHaveProperty('files')
  await world.close()
})
