/** Budgets over real SQLite: no race, restart, clock or changed charter spends what is not there. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Fault } from '@ephor/contract'
import { makeLog } from '@ephor/engine/kernel'
import type { Store } from '@ephor/engine/kernel'
import { openTestStore } from '@ephor/engine/kernel/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { budgetsMigrations, openBudgets } from './index.ts'
import type { Budgets, Charge, Spend, Subjects, Terms } from './index.ts'
import { startOf } from './rules.ts'

const log = makeLog('silent')
const MONDAY = Date.parse('2026-11-16T10:20:30Z')
const clock = {
  now: () => MONDAY,
  id: () => {
    throw new Error('no ids are made here')
  },
}
const ada: Subjects = { agent: 'agt_1', session: 'a'.repeat(32), person: 'per_1' }

async function freshStore(): Promise<Store> {
  return openTestStore({ folder: mkdtempSync(join(tmpdir(), 'ephor-budgets-')), migrations: [budgetsMigrations] })
}

let store: Store
let budgets: Budgets
beforeAll(async () => {
  store = await freshStore()
  budgets = openBudgets({ store, clock, log })
})
afterAll(async () => {
  budgets.close()
  await store.close()
})

let made = 0
const termsOf = (more: Partial<Terms> = {}): Terms => ({
  budget: `budget_${++made}`,
  per: 'agent',
  period: 'day',
  unit: 'calls',
  limit: 3,
  ...more,
})

/** Commits one call's charges. @returns what it took, or the fault's code */
async function take(charges: Charge[], { subjects = ada, now = MONDAY, room = budgets, db = store } = {}): Promise<Spend[] | string> {
  const { spends, part } = room.spend(charges, subjects, now)
  try {
    await db.commit({ changes: part.changes })
    return spends
  } catch (error) {
    if (error instanceof Fault) return error.code
    throw error
  }
}

const usedOf = async (terms: Terms, subjects = ada, now = MONDAY) => (await budgets.uses([terms], subjects, now))[terms.budget]?.used

describe('taking', () => {
  test('goes up to the limit, and not beyond', async () => {
    const terms = termsOf()
    for (let i = 0; i < 3; i++) expect(await take([{ ...terms, amount: 1 }])).toHaveLength(1)
    expect(await take([{ ...terms, amount: 1 }])).toBe('BUDGET_EXHAUSTED')
    expect(await budgets.uses([terms], ada, MONDAY)).toEqual({
      [terms.budget]: { used: 3, left: 0, limit: 3, frees: Date.parse('2026-11-17T00:00:00Z') },
    })
  })

  test('from several takes from all or none', async () => {
    const [wide, narrow] = [termsOf({ limit: 10 }), termsOf({ limit: 1 })]
    const both = [
      { ...wide, amount: 1 },
      { ...narrow, amount: 1 },
    ]
    expect(await take(both)).toHaveLength(2)
    expect(await take(both)).toBe('BUDGET_EXHAUSTED')
    expect(await usedOf(wide)).toBe(1)
    expect(await budgets.explain(both, ada, MONDAY)).toBe(
      `of the budget ${narrow.budget}, 1 of 1 calls an agent a day are used, and this call takes more than is left; it frees at 2026-11-17T00:00:00.000Z`,
    )
  })

  test('more than a limit at once is refused while nothing is used', async () => {
    const terms = termsOf({ unit: 'EUR', limit: 100 })
    expect(await take([{ ...terms, amount: 101 }])).toBe('BUDGET_EXHAUSTED')
    expect(await take([{ ...terms, amount: Number.MAX_SAFE_INTEGER }])).toBe('BUDGET_EXHAUSTED')
    expect(await take([{ ...terms, amount: 100 }])).toHaveLength(1)
    expect(await take([{ ...terms, amount: Number.MAX_SAFE_INTEGER }])).toBe('BUDGET_EXHAUSTED')
  })

  test('the greatest amounts there are does not overflow', async () => {
    const terms = termsOf({ unit: 'EUR', limit: Number.MAX_SAFE_INTEGER })
    expect(await take([{ ...terms, amount: Number.MAX_SAFE_INTEGER - 1 }])).toHaveLength(1)
    expect(await take([{ ...terms, amount: 2 }])).toBe('BUDGET_EXHAUSTED')
    expect(await take([{ ...terms, amount: Number.MAX_SAFE_INTEGER }])).toBe('BUDGET_EXHAUSTED')
    expect(await take([{ ...terms, amount: 1 }])).toHaveLength(1)
    expect(await usedOf(terms)).toBe(Number.MAX_SAFE_INTEGER)
  })
})

describe('a subject', () => {
  test('that opens new sessions stays the same agent and the same person', async () => {
    const [agent, session, person] = (['agent', 'session', 'person'] as const).map((per) => termsOf({ per, limit: 1 })) as [
      Terms,
      Terms,
      Terms,
    ]
    for (const terms of [agent, session, person]) expect(await take([{ ...terms, amount: 1 }])).toHaveLength(1)
    const other = { ...ada, session: 'b'.repeat(32) }
    expect(await take([{ ...agent, amount: 1 }], { subjects: other })).toBe('BUDGET_EXHAUSTED')
    expect(await take([{ ...person, amount: 1 }], { subjects: other })).toBe('BUDGET_EXHAUSTED')
    expect(await take([{ ...session, amount: 1 }], { subjects: other })).toHaveLength(1)
  })

  test('without a person is the agent, and not without limit', async () => {
    const terms = termsOf({ per: 'person', limit: 1 })
    const nobody = { ...ada, person: undefined }
    expect(await take([{ ...terms, amount: 1 }], { subjects: nobody })).toHaveLength(1)
    expect(await take([{ ...terms, amount: 1 }], { subjects: nobody })).toBe('BUDGET_EXHAUSTED')
    expect(await take([{ ...terms, amount: 1 }], { subjects: { ...nobody, agent: 'agt_2' } })).toHaveLength(1)
  })

  test('is a value, whatever it is called', async () => {
    const terms = termsOf({ per: 'session', limit: 1 })
    const named = (session: string) => take([{ ...terms, amount: 1 }], { subjects: { ...ada, session } })
    for (const name of ["'; DELETE FROM budgets_use; --", '%', '', 'agt_1', '__proto__']) {
      expect(await named(name)).toHaveLength(1)
      expect(await named(name)).toBe('BUDGET_EXHAUSTED')
    }
  })
})

describe('a period', () => {
  test('begins on the hour, at midnight and on Monday in UTC', () => {
    expect(new Date(startOf('hour', MONDAY)).toISOString()).toBe('2026-11-16T10:00:00.000Z')
    expect(new Date(startOf('day', MONDAY)).toISOString()).toBe('2026-11-16T00:00:00.000Z')
    const sunday = Date.parse('2026-11-22T23:59:59.999Z')
    expect(startOf('week', sunday)).toBe(Date.parse('2026-11-16'))
    expect(startOf('week', sunday + 1)).toBe(sunday + 1)
  })

  test('that has ended does not count, and is found again when the clock goes back', async () => {
    const terms = termsOf({ limit: 1 })
    const [today, tomorrow] = [MONDAY, MONDAY + 86_400_000]
    expect(await take([{ ...terms, amount: 1 }], { now: today })).toHaveLength(1)
    expect(await take([{ ...terms, amount: 1 }], { now: tomorrow })).toHaveLength(1)
    for (const now of [today, tomorrow]) expect(await take([{ ...terms, amount: 1 }], { now })).toBe('BUDGET_EXHAUSTED')
  })
})

describe('a changed charter', () => {
  test('holds at the next call, whether it gives or takes', async () => {
    const terms = termsOf({ limit: 2 })
    for (let i = 0; i < 2; i++) await take([{ ...terms, amount: 1 }])
    expect(await take([{ ...terms, limit: 3, amount: 1 }])).toHaveLength(1)
    expect(await take([{ ...terms, limit: 1, amount: 1 }])).toBe('BUDGET_EXHAUSTED')
    expect(await budgets.uses([{ ...terms, limit: 1 }], ada, MONDAY)).toMatchObject({ [terms.budget]: { used: 3, left: 0, limit: 1 } })
  })

  test('that counts something else under the name begins anew', async () => {
    const terms = termsOf({ unit: 'EUR', limit: 100 })
    await take([{ ...terms, amount: 90 }])
    expect(await take([{ ...terms, unit: 'calls', amount: 100 }])).toHaveLength(1)
    expect(await take([{ ...terms, amount: 11 }])).toBe('BUDGET_EXHAUSTED')
  })
})

describe('an outcome', () => {
  const settle = async (spends: Spend[] | string, actual: { bytes?: number; tokens?: number }) => {
    const { settled, part } = budgets.settle(spends as Spend[], actual)
    await store.commit({ changes: part.changes })
    return settled
  }

  test('replaces the reserve by what was used', async () => {
    const terms = termsOf({ unit: 'bytes', limit: 1000 })
    const spends = await take([{ ...terms, amount: 510, certain: 10 }])
    expect(await settle(spends, { bytes: 40, tokens: 7 })).toEqual([{ budget: terms.budget, amount: -460 }])
    expect(await usedOf(terms)).toBe(50)
  })

  test('that says nothing keeps the reserve, and calls and money are never given back', async () => {
    const [tokens, money] = [termsOf({ unit: 'tokens', limit: 100 }), termsOf({ unit: 'EUR', limit: 100 })]
    const spends = await take([
      { ...tokens, amount: 60, certain: 0 },
      { ...money, amount: 60 },
    ])
    expect(await settle(spends, { bytes: 5 })).toEqual([])
    expect([await usedOf(tokens), await usedOf(money)]).toEqual([60, 60])
  })

  test('that used more than the reserve is counted in full, and nothing more is permitted', async () => {
    const terms = termsOf({ unit: 'tokens', limit: 100 })
    const spends = await take([{ ...terms, amount: 60, certain: 0 }])
    await settle(spends, { tokens: 5000 })
    expect(await budgets.uses([terms], ada, MONDAY)).toMatchObject({ [terms.budget]: { used: 5000, left: 0 } })
    expect(await take([{ ...terms, amount: 1, certain: 0 }])).toBe('BUDGET_EXHAUSTED')
    await settle(spends, { tokens: Number.MAX_SAFE_INTEGER })
    expect(await usedOf(terms)).toBe(Number.MAX_SAFE_INTEGER)
  })

  test('of an earlier period is settled in that period', async () => {
    const terms = termsOf({ unit: 'tokens', limit: 100 })
    const spends = await take([{ ...terms, amount: 60, certain: 0 }])
    await take([{ ...terms, amount: 60, certain: 0 }], { now: MONDAY + 86_400_000 })
    await settle(spends, { tokens: 10 })
    expect([await usedOf(terms), await usedOf(terms, ada, MONDAY + 86_400_000)]).toEqual([10, 60])
  })
})

test('however calls race, through however many rooms, no sum passes its limit and none is refused that fits', async () => {
  const calls = fc.array(fc.record({ amount: fc.integer({ min: 0, max: 40 }), agent: fc.nat(2), room: fc.nat(1) }), {
    minLength: 20,
    maxLength: 120,
  })
  const replica = openBudgets({ store, clock, log })
  await fc.assert(
    fc.asyncProperty(calls, fc.integer({ min: 1, max: 400 }), async (drafts, limit) => {
      const [own, shared] = [termsOf({ unit: 'EUR', limit }), termsOf({ per: 'person', unit: 'EUR', limit: limit * 2 })]
      const results = await Promise.all(
        drafts.map(async ({ amount, agent, room }) => {
          const charges = [own, shared].map((terms) => ({ ...terms, amount }))
          const taken = await take(charges, { subjects: { ...ada, agent: `agt_${agent}` }, room: room === 0 ? budgets : replica })
          return { amount, agent, fits: typeof taken !== 'string' }
        }),
      )
      const sum = (of: typeof results) => of.filter(({ fits }) => fits).reduce((total, { amount }) => total + amount, 0)
      const sums = [0, 1, 2].map((agent) => sum(results.filter((one) => one.agent === agent)))
      expect(Math.max(...sums)).toBeLessThanOrEqual(limit)
      expect(sum(results)).toBeLessThanOrEqual(limit * 2)
      expect(await usedOf(shared)).toBe(sum(results))
      // Sums only grow: what was refused would not fit at the end either.
      const wrong = results.filter(
        ({ fits, amount, agent }) => !fits && (sums[agent] ?? 0) + amount <= limit && sum(results) + amount <= limit * 2,
      )
      expect(wrong).toEqual([])
    }),
    { numRuns: 100 },
  )
  replica.close()
}, 60_000)

test('a restart forgets nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ephor-budgets-'))
  const terms = termsOf({ limit: 1 })
  for (const expected of ['taken', 'BUDGET_EXHAUSTED']) {
    const db = await openTestStore({ folder, migrations: [budgetsMigrations] })
    const room = openBudgets({ store: db, clock, log })
    const result = await take([{ ...terms, amount: 1 }], { room, db })
    expect(typeof result === 'string' ? result : 'taken').toBe(expected)
    room.close()
    await db.close()
  }
})

test('what began more than 60 days ago is forgotten, and nothing younger', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const room = openBudgets({ store, clock, log })
  const terms = termsOf()
  const days = (n: number) => MONDAY - n * 86_400_000
  for (const now of [days(61), days(59)]) await take([{ ...terms, amount: 1 }], { now })
  vi.advanceTimersByTime(3_600_000)
  vi.useRealTimers()
  await vi.waitFor(async () => expect(await usedOf(terms, ada, days(61))).toBe(0))
  expect(await usedOf(terms, ada, days(59))).toBe(1)
  room.close()
})
