/** Attacks on the way of a version: on reviews, on the charter, on what is stored, and on the moment in which it goes live. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sendFault } from '@ephor/engine/kernel'
import fastify from 'fastify'
import { afterEach, expect, test, vi } from 'vitest'
import { mountRollouts } from './index.ts'
import { BASE, CHARTER, faultOf, FORBID_NOTES, HOLD_NOTES, makeCaller, openBoard, PERMIT } from './rollouts.fixture.ts'
import type { Board } from './rollouts.fixture.ts'

// Several starts in a test, each with an engine that is loaded anew to read the policies.
vi.setConfig({ testTimeout: 90_000 })

let board: Board
afterEach(() => board.world.close())

const LIVE = { mode: 'active', percent: 100 } as const
const OPEN = { ...BASE, 'p.cedar': `${PERMIT}// weaker\n` }

async function bearerOf(person: string): Promise<string> {
  const { identity } = board.world
  const { code } = await identity.createLink(identity.operator, person)
  return (await identity.openSession(code)).secret
}

test('nobody reviews their own proposal, whichever way they sign in and whatever their request says', async () => {
  board = await openBoard()
  const { world, people } = board
  const app = fastify()
  app.setErrorHandler((error, _, reply) => sendFault(reply, error))
  mountRollouts(app, world.rollouts, world.policy, world.identity.authenticate)
  const send = async (url: string, bearer: string, payload: object) => {
    const response = await app.inject({ method: 'POST', url, headers: { authorization: `Bearer ${bearer}` }, payload })
    return { status: response.statusCode, ...response.json() }
  }
  const [first, second] = [await bearerOf(people.sam), await bearerOf(people.sam)]
  const proposed = await send('/v1/policy/proposals', first, { files: OPEN, why: 'mine' })
  expect(proposed).toMatchObject({ status: 201, author: people.sam, waitsFor: [{ code: 'REVIEWS_MISSING' }] })
  const url = `/v1/policy/proposals/${proposed.id}`
  const review = { verdict: 'approve', version: proposed.version }
  for (const bearer of [first, second]) expect(await send(`${url}/reviews`, bearer, review)).toMatchObject({ code: 'REVIEW_SELF' })
  expect(await send(`${url}/reviews`, second, { ...review, person: people.sue })).toMatchObject({ code: 'REQUEST_INVALID' })
  expect(await send('/v1/policy/proposals', second, { files: BASE, why: 'x', author: people.sue })).toMatchObject({
    code: 'REQUEST_INVALID',
  })
  expect(await send(`${url}/publish`, first, { mode: 'active' })).toMatchObject({ code: 'REVIEWS_MISSING' })
  // An agent is no person, also when it acts for one.
  const agent = await world.agent('clerk')
  const acting = await world.identity.issueCredential(agent.id, people.operator, { onBehalfOf: people.sue })
  for (const bearer of [agent.bearer, acting.secret])
    expect(await send(`${url}/reviews`, bearer, review)).toMatchObject({ code: 'FORBIDDEN' })
  expect(await send(`${url}/reviews`, await bearerOf(people.sue), review)).toMatchObject({ state: 'approved' })
  expect(await send(`${url}/publish`, first, { mode: 'canary', percent: 10 })).toMatchObject({ state: 'canary', percent: 10 })
  const shown = await app.inject({ method: 'GET', url: '/v1/policy/rollout', headers: { authorization: `Bearer ${first}` } })
  expect(shown.json()).toMatchObject({ trial: { mode: 'canary', percent: 10, proposal: proposed.id } })
  expect(shown.body).not.toContain('salt')
  await app.close()
})

test('those whom the charter does not name neither review nor publish, operators included', async () => {
  board = await openBoard()
  const { world, people } = board
  const { id, version } = await board.proposed(OPEN)
  for (const person of [people.operator, people.bea]) {
    expect(await faultOf(world.rollouts.review(id, person, { verdict: 'approve', version }))).toBe('AUTHORITY_MISSING')
    expect(await faultOf(world.rollouts.take(id, person, LIVE))).toBe('AUTHORITY_MISSING')
  }
  await world.rollouts.review(id, people.sam, { verdict: 'approve', version })
  expect(await faultOf(world.rollouts.review(id, people.sam, { verdict: 'approve', version }))).toBe('CONFLICT')
  // Whoever lost the authority between review and publication did not review.
  await world.identity.setGroups(people.sam, [], people.operator)
  expect(await faultOf(world.rollouts.take(id, people.sue, LIVE))).toBe('REVIEWS_MISSING')
})

test('a proposal that drops the reviews needs the authority that the charter in force asks for', async () => {
  board = await openBoard()
  const { world, people } = board
  const before = world.policy.version()
  const { id, version } = await board.proposed({ 'p.cedar': PERMIT })
  expect((await world.rollouts.dossier(id)).proposal.changes).toEqual(['charter'])
  expect(await faultOf(world.rollouts.review(id, people.sam, { verdict: 'approve', version }))).toBe('AUTHORITY_MISSING')
  expect(await faultOf(world.rollouts.take(id, people.sam, LIVE))).toBe('AUTHORITY_MISSING')
  await world.rollouts.review(id, people.bea, { verdict: 'approve', version })
  expect(await faultOf(world.rollouts.take(id, people.bea, LIVE))).toBe('REVIEWS_MISSING')
  expect(world.policy.version()).toBe(before)
  // With policies changed beside it, both authorities have to agree, and nobody has both.
  const both = await board.proposed({ 'p.cedar': FORBID_NOTES }, people.sam, people.bea, people.ben)
  expect(await faultOf(world.rollouts.take(both.id, people.bea, LIVE))).toBe('AUTHORITY_MISSING')
  await world.rollouts.review(id, people.ben, { verdict: 'approve', version })
  await world.rollouts.take(id, people.ben, LIVE)
  expect(world.policy.active().governor).toBeUndefined()
})

test('a charter that nobody could change any more is not published', async () => {
  board = await openBoard()
  const { world, people } = board
  const files = { ...BASE, 'charter.yaml': CHARTER.replaceAll('group:security', 'group:ghosts') }
  const { id } = await board.proposed(files, people.bea, people.ben)
  expect(await faultOf(world.rollouts.take(id, people.bea, LIVE))).toBe('POLICY_INVALID')
})

test('taking the charter out of the folder changes nothing, also when Ephor starts anew', async () => {
  board = await openBoard()
  const { world } = board
  const version = world.policy.version()
  rmSync(join(world.policyFolder, 'charter.yaml'))
  await world.policy.reload()
  expect(world.policy.active()).toMatchObject({ version, governor: version })
  await world.close({ keep: true })
  board = await openBoard({ home: world.home })
  expect(board.world.policy.active()).toMatchObject({ version, governor: version, pending: expect.stringMatching(/^sha256:/) })
})

test('a rollback brings back what decides, not who may change it, and nothing that was never active', async () => {
  board = await openBoard({ policies: { 'p.cedar': PERMIT } })
  const { world, people } = board
  const free = world.policy.version()
  const { id, version } = await board.proposed(BASE)
  await world.rollouts.take(id, people.operator, LIVE)
  const evil = await board.proposed({ ...BASE, 'p.cedar': `${PERMIT}// never reviewed\n` })
  expect(await faultOf(world.rollouts.rollback(people.operator, { to: evil.version, why: 'x' }))).toBe('NOT_FOUND')
  expect(await faultOf(world.rollouts.rollback(people.ann, { why: 'x' }))).toBe('AUTHORITY_MISSING')
  await world.rollouts.rollback(people.operator, { why: 'x' })
  expect(world.policy.active()).toMatchObject({ version: free, governor: version })
  // The version that is active now has no charter; the one that was rolled back still governs, after a restart too.
  await world.close({ keep: true })
  writeFileSync(join(world.policyFolder, 'p.cedar'), FORBID_NOTES)
  board = await openBoard({ home: world.home })
  expect(board.world.policy.active()).toMatchObject({ version: free, governor: version, pending: expect.stringMatching(/^sha256:/) })
  const late = await board.proposed({ 'p.cedar': HOLD_NOTES })
  expect(await faultOf(board.world.rollouts.take(late.id, people.operator, LIVE))).toBe('AUTHORITY_MISSING')
})

test('texts that somebody swaps between review and publication are found out', async () => {
  board = await openBoard()
  const { world, people } = board
  const { id, version } = await board.proposed({ ...BASE, 'p.cedar': FORBID_NOTES }, people.sam)
  const swapped = JSON.stringify({ ...BASE, 'p.cedar': PERMIT })
  await world.store.commit({
    changes: [{ sql: 'UPDATE policy_files SET files = ? WHERE version = ?', params: [swapped, version], rows: 1 }],
  })
  expect(await faultOf(world.rollouts.take(id, people.sam, LIVE))).toBe('BUNDLE_INVALID')
  expect(await faultOf(world.rollouts.take(id, people.sam, { mode: 'shadow', percent: 0 }))).toBe('BUNDLE_INVALID')
})

test('rows that somebody writes are neither a proposal nor a review', async () => {
  board = await openBoard()
  const { world, people } = board
  const change = (sql: string, ...params: string[]) => world.store.commit({ changes: [{ sql, params, rows: 1 }] })
  const { id, version } = await board.proposed(OPEN)
  const insert = `INSERT INTO rollouts_review (tenant, proposal, person, verdict, version, at) VALUES ('default', ?, ?, 'approve', ?, 1)`
  await change(insert, id, people.sue, version)
  await change(`UPDATE rollouts_proposal SET state = 'approved' WHERE id = ?`, id)
  expect(await faultOf(world.rollouts.take(id, people.sam, LIVE))).toBe('REVIEWS_MISSING')
  // A rejection that somebody takes away still stands in the ledger.
  await world.rollouts.review(id, people.sam, { verdict: 'reject', version })
  await change(`DELETE FROM rollouts_review WHERE person = ?`, people.sam)
  await change(`UPDATE rollouts_proposal SET state = 'approved' WHERE id = ?`, id)
  expect(await faultOf(world.rollouts.take(id, people.sam, LIVE))).toBe('PROPOSAL_CLOSED')
  // A charter's change that is made to look like a policy's, an author who is made to be somebody else, another version.
  const charter = await board.proposed({ 'p.cedar': PERMIT })
  await change(`UPDATE rollouts_proposal SET changes = '["policy"]' WHERE id = ?`, charter.id)
  expect(await faultOf(world.rollouts.review(charter.id, people.sam, { verdict: 'approve', version: charter.version }))).toBe(
    'BUNDLE_INVALID',
  )
  const own = await board.world.rollouts.propose(people.sam, { files: { ...BASE, 'p.cedar': HOLD_NOTES }, why: 'mine' })
  await change(`UPDATE rollouts_proposal SET author = ? WHERE id = ?`, people.ann, own.id)
  expect(await faultOf(world.rollouts.review(own.id, people.sam, { verdict: 'approve', version: own.version }))).toBe('BUNDLE_INVALID')
  const good = await board.proposed({ ...BASE, 'p.cedar': FORBID_NOTES }, people.sue)
  await change(`UPDATE rollouts_proposal SET version = ? WHERE id = ?`, `sha256:${'0'.repeat(64)}`, good.id)
  expect(await faultOf(world.rollouts.take(good.id, people.sam, LIVE))).toBe('BUNDLE_INVALID')
})

test.each([
  [
    'texts',
    (version: string) => ({
      sql: 'UPDATE policy_files SET files = ? WHERE version = ?',
      params: [JSON.stringify({ 'p.cedar': PERMIT }), version],
    }),
  ],
  [
    'a signature',
    (version: string) => ({
      sql: `UPDATE policy_signature SET envelope = replace(envelope, '"sig":"', '"sig":"AAAA') WHERE version = ?`,
      params: [version],
    }),
  ],
  [
    'the signature of another version',
    (version: string) => ({
      sql: 'UPDATE policy_signature SET envelope = (SELECT envelope FROM policy_signature WHERE version <> ?) WHERE version = ?',
      params: [version, version],
    }),
  ],
  ['no signature', (version: string) => ({ sql: 'DELETE FROM policy_signature WHERE version = ?', params: [version] })],
])('with %s that somebody put into the store, nothing is active, and the folder does not take its place', async (_, tamper) => {
  board = await openBoard()
  const { world, people } = board
  const { id, version } = await board.proposed({ ...BASE, 'p.cedar': FORBID_NOTES }, people.sam)
  await world.rollouts.take(id, people.sam, LIVE)
  await world.store.commit({ changes: [{ ...tamper(version), rows: 1 }] })
  await world.close({ keep: true })
  board = await openBoard({ home: world.home })
  expect(board.world.policy.active()).toMatchObject({ version: undefined, governor: version })
  const call = await makeCaller(board.world)
  expect(await call('look')).toMatchObject({ kind: 'refused', fault: 'POLICY_MISSING' })
  // The way out needs no charter: an operator goes back to what is whole.
  await board.world.rollouts.rollback(people.operator, {
    to: (await board.world.rollouts.history(10)).at(-1)?.version,
    why: 'tampered with',
  })
  expect((await call('look')).kind).toBe('done')
  expect(board.world.policy.active().governor).toBe(version)
})

test('a trial that somebody writes into the store is not tried', async () => {
  board = await openBoard()
  const { world } = board
  const { version } = await board.proposed(OPEN)
  const params = [1, 1, version, 'canary', 100, 'salt']
  const sql = `INSERT INTO policy_stage (tenant, step, activation, version, mode, percent, salt) VALUES ('default', ?, ?, ?, ?, ?, ?)`
  await world.store.commit({ changes: [{ sql, params, rows: 1 }] })
  await new Promise((resolve) => setTimeout(resolve, 1500))
  expect(world.policy.active().staged).toBeUndefined()
  await world.close({ keep: true })
  board = await openBoard({ home: world.home })
  expect(board.world.policy.active().staged).toBeUndefined()
})

test('a process that dies while it publishes has published wholly or not at all', async () => {
  board = await openBoard()
  const { world, people } = board
  const before = world.policy.version()
  const { id, version } = await board.proposed({ ...BASE, 'p.cedar': FORBID_NOTES }, people.sam)
  const append = world.ledger.append.bind(world.ledger)
  // The machine stops before the unit is written …
  world.ledger.append = () => Promise.reject(new Error('power'))
  await expect(world.rollouts.take(id, people.sam, LIVE)).rejects.toThrow('power')
  world.ledger.append = append
  expect(world.policy.version()).toBe(before)
  expect(await board.stateOf(id)).toBe('approved')
  // … or after, and before anything in memory knows of it.
  world.ledger.append = async (part) => {
    await append(part)
    throw new Error('power')
  }
  await expect(world.rollouts.take(id, people.sam, LIVE)).rejects.toThrow('power')
  world.ledger.append = append
  await world.close({ keep: true })
  board = await openBoard({ home: world.home })
  expect(board.world.policy.active()).toMatchObject({ version, pending: undefined })
  expect(await board.stateOf(id)).toBe('promoted')
  expect((await board.entries('rollout.promoted')).length).toBe(1)
})

test('of two who publish at once, one does', async () => {
  board = await openBoard()
  const { world, people } = board
  const [one, two] = [await board.proposed(OPEN, people.sam), await board.proposed({ ...BASE, 'p.cedar': HOLD_NOTES }, people.sam)]
  const outcomes = await Promise.all([
    faultOf(world.rollouts.take(one.id, people.sam, LIVE)),
    faultOf(world.rollouts.take(two.id, people.sue, LIVE)),
  ])
  expect(outcomes.toSorted()).toEqual(['PROPOSAL_STALE', 'none'])
})
