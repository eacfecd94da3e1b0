/** Retention and legal hold: what is past expires once, and nothing that is held goes, whatever the clock says. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { RetentionRules } from '@ephor/contract'
import { makeLog } from '@ephor/engine/kernel'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openWorld, scratch } from '../ledger.fixture.ts'
import type { World } from '../ledger.fixture.ts'
import { openErasure } from './open-erasure.ts'
import type { Erasure } from './open-erasure.ts'

const [ANNA, BERT, OPERATOR] = ['agt_0000000000000000000000000a', 'per_0000000000000000000000000b', 'per_00000000000000000000000000']
const DAY = 86_400_000
const RULES = RetentionRules.parse({
  classes: { content: ['input', 'result'], reasons: ['facts'] },
  jurisdictions: { eu: { subjects: [ANNA], groups: ['berlin'] } },
  rules: [
    { class: 'content', jurisdiction: 'eu', keep: '10d' },
    { class: 'content', keep: '20d' },
    { class: 'reasons', keep: '30d' },
  ],
})

let world: World
let erasure: Erasure
let now: number
let ids = 0
const clock = { now: () => now, id: (prefix: string) => `${prefix}_${String(++ids).padStart(26, '0')}` }
const input = { groupsOf: () => [] as string[], by: 'system' }
const withCode = (code: string) => expect.objectContaining({ code }) as Error

async function open(folder = scratch()): Promise<void> {
  world = await openWorld(folder, { clock })
  erasure = await openErasure({ store: world.store, ledger: world.ledger, clock, log: makeLog('silent'), file: join(folder, 'erased') })
}

async function close(): Promise<void> {
  erasure.close()
  await world.close()
}

beforeEach(async () => {
  now = Date.parse('2026-03-10T10:00:00Z')
  await open()
})
afterEach(close)

async function act(subject: string): Promise<number> {
  const payloads = ['input', 'facts', 'note'].map((name) => ({ name, subject, value: name }))
  const [receipt] = await world.ledger.append({ changes: [], entries: [{ type: 'decision', body: {}, payloads }] })
  return receipt?.seq ?? -1
}

/** Which of the payloads can still be read. */
async function left(seq: number): Promise<string[]> {
  const values = await Promise.all(['input', 'facts', 'note'].map((name) => world.ledger.payload(seq, name)))
  return values.filter((value) => value !== undefined) as string[]
}

/** As somebody who can write the database. */
async function alter(sql: string): Promise<void> {
  await world.store.commit({ changes: [{ sql, params: [], rows: 1 }] })
}

async function advance(days: number): Promise<void> {
  for (let i = 0; i < days; i += 30) {
    now += Math.min(30, days - i) * DAY
    await erasure.sweep(input)
  }
}

test('without rules everything is kept for ever', async () => {
  const seq = await act(ANNA)
  await advance(4000)
  await expect(left(seq)).resolves.toEqual(['input', 'facts', 'note'])
})

test('each class goes when it is past, by the first rule that fits its subject, and says so', async () => {
  await erasure.setRules(RULES, OPERATOR)
  const [anna, bert] = [await act(ANNA), await act(BERT)]
  await advance(11)
  await expect(Promise.all([left(anna), left(bert)])).resolves.toEqual([
    ['facts', 'note'],
    ['input', 'facts', 'note'],
  ])
  await advance(10)
  await expect(Promise.all([left(anna), left(bert)])).resolves.toEqual([
    ['facts', 'note'],
    ['facts', 'note'],
  ])
  await advance(10)
  await expect(Promise.all([left(anna), left(bert)])).resolves.toEqual([['note'], ['note']])
  await expect(erasure.list(9)).resolves.toMatchObject([
    { type: 'ledger.expired', by: 'system', keys: 2, payloads: { reasons: 2 } },
    { type: 'ledger.expired', payloads: { content: 1 } },
    { type: 'ledger.expired', payloads: { content: 1 } },
  ])
  await expect(erasure.retention()).resolves.toMatchObject({
    swept: '2026-04-10',
    keys: [{ class: 'other', keys: 2, oldest: '2026-03-10' }],
  })
})

test('a person’s groups decide the jurisdiction', async () => {
  await erasure.setRules(RULES, OPERATOR)
  const bert = await act(BERT)
  now += 11 * DAY
  await erasure.sweep({ ...input, groupsOf: (subject) => (subject === BERT ? ['berlin'] : []) })
  await expect(left(bert)).resolves.toEqual(['facts', 'note'])
})

test('sweeping again finds nothing, and neither do several sweeps at once', async () => {
  await erasure.setRules(RULES, OPERATOR)
  await act(ANNA)
  now += 11 * DAY
  const results = await Promise.all([erasure.sweep(input), erasure.sweep(input), erasure.sweep(input)])
  expect(results.map(({ keys }) => keys).toSorted((a, c) => a - c)).toEqual([0, 0, 1])
  await expect(erasure.sweep(input)).resolves.toEqual({ keys: 0, entries: [] })
})

test('rules survive a restart, and count for what is sealed from then on', async () => {
  await erasure.setRules(RULES, OPERATOR)
  await close()
  await open(world.folder)
  const seq = await act(ANNA)
  await advance(11)
  await expect(left(seq)).resolves.toEqual(['facts', 'note'])
})

test('what is held neither expires nor is erased, however far the clock jumps, until it is released', async () => {
  await erasure.setRules(RULES, OPERATOR)
  const [anna, bert] = [await act(ANNA), await act(BERT)]
  const hold = await erasure.holds.place({ subject: ANNA, reason: 'case 7' }, OPERATOR)
  now += 10_000 * DAY
  await erasure.sweep({ ...input, force: true })
  await expect(Promise.all([left(anna), left(bert)])).resolves.toEqual([['input', 'facts', 'note'], ['note']])
  await expect(erasure.erase(ANNA, { reason: 'subject-request', by: OPERATOR })).rejects.toThrow(withCode('LEGAL_HOLD'))
  now -= 20_000 * DAY
  await erasure.sweep({ ...input, force: true })
  await expect(left(anna)).resolves.toEqual(['input', 'facts', 'note'])
  await expect(erasure.holds.list()).resolves.toMatchObject([{ id: hold.id, subject: ANNA, reason: 'case 7', placedBy: OPERATOR }])
  await erasure.holds.release(hold.id, OPERATOR)
  now += 10_031 * DAY
  await erasure.sweep({ ...input, force: true })
  await expect(left(anna)).resolves.toEqual(['note'])
})

test('a hold on a time keeps that time, and the rest of the subject is erased', async () => {
  const first = await act(ANNA)
  now += 3 * DAY
  const second = await act(ANNA)
  await erasure.holds.place({ since: now - DAY, until: now + DAY, reason: 'incident' }, OPERATOR)
  await expect(erasure.erase(ANNA, { reason: 'subject-request', by: OPERATOR })).resolves.toMatchObject({ keys: 1, held: [{ keys: 1 }] })
  await expect(Promise.all([left(first), left(second)])).resolves.toEqual([[], ['input', 'facts', 'note']])
})

test('a clock far ahead of the last sweep is not believed without a person', async () => {
  await erasure.setRules(RULES, OPERATOR)
  const seq = await act(ANNA)
  now += 400 * DAY
  await expect(erasure.sweep(input)).rejects.toThrow('400 days after the last sweep')
  await expect(left(seq)).resolves.toEqual(['input', 'facts', 'note'])
  await expect(erasure.sweep({ ...input, force: true })).resolves.toMatchObject({ keys: 2 })
})

test('a hold whose row somebody removed, and rules that somebody changed, keep anything from being destroyed', async () => {
  await act(ANNA)
  await erasure.holds.place({ subject: ANNA, reason: 'case 7' }, OPERATOR)
  await alter('DELETE FROM ledger_hold')
  await expect(erasure.erase(ANNA, { reason: 'other', by: OPERATOR })).rejects.toThrow(withCode('STORE_CORRUPT'))
  await alter('UPDATE ledger_retention SET version = 0')
  await expect(erasure.erase(ANNA, { reason: 'other', by: OPERATOR })).rejects.toThrow(withCode('STORE_CORRUPT'))
  await alter('DELETE FROM ledger_retention')
  await expect(erasure.sweep({ ...input, force: true })).rejects.toThrow(withCode('STORE_CORRUPT'))
})

test('a hold and an erasure at once: either the hold came first and keeps, or there was nothing left to hold', async () => {
  for (let i = 0; i < 5; i++) {
    const seq = await act(ANNA)
    const [hold, erased] = await Promise.allSettled([
      erasure.holds.place({ subject: ANNA, reason: `race ${i}` }, OPERATOR),
      erasure.erase(ANNA, { reason: 'other', by: OPERATOR }),
    ])
    expect(hold.status).toBe('fulfilled')
    expect(await left(seq)).toEqual(erased.status === 'fulfilled' ? [] : ['input', 'facts', 'note'])
    if (hold.status === 'fulfilled') await erasure.holds.release(hold.value.id, OPERATOR)
  }
})

test('what expired is known outside the database', async () => {
  await erasure.setRules(RULES, OPERATOR)
  await act(ANNA)
  await advance(11)
  expect(existsSync(join(world.folder, 'erased'))).toBe(true)
})
