/** Somebody who can write the database changes one column, adds a row or takes one away: the check says which table, which row and what. */
import { approvalsProjector } from '@ephor/engine/approvals'
import { backtestsProjector } from '@ephor/engine/backtests'
import { budgetsProjector } from '@ephor/engine/budgets'
import type { Store } from '@ephor/engine/kernel'
import { alterStore } from '@ephor/engine/kernel/testing'
import { checkProjections } from '@ephor/engine/ledger'
import { forgetAgent, policyProjector } from '@ephor/engine/policy'
import { rolloutsProjector } from '@ephor/engine/rollouts'
import { callOf, openWorld } from '@ephor/testkit'
import type { World } from '@ephor/testkit'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { brokerProjector } from './project-decisions.ts'
import { insertDecision } from './store.ts'
import type { Call } from './types.ts'

// Many rows, each changed by itself, on whatever machine this is.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const PERMIT = '@id("all") @reason("Fine.") permit (principal, action, resource);'
const HOLD =
  '@id("wipes") @reason("Somebody has to agree.") @approval("quorum:1") forbid (principal, action in Action::"destructive", resource);'
const LIMIT =
  '@id("slow") @reason("Not too often.") @obligation("limit:1000/hour") permit (principal, action == Action::"box/note", resource);'
const STRICTER = '@id("no-notes") @reason("No notes.") forbid (principal, action == Action::"box/note", resource);'
const CHARTER = `authorities:
  policy: { review: ["group:security"], publish: ["group:security"], reviewers: 1 }
  charter: { review: ["group:security"], publish: ["group:security"], reviewers: 1 }
budgets:
  calls: { measure: calls, limit: 100, per: agent, period: day, covers: [write] }
  volume: { measure: bytes, limit: 100000, per: agent, period: day, covers: [write], reserve: 1000 }
rollout: { rollback: { decisions: 1000 } }
`
const BASE = { 'p.cedar': `${PERMIT}\n${HOLD}\n${LIMIT}`, 'charter.yaml': CHARTER }

type Cell = string | number | null
type Row = Record<string, Cell>

let world: World

async function check() {
  const { store, ledger, clock } = world
  const rooms = { store, ledger, clock }
  const makers = [brokerProjector, budgetsProjector, approvalsProjector, rolloutsProjector, backtestsProjector, policyProjector]
  return checkProjections(
    ledger,
    makers.map((make) => make(rooms)),
  )
}

const rowsOf = (store: Store, table: string): Promise<Row[]> => store.reader<Record<string, Row>>().selectFrom(table).selectAll().execute()

async function vote(id: string, verdict: 'approve' | 'deny') {
  const { approvals, person } = world
  const approval = await approvals.find(id)
  await approvals.decide(id, person, { verdict, digest: approval?.digest ?? '', note: 'seen', idempotencyKey: `k-${id}` })
}

/** Something in each table. */
async function live() {
  const { broker, identity, rollouts, backtests, approvals } = world
  const agent = await world.agent()
  const call = (name: string, input: Call['input'], more: Partial<Call> = {}) =>
    broker.perform(callOf(agent.bearer, name, input, more), async () => ({ isError: false, value: 'done' }))
  const hold = async (what: string) => {
    const held = await call('wipe', { what })
    if (held.kind !== 'held') throw new Error(JSON.stringify(held))
    return held.approval.id
  }
  await call('note', { text: 'a' }, { idempotencyKey: 'once' })
  await call('look', { path: '/etc/passwd' })
  await call('nothing', {})
  const used = await hold('a')
  await vote(used, 'approve')
  await call('wipe', { what: 'a' }, { approval: used })
  await vote(await hold('b'), 'deny')
  const given = await approvals.find(await hold('c'))
  if (given) await approvals.withdraw(given)
  await hold('waits')
  const server = { server: 'box', method: 'roots/list' as const, agent: agent.id, session: 's1', params: {} }
  const judged = await broker.judgeServerRequest(server)
  if (judged.permitted) await judged.seal('succeeded', { roots: [] })
  const access = { enforcementPoint: agent.principal, application: 'records', action: 'export', question: {}, deadlineMs: 60_000 }
  const permit = { version: 'sha256:aa', world: undefined, reasons: [], effect: 'permit' as const, obligations: [] }
  await broker.judgeAccess({ ...access, door: 'authzen', decide: () => permit })

  const add = async (name: string, group: string) => (await identity.addPerson({ name, groups: [group] }, identity.operator)).id
  const [ann, sam] = [await add('Ann', 'policy'), await add('Sam', 'security')]
  const propose = async (text: string) => {
    const files = { ...BASE, 'p.cedar': `${BASE['p.cedar']}\n${text}` }
    const proposal = await rollouts.propose(ann, { files, why: 'a test' })
    await rollouts.review(proposal.id, sam, { verdict: 'approve', version: proposal.version })
    return { id: proposal.id, files }
  }
  const tried = await propose(STRICTER)
  await rollouts.take(tried.id, sam, { mode: 'canary', percent: 1 })
  for (let i = 0; i < 3; i++) await call('note', { text: `b${i}` })
  await rollouts.take(tried.id, sam, { mode: 'shadow', percent: 0 })
  for (let i = 0; i < 3; i++) await call('note', { text: `c${i}` })
  await new Promise((resolve) => void setTimeout(resolve, 50))
  await rollouts.tick(1000)
  await rollouts.rollback(identity.operator, { why: 'enough' })
  const next = await propose('')
  const before = world.policy.version()
  await rollouts.take(next.id, sam, { mode: 'active', percent: 100 })
  if (before !== undefined) await rollouts.rollback(identity.operator, { to: before, why: 'the first again' })
  await rollouts.propose(ann, { files: { ...BASE, 'p.cedar': PERMIT }, why: 'another' })
  await backtests.start({ by: ann, files: tried.files, most: 100, agent: agent.id })
  await backtests.idle()
}

beforeAll(async () => {
  world = await openWorld({ policies: BASE })
  await live()
})
afterAll(() => world.close())

/** By table: its key, and the columns with numbers. */
const TABLES: Record<string, { key: string[]; numbers: string[]; free?: Row }> = {
  broker_decision: { key: ['id'], numbers: ['at', 'deadline', 'outcome_at'], free: { idempotency: null } },
  broker_permitted: { key: ['agent', 'server', 'tool'], numbers: [] },
  budgets_use: { key: ['budget', 'unit', 'period', 'start', 'subject'], numbers: ['start', 'used'] },
  approvals_request: {
    key: ['id'],
    numbers: ['opened_at', 'expires_at', 'decided_at', 'step', 'due_at'],
    free: { state: 'spent' },
  },
  approvals_vote: { key: ['approval', 'step'], numbers: ['step', 'at'], free: { key: null } },
  rollouts_proposal: { key: ['id'], numbers: ['percent', 'opened_at', 'changed_at'], free: { state: 'promoted' } },
  rollouts_review: { key: ['proposal', 'person'], numbers: ['at'] },
  rollouts_figure: { key: ['proposal', 'name'], numbers: ['value'] },
  rollouts_difference: { key: ['proposal', 'agent', 'action', 'active', 'tried'], numbers: ['count', 'last_at'] },
  backtests_run: { key: ['id'], numbers: ['most', 'after', 'up_to', 'position', 'started_at', 'ended_at'] },
  policy_bundle: { key: ['activation'], numbers: ['activation', 'activated_at'] },
  policy_files: { key: ['version'], numbers: [] },
  policy_world: { key: ['digest'], numbers: [] },
  policy_world_part: { key: ['digest'], numbers: [] },
  policy_signature: { key: ['version'], numbers: ['withdrawn'] },
  policy_stage: { key: ['step'], numbers: ['step', 'activation', 'percent'] },
  policy_folder: { key: [], numbers: [] },
}

const places = (row: Row) =>
  Object.keys(row)
    .map((name) => `${name} ${row[name] === null ? 'IS NULL' : '= ?'}`)
    .join(' AND ')
const values = (row: Row) => Object.values(row).filter((value) => value !== null)
const pick = (row: Row, names: string[]): Row => Object.fromEntries(names.map((name) => [name, row[name] ?? null]))
const keyOf = (row: Row, key: string[]) => (key.length === 0 ? 'the only row' : key.map((name) => String(row[name])).join('/'))

async function alter(sql: string, params: Cell[]) {
  expect(await alterStore(world.home, sql, params)).toBe(1)
}
const insert = (table: string, row: Row) =>
  alter(
    `INSERT INTO ${table} (${Object.keys(row).join(', ')}) VALUES (${Object.values(row)
      .map((value) => (value === null ? 'NULL' : '?'))
      .join(', ')})`,
    values(row),
  )
const update = (table: string, row: Row, column: string, value: Cell) =>
  alter(`UPDATE ${table} SET ${column} = ${value === null ? 'NULL' : '?'} WHERE ${places(row)}`, [
    ...(value === null ? [] : [value]),
    ...values(row),
  ])

test('tables that nobody touched are what the ledger says, and all of it is covered', async () => {
  const { differences, uncovered, rows } = await check()
  expect({ differences, uncovered }).toEqual({ differences: [], uncovered: [] })
  expect(rows).toBeGreaterThan(50)
})

test.each(Object.keys(TABLES))('a change of any single column of %s is found, with the row and the column', async (table) => {
  const { key, numbers } = TABLES[table] ?? { key: [], numbers: [] }
  const rows = await rowsOf(world.store, table)
  expect(rows.length).toBeGreaterThan(0)
  const missed: string[] = []
  for (const column of Object.keys(rows[0] ?? {})) {
    const set = rows.find((row) => row[column] !== null)
    const unset = rows.find((row) => row[column] === null)
    for (const row of [set, unset].filter((one) => one !== undefined)) {
      const before = row[column] ?? null
      const isKey = column === 'tenant' || key.includes(column)
      const changed = numbers.includes(column) ? Number(before) + (isKey ? 1000 : 1) : `${before ?? ''}x`
      await update(table, pick(row, ['tenant', ...key]), column, changed)
      const { differences } = await check()
      const found = differences.filter((one) => one.table === table && one.key === keyOf(row, key))
      if (!found.some(({ field }) => (isKey ? field === undefined || field === column : field?.split(', ').includes(column))))
        missed.push(`${column} of ${keyOf(row, key)}, from ${String(before)}: ${JSON.stringify(differences)}`)
      await update(table, { ...pick(row, ['tenant', ...key]), [column]: changed }, column, before)
    }
  }
  expect(missed).toEqual([])
})

test.each(Object.keys(TABLES))('a row of %s that was taken away, and one that was added, are found', async (table) => {
  const { key, numbers, free = {} } = TABLES[table] ?? { key: [], numbers: [] }
  const [row] = (await rowsOf(world.store, table)).toSorted((a, b) => (keyOf(a, key) < keyOf(b, key) ? -1 : 1))
  if (!row) throw new Error(`no row in ${table}`)
  await alter(`DELETE FROM ${table} WHERE ${places(pick(row, ['tenant', ...key]))}`, values(pick(row, ['tenant', ...key])))
  expect((await check()).differences).toContainEqual({ table, key: keyOf(row, key), detail: 'the ledger has it and the row is missing' })
  await insert(table, row)
  // A tenant has one row of it: another one can't be there.
  const last = key.at(-1)
  if (last === undefined) return
  const other: Row = { ...row, ...free, [last]: numbers.includes(last) ? Number(row[last]) + 1000 : `${String(row[last])}z` }
  await insert(table, other)
  const detail = 'the row is there and the ledger has no entry for it'
  expect((await check()).differences).toContainEqual({ table, key: keyOf(other, key), detail })
  await alter(`DELETE FROM ${table} WHERE ${places(pick(other, ['tenant', ...key]))}`, values(pick(other, ['tenant', ...key])))
  expect((await check()).differences).toEqual([])
})

test('what is written while the check runs is no difference', async () => {
  const agent = await world.agent()
  const all = Array.from({ length: 20 }, (_, i) =>
    world.broker.perform(callOf(agent.bearer, 'note', { text: `${i}` }), async () => ({ isError: false, value: 'done' })),
  )
  const [found] = await Promise.all([check(), ...all])
  expect(found.differences).toEqual([])
  expect((await check()).differences).toEqual([])
})

test('worlds that an erased agent was taken out of are what the entry says, and nothing else', async () => {
  const { store, ledger, log, identity } = world
  const { id } = await world.agent('forgotten')
  await ledger.append(await forgetAgent({ store, ledger, log }, id, identity.operator))
  expect((await check()).differences).toEqual([])
  const like = `%"id":"${id}"%"purpose":"erased"%`
  const change = `UPDATE policy_world_part SET content = replace(content, '"purpose":"erased"', '"purpose":"other"') WHERE content LIKE ?`
  expect(await alterStore(world.home, change, [like])).toBe(1)
  expect((await check()).differences).toMatchObject([{ table: 'policy_world_part', field: 'content' }])
  const back = `UPDATE policy_world_part SET content = replace(content, '"purpose":"other"', '"purpose":"erased"') WHERE content LIKE ?`
  expect(await alterStore(world.home, back, [like.replace('erased', 'other')])).toBe(1)
})

test('an approval from before there were quorums is compared as far as its entry goes', async () => {
  const [row] = (await rowsOf(world.store, 'approvals_request')).filter(({ state }) => state === 'spent')
  const [vote] = await rowsOf(world.store, 'approvals_vote')
  if (!row || !vote) throw new Error('nothing was approved')
  const id = world.clock.id('apr')
  await insert('approvals_request', { ...row, id })
  await insert('approvals_vote', { ...vote, approval: id, key: null })
  const { decision = null, digest = null, agent = null, server = null, tool = null } = row
  const entry = { type: 'approval.opened', id: `${id}/opened`, body: { approval: id, decision, digest, agent, server, tool } }
  await world.ledger.append({ changes: [], entries: [entry] })
  const { differences, uncovered } = await check()
  expect(differences).toEqual([])
  expect(uncovered).toMatchObject([
    { table: 'approvals_request', key: id },
    { table: 'approvals_vote', key: id },
  ])
  await update('approvals_request', { id }, 'agent', 'agt_x')
  expect((await check()).differences).toMatchObject([{ table: 'approvals_request', key: id, field: 'agent' }])
  await update('approvals_request', { id }, 'agent', agent)
})

test('an entry of before, which commits to less, leaves the rest of its row uncovered and not wrong', async () => {
  const [row] = await world.broker.list({ limit: 1 })
  if (!row) throw new Error('no decision')
  const old = { ...row, id: world.clock.id('dec'), effect: 'deny' as const, idempotency: undefined, deadline: undefined }
  const plain = { ...old, tool: undefined, kind: undefined, risk: undefined, policy: undefined, approval: undefined, fault: undefined }
  const { change } = insertDecision({ ...plain, obligations: [], spends: [], outcome: undefined, outcomeAt: undefined })
  const { door, session, method, server, digest, reasons } = row
  const body = { effect: 'deny', door, session, method, server, digest, reasons: reasons.map(({ policy }) => policy) }
  const entry = { type: 'decision', id: old.id, body: { ...body, principal: { type: 'agent', id: row.agent } } }
  await world.ledger.append({ changes: [change], entries: [entry] })
  const { differences, uncovered } = await check()
  expect(differences).toEqual([])
  expect(uncovered.filter(({ table }) => table === 'broker_decision')).toEqual([
    {
      table: 'broker_decision',
      key: old.id,
      field: 'at, reasons, risk_score, idempotency, detail',
      detail: 'the entries of this row are older than those that commit to it',
    },
  ])
})
