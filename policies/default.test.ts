/** The default pack through the real engine: what a fresh Ephor permits, holds and refuses, and in which words. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeLog, openSqlite, systemClock } from '@ephor/engine/kernel'
import type { Store } from '@ephor/engine/kernel'
import { openPolicy, policyMigrations } from '@ephor/engine/policy'
import type { Policy, PolicyRequest, PolicyWorld } from '@ephor/engine/policy'
import { afterAll, beforeAll, expect, test } from 'vitest'

const folder = fileURLToPath(new URL('.', import.meta.url))
const KINDS = ['read', 'write', 'destructive', 'external', 'money', 'identity'] as const
const inputSchema = { type: 'object', properties: { path: { type: 'string' } } }
const world: PolicyWorld = {
  agents: [{ id: 'agt_1', name: 'Ada', owner: 'per_1', purpose: 'tests' }],
  servers: [{ name: 'fs', folders: ['/srv'] }],
  tools: KINDS.map((kind) => ({ server: 'fs', name: kind, kind, risk: 'high', inputSchema })),
}

const key = generateKeyPairSync('ed25519').privateKey
let store: Store
let policy: Policy
beforeAll(async () => {
  store = await openSqlite({ file: join(mkdtempSync(join(tmpdir(), 'ephor-pack-')), 'store.db'), migrations: [policyMigrations] })
  const ledger = { append: async () => [], find: async () => undefined }
  policy = await openPolicy({ folder, world, store, ledger, key, log: makeLog('silent'), clock: systemClock })
})
afterAll(async () => {
  await policy.close()
  await store.close()
})

const agent = { type: 'Agent', id: 'agt_1' } as const

function decide(action: string, facts: Partial<PolicyRequest['facts']> = {}, principal: PolicyRequest['principal'] = agent) {
  const all = { door: 'mcp', approvals: [], now: 0, ...facts }
  return policy.decide({ principal, action, server: 'fs', input: { path: '/srv/a' }, facts: all })
}

test('the pack has no findings, not even a warning, and every policy has a reason of its own', async () => {
  expect(await policy.check(folder)).toEqual([])
  const reasons = policy.active().policies.map(({ reason }) => reason)
  expect(new Set(reasons).size).toBe(reasons.length)
})

test('the pack is good before any tool server is accepted', async () => {
  const empty = await openPolicy({
    folder,
    world: { agents: [], servers: [], tools: [] },
    store,
    ledger: { append: async () => [], find: async () => undefined },
    key,
    log: makeLog('silent'),
    clock: systemClock,
  })
  expect(empty.version()).toBe(policy.version())
  expect(empty.active().findings).toEqual([])
  await empty.close()
})

test.each(['fs/read', 'resources/read', 'prompts/get', 'completion/complete'])('%s is permitted without conditions', async (action) => {
  expect(await decide(action)).toMatchObject({ effect: 'permit', reasons: [{ policy: 'reads/reads' }], obligations: [] })
})

test('a write is permitted, sixty times a minute', async () => {
  expect(await decide('fs/write')).toMatchObject({
    effect: 'permit',
    obligations: [{ kind: 'limit', count: 60, per: 'minute', policy: 'writes/writes' }],
  })
})

test.each(['destructive', 'external', 'money', 'identity'])(
  'what is %s is held for a person, and permitted once they agree',
  async (kind) => {
    const asked = {
      policy: `sensitive/${kind}`,
      reason: expect.stringContaining('a person has to agree first'),
      deadlineMs: 900_000,
      quorum: 1,
    }
    expect(await decide(`fs/${kind}`)).toMatchObject({ effect: 'hold', asks: [asked] })
    const approvals = [{ id: 'apr_1', by: ['per_1'], policies: [`sensitive/${kind}`] }]
    expect(await decide(`fs/${kind}`, { approvals })).toMatchObject({ effect: 'permit' })
  },
)

test.each(KINDS)('a path outside the folders is refused for what is %s, whoever agreed', async (kind) => {
  const facts = {
    paths: { all: ['/srv/a', '/etc/passwd'], outside: ['/etc/passwd'] },
    approvals: [{ id: 'apr_1', by: ['per_1'], policies: [`sensitive/${kind}`, 'folders/outside'] }],
  }
  expect(await decide(`fs/${kind}`, facts)).toMatchObject({
    effect: 'deny',
    fault: 'POLICY_DENIED',
    detail: 'The path is outside the folders that the tool server is confined to.',
  })
  expect(await decide(`fs/${kind}`, { ...facts, paths: { all: ['/srv/a'], outside: [] } })).toMatchObject({ effect: 'permit' })
})

test.each(['sampling/createMessage', 'elicitation/create', 'roots/list'])('a tool server may not ask for %s', async (action) => {
  const server = { type: 'ToolServer', id: 'fs' } as const
  expect(await decide(action, {}, server)).toMatchObject({ effect: 'deny', fault: 'POLICY_NO_PERMIT' })
  expect(policy.couldPermit(server, action, 'fs')).toBe(false)
})

test('an agent sees every kind of tool in its lists', () => {
  for (const kind of KINDS) expect(policy.couldPermit(agent, `fs/${kind}`, 'fs')).toBe(true)
})
