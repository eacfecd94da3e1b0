/** While two histories of the ledger are known, every way to a permit is closed; a person’s recorded word opens them again. */
import { callOf, openWorld, toyLog } from '@ephor/testkit'
import type { World } from '@ephor/testkit'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import type { Run } from './types.ts'

const POLICY = `
@id("all") @reason("all")
permit (principal is Agent, action, resource);
@id("questions") @reason("q")
permit (principal is ToolServer, action, resource);
@id("ask") @reason("ask") @approval("")
forbid (principal, action in Action::"money", resource);
`
let world: World
let agent: Awaited<ReturnType<World['agent']>>
let ran = 0
const run: Run = async () => {
  ran++
  return { isError: false, value: null }
}
beforeEach(async () => {
  ran = 0
  const opened = await openWorld({ policies: { 'p.cedar': POLICY } })
  // One test closes it itself.
  onTestFinished(() => opened.close().catch(() => undefined))
  world = opened
  agent = await world.agent()
})

const fork = async () =>
  world.ledger.forks.compare(await toyLog(world.ledger.origin, ['another past'], world.keys.ledger).checkpoint(1), 'gossip')
async function resolve() {
  const { size, root } = await world.ledger.head()
  await world.ledger.forks.resolve(world.person.id, { size, root }, 'the other one was a copy that was started by mistake')
}
async function agree(id: string) {
  const digest = (await world.approvals.find(id))?.digest ?? ''
  await world.approvals.decide(id, world.person, { verdict: 'approve', digest })
}
const perform = (name: string, more = {}) => world.broker.perform(callOf(agent.bearer, name, {}, more), run)

test('calls, questions of enforcement points and of servers, and access are refused, and go on after the resolution', async () => {
  expect(await fork()).toMatchObject({ kind: 'forked', size: 1 })
  const refused = { fault: 'LEDGER_FORKED' }
  const access = () =>
    world.broker.judgeAccess({
      door: 'authzen',
      enforcementPoint: agent.principal,
      application: 'app',
      action: 'open',
      question: {},
      decide: () => ({ effect: 'permit', obligations: [], reasons: [], version: 'v', world: 'w' }),
      deadlineMs: 1000,
    })
  const question = () => world.broker.judgeServerRequest({ server: 'box', method: 'roots/list', agent: agent.id, session: 's', params: {} })
  const asked = () => world.broker.ask(callOf(agent.bearer, 'look', {}, { door: 'api' }))
  const denied = await perform('look')
  expect(denied).toMatchObject({ kind: 'refused', ...refused })
  expect((await world.ledger.find(denied.decision))?.body).toMatchObject({ effect: 'deny', ...refused })
  expect(await asked()).toMatchObject({ kind: 'refused', ...refused })
  expect(await access()).toMatchObject({ kind: 'refused', ...refused })
  expect(await question()).toMatchObject({ permitted: false, ...refused })
  expect(ran).toBe(0)
  await resolve()
  expect(await perform('look')).toMatchObject({ kind: 'done' })
  expect(await asked()).toMatchObject({ kind: 'permitted' })
  expect(await access()).toMatchObject({ kind: 'permitted' })
  expect(await question()).toMatchObject({ permitted: true })
})

test('neither an approval nor an earlier answer opens anything meanwhile', async () => {
  const key = { idempotencyKey: 'k1' }
  const first = await world.broker.ask(callOf(agent.bearer, 'look', {}, { door: 'api', ...key }))
  expect(first).toMatchObject({ kind: 'permitted' })
  const held = await perform('pay')
  if (held.kind !== 'held') throw new Error('not held')
  await agree(held.approval.id)
  await fork()
  const again = () => world.broker.ask(callOf(agent.bearer, 'look', {}, { door: 'api', ...key }))
  expect(await again()).toMatchObject({ kind: 'refused', fault: 'LEDGER_FORKED' })
  expect(await perform('pay', { approval: held.approval.id })).toMatchObject({ kind: 'refused', fault: 'LEDGER_FORKED' })
  await resolve()
  expect(await again()).toMatchObject({ kind: 'permitted', decision: first.decision })
  expect(await perform('pay', { approval: held.approval.id })).toMatchObject({ kind: 'done' })
})

test('a call that waits for a person when the fork is found is refused, though the person agrees', async () => {
  const held = await perform('pay')
  if (held.kind !== 'held') throw new Error('not held')
  const { policy } = world
  const waiting = policy.decideUnder.bind(policy)
  // The fork is found between the second decision and its record.
  Object.assign(world.policy, {
    decideUnder: async (...asked: Parameters<typeof waiting>) => {
      const decision = await waiting(...asked)
      await fork()
      return decision
    },
  })
  await agree(held.approval.id)
  expect(await perform('pay', { approval: held.approval.id })).toMatchObject({ kind: 'refused', fault: 'LEDGER_FORKED' })
  expect(ran).toBe(0)
})

test('a call that was permitted when the fork is found does not run', async () => {
  const append = world.ledger.append.bind(world.ledger)
  Object.assign(world.ledger, {
    append: async (...part: Parameters<typeof append>) => {
      const receipts = await append(...part)
      if (part[0].entries[0]?.type === 'decision') await fork()
      return receipts
    },
  })
  const ended = await perform('look')
  expect(ended).toMatchObject({ kind: 'failed', fault: 'LEDGER_FORKED' })
  expect(ran).toBe(0)
})

test('the resolution needs the history of this ledger, beyond where the other one began, and is recorded with its reason', async () => {
  await expect(resolve()).rejects.toMatchObject({ code: 'CONFLICT' })
  await fork()
  const { size, root } = await world.ledger.head()
  const resolveAs = (accept: { size: number; root: string }) => world.ledger.forks.resolve(world.person.id, accept, 'r')
  const theirs = toyLog(world.ledger.origin, ['another past']).root(1)
  for (const accept of [
    { size: 1, root: Buffer.from(theirs).toString('hex') },
    { size: 0, root: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' },
    { size, root: root.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) },
    { size: size + 100, root },
  ])
    await expect(resolveAs(accept)).rejects.toMatchObject({ code: 'CONFLICT' })
  expect(world.ledger.forked()).toBeDefined()
  await resolve()
  expect(world.ledger.forked()).toBeUndefined()
  // Known and resolved: the same checkpoint is no news.
  expect(await fork()).toMatchObject({ kind: 'resolved' })
  expect(world.ledger.forked()).toBeUndefined()
  const entries = await world.ledger.list({ limit: 200 })
  const [forked, resolved] = entries.filter(({ body }) => JSON.stringify(body['type']).startsWith('"ledger.fork'))
  expect(forked?.body).toMatchObject({
    type: 'ledger.forked',
    size: 1,
    source: 'gossip',
    theirs: expect.stringContaining('— test.example'),
    ours: expect.any(String),
  })
  expect(resolved?.body).toMatchObject({
    type: 'ledger.fork.resolved',
    by: world.person.id,
    accepted: { size, root },
    refused: [{ size: 1 }],
  })
  expect(JSON.stringify(resolved?.body)).not.toContain('by mistake')
  expect(await world.ledger.payload(resolved?.seq ?? -1, 'reason')).toContain('by mistake')
})

test('a fork survives a restart', async () => {
  await fork()
  await world.close({ keep: true })
  const again = await openWorld({ home: world.home })
  onTestFinished(() => again.close())
  expect(again.ledger.forked()).toBeDefined()
})
