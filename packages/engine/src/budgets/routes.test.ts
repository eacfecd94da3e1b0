/** The room over HTTP: every declared budget with its use in this period, for people only. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Principal } from '@ephor/contract'
import { makeLog } from '@ephor/engine/kernel'
import { openTestStore } from '@ephor/engine/kernel/testing'
import fastify from 'fastify'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { budgetsMigrations, mountBudgets, openBudgets } from './index.ts'

const NOW = Date.parse('2026-11-18T10:20:30Z')
const clock = {
  now: () => NOW,
  id: () => {
    throw new Error('no ids are made here')
  },
}
const declared = {
  budget: 'payments',
  per: 'agent',
  period: 'week',
  unit: 'EUR',
  limit: 100,
  covers: ['money'],
  agents: undefined,
} as const
const person: Principal = { kind: 'person', id: 'per_1', session: 'ses_1' }

async function serve(who: Principal) {
  const store = await openTestStore({ folder: mkdtempSync(join(tmpdir(), 'ephor-budgets-')), migrations: [budgetsMigrations] })
  const budgets = openBudgets({ store, clock, log: makeLog('silent') })
  const app = fastify()
  app.setErrorHandler((error, _request, reply) => reply.status((error as { status?: number }).status ?? 500).send())
  mountBudgets(app, { budgets, declared: () => [declared], clock }, async () => who)
  const close = async () => {
    budgets.close()
    await app.close()
    await store.close()
  }
  return { app, budgets, store, close }
}

let served: Awaited<ReturnType<typeof serve>>
beforeAll(async () => {
  served = await serve(person)
  for (const [agent, amount] of Object.entries({ agt_1: 30, agt_2: 100 })) {
    const { part } = served.budgets.spend([{ ...declared, amount }], { agent, session: 's', person: undefined }, NOW)
    await served.store.commit({ changes: part.changes })
  }
})
afterAll(() => served.close())

test('a person sees what is declared, and who used how much of it, most first', async () => {
  const shown = {
    name: 'payments',
    unit: 'EUR',
    per: 'agent',
    period: 'week',
    limit: 100,
    covers: ['money'],
    since: '2026-11-16T00:00:00.000Z',
    frees: '2026-11-23T00:00:00.000Z',
    uses: [
      { subject: 'agt_2', used: 100, left: 0 },
      { subject: 'agt_1', used: 30, left: 70 },
    ],
  }
  expect((await served.app.inject('/v1/budgets')).json()).toEqual({ items: [shown] })
  expect((await served.app.inject('/v1/budgets/payments')).json()).toEqual(shown)
})

test('a budget that nobody declared is not there', async () => {
  expect((await served.app.inject('/v1/budgets/other')).statusCode).toBe(404)
})

test('an agent sees none of it', async () => {
  const { app, close } = await serve({ kind: 'agent', id: 'agt_1', credential: 'crd_1' })
  for (const url of ['/v1/budgets', '/v1/budgets/payments']) expect((await app.inject(url)).statusCode).toBe(403)
  await close()
})
