/** The life of a policy folder: activated, refused, kept across a restart, followed by the watch, re-checked in a new world. */
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadKeys, makeLog, systemClock } from '@ephor/engine/kernel'
import { openTestStore } from '@ephor/engine/kernel/testing'
import { fileSigner, ledgerExtension, ledgerMigrations, openLedger } from '@ephor/engine/ledger'
import { expect, test } from 'vitest'
import { openPolicy } from './open-policy.ts'
import { openRoom, policyFolder, requestOf, toolOf, until, world } from './policy.fixture.ts'
import { policyMigrations } from './store.ts'

const PERMIT = '@reason("r") permit (principal, action, resource);'
const NEXT = '@reason("next") permit (principal, action in Action::"read", resource);'
const BROKEN = '@reason("r")\npermit (principal, action in Action::"raed", resource);'

test('a good folder becomes active, and the ledger says so with digests only', async () => {
  const { policy, ledger, close } = await openRoom({ 'a.cedar': PERMIT })
  expect(policy.active()).toMatchObject({ version: policy.version(), policies: [{ id: 'a/1', effect: 'permit', line: 1 }], findings: [] })
  expect(ledger.entries).toEqual([
    {
      type: 'policy.activated',
      id: 'policy/activation/1',
      body: {
        activation: 1,
        version: policy.version(),
        policies: 1,
        schema: (await policy.schema()).digest,
        previous: null,
        activatedAt: policy.active().activatedAt,
        signed: expect.stringMatching(/^[\w-]{43}$/),
        folder: policy.version(),
      },
    },
  ])
  await close()
})

test('with no policy that was ever good, everything is denied', async () => {
  const { policy, ledger, lines, close } = await openRoom({ 'a.cedar': BROKEN })
  expect(await policy.decide(requestOf('fs/read'))).toMatchObject({ effect: 'deny', fault: 'POLICY_MISSING', version: undefined })
  expect(policy.couldPermit({ type: 'Agent', id: 'agt_1' }, 'fs/read', 'fs')).toBe(false)
  expect(policy.active().refused?.findings[0]).toMatchObject({ code: 'ACTION_UNKNOWN', line: 2 })
  expect(ledger.entries).toMatchObject([{ type: 'policy.refused', body: { errors: 1, active: null } }])
  expect(lines.join('')).toContain('a.cedar:2:')
  await close()
})

test('a folder that breaks while running leaves the last good one active; when it is mended, it follows', async () => {
  const { policy, folder, ledger, close } = await openRoom({ 'a.cedar': PERMIT }, { pollMs: 100 })
  const first = policy.version()
  writeFileSync(join(folder, 'b.cedar'), BROKEN)
  await until(() => policy.active().refused !== undefined)
  expect(policy.version()).toBe(first)
  expect(await policy.decide(requestOf('fs/write', { path: 'a' }))).toMatchObject({ effect: 'permit', version: first })
  unlinkSync(join(folder, 'b.cedar'))
  await until(() => policy.active().refused === undefined)
  writeFileSync(join(folder, 'a.cedar'), NEXT)
  await until(() => policy.version() !== first)
  expect(await policy.decide(requestOf('fs/write', { path: 'a' }))).toMatchObject({ effect: 'deny', fault: 'POLICY_NO_PERMIT' })
  rmSync(folder, { recursive: true })
  await until(() => policy.active().refused !== undefined)
  expect(policy.active().refused?.findings[0]).toMatchObject({ code: 'FOLDER_UNREADABLE' })
  expect(await policy.decide(requestOf('fs/read'))).toMatchObject({ effect: 'permit' })
  expect(ledger.entries.map(({ type }) => type)).toEqual(['policy.activated', 'policy.refused', 'policy.activated', 'policy.refused'])
  await close()
})

test('a folder that is broken at the start leaves the last good one active', async () => {
  const first = await openRoom({ 'a.cedar': PERMIT })
  const version = first.policy.version()
  await first.policy.close()
  writeFileSync(join(first.folder, 'a.cedar'), BROKEN)
  const second = await openRoom({}, { folder: first.folder, store: first.store, ledger: first.ledger })
  expect(second.policy.version()).toBe(version)
  expect(second.policy.active().refused).toBeDefined()
  expect(await second.policy.decide(requestOf('fs/read'))).toMatchObject({ effect: 'permit' })
  await second.policy.close()
  writeFileSync(join(first.folder, 'a.cedar'), NEXT)
  const third = await openRoom({}, { folder: first.folder, store: first.store, ledger: first.ledger })
  expect(third.policy.active()).toMatchObject({ refused: undefined })
  expect(third.policy.version()).not.toBe(version)
  expect(first.ledger.entries.at(-1)).toMatchObject({ body: { activation: 2, previous: version } })
  await third.close()
})

test('an unchanged folder is not activated again at the next start', async () => {
  const first = await openRoom({ 'a.cedar': PERMIT })
  await first.policy.close()
  const second = await openRoom({}, { folder: first.folder, store: first.store, ledger: first.ledger })
  expect(second.policy.version()).toBe(first.policy.version())
  expect(first.ledger.entries).toHaveLength(1)
  await second.close()
})

test('texts that somebody put into the table are not policies: the ledger names others', async () => {
  const first = await openRoom({ 'a.cedar': NEXT })
  await first.policy.close()
  const files = JSON.stringify({ 'a.cedar': PERMIT })
  await first.store.commit({ changes: [{ sql: 'UPDATE policy_files SET files = ?', params: [files] }] })
  const broken = policyFolder({ 'a.cedar': BROKEN })
  const second = await openRoom({}, { folder: broken, store: first.store, ledger: first.ledger })
  expect(second.policy.version()).toBeUndefined()
  expect(await second.policy.decide(requestOf('fs/read'))).toMatchObject({ fault: 'POLICY_MISSING' })
  await second.close()
})

test('an older version does not come back when somebody takes the latest row away', async () => {
  const first = await openRoom({ 'a.cedar': PERMIT })
  writeFileSync(join(first.folder, 'a.cedar'), NEXT)
  await first.policy.reload()
  await first.policy.close()
  await first.store.commit({ changes: [{ sql: 'DELETE FROM policy_bundle WHERE activation = 2', params: [], rows: 1 }] })
  const broken = policyFolder({ 'a.cedar': BROKEN })
  const second = await openRoom({}, { folder: broken, store: first.store, ledger: first.ledger })
  expect(second.policy.version()).toBeUndefined()
  // Mended, it goes on under a number of its own.
  writeFileSync(join(broken, 'a.cedar'), PERMIT)
  await second.policy.reload()
  expect(first.ledger.entries.at(-1)).toMatchObject({ type: 'policy.activated', body: { activation: 3 } })
  await second.close()
})

test('listeners hear of policies that became active, and of nothing else', async () => {
  const { policy, folder, close } = await openRoom({ 'a.cedar': PERMIT }, { pollMs: 60_000 })
  const heard: (string | undefined)[] = []
  const stop = policy.on(() => heard.push(policy.version()))
  writeFileSync(join(folder, 'a.cedar'), BROKEN)
  await policy.reload()
  expect(heard).toEqual([])
  writeFileSync(join(folder, 'a.cedar'), NEXT)
  await policy.reload()
  expect(heard).toEqual([policy.version()])
  stop()
  writeFileSync(join(folder, 'a.cedar'), PERMIT)
  await policy.reload()
  expect(heard).toHaveLength(1)
  await close()
})

test('what the ledger could not record does not become active, and is tried again', async () => {
  const { policy, folder, ledger, close } = await openRoom({ 'a.cedar': PERMIT }, { pollMs: 60_000 })
  const first = policy.version()
  const { append } = ledger
  ledger.append = () => Promise.reject(new Error('disk full'))
  writeFileSync(join(folder, 'a.cedar'), NEXT)
  await expect(policy.reload()).rejects.toThrow('disk full')
  expect(policy.version()).toBe(first)
  ledger.append = append
  await policy.reload()
  expect(policy.version()).not.toBe(first)
  await close()
})

test('a new world is decided about at once, and makes policies good that named what was not there', async () => {
  const { policy, close } = await openRoom({ 'a.cedar': '@reason("r") permit (principal, action == Action::"fs/new", resource);' })
  expect(policy.version()).toBeUndefined()
  const next = { ...world, tools: [...world.tools, toolOf('new', 'read', { a: { type: 'string' } })] }
  await policy.setWorld(next)
  expect(await policy.decide(requestOf('fs/new'))).toMatchObject({ effect: 'permit' })
  // Its arguments change: the pinned type is the one that counts.
  await policy.setWorld({ ...world, tools: [...world.tools, toolOf('new', 'read', { a: { type: 'integer' } })] })
  expect(await policy.decide(requestOf('fs/new', { a: 'x' }))).toMatchObject({ effect: 'deny', fault: 'INPUT_INVALID' })
  // It goes: the policies stay, say what no longer fits, and permit nothing of it.
  const gone = policy.setWorld(world)
  expect(await policy.decide(requestOf('fs/new'))).toMatchObject({ effect: 'deny', fault: 'TOOL_UNKNOWN' })
  await gone
  expect(policy.active()).toMatchObject({
    refused: undefined,
    findings: [{ code: 'ACTION_UNKNOWN', severity: 'error', policy: 'a/1' }],
    unfit: { policies: ['a/1'], changed: ['fs/new is gone'] },
  })
  await policy.setWorld(next)
  expect(policy.active()).toMatchObject({ findings: [], unfit: undefined })
  await close()
})

test('a tool that is classified anew is decided anew, whatever was remembered', async () => {
  const { policy, close } = await openRoom({ 'a.cedar': NEXT })
  expect(await policy.decide(requestOf('fs/read'))).toMatchObject({ effect: 'permit' })
  await policy.setWorld({
    ...world,
    tools: world.tools.map((tool) => (tool.name === 'read' ? { ...tool, kind: 'destructive' as const } : tool)),
  })
  expect(await policy.decide(requestOf('fs/read'))).toMatchObject({ effect: 'deny', fault: 'POLICY_NO_PERMIT' })
  await close()
})

test('the policies that cover one tool in an old world never answer for another tool in a new one', async () => {
  const { policy, close } = await openRoom({
    'a.cedar': `${NEXT}\n@reason("no writes") forbid (principal, action == Action::"fs/write", resource);\n${PERMIT}`,
  })
  expect(await policy.decide(requestOf('fs/read'))).toMatchObject({ effect: 'permit' })
  await policy.setWorld({ ...world, agents: [...world.agents, { id: 'agt_new', name: 'n', owner: 'o', purpose: 'p' }] })
  expect(await policy.decide(requestOf('fs/write', { path: 'a' }))).toMatchObject({ effect: 'deny', fault: 'POLICY_DENIED' })
  expect(await policy.decide(requestOf('fs/read'))).toMatchObject({ effect: 'permit' })
  await close()
})

test('a decision is pinned to the policies and to the world that made it', async () => {
  const { policy, close } = await openRoom({ 'a.cedar': PERMIT })
  const before = await policy.decide(requestOf('fs/read'))
  await policy.setWorld({ ...world, servers: world.servers.map((server) => ({ ...server, folders: ['/elsewhere'] })) })
  const after = await policy.decide(requestOf('fs/read'))
  expect(before.world).toMatch(/^sha256:[0-9a-f]{64}$/)
  expect(after).toMatchObject({ version: before.version, effect: before.effect })
  expect(after.world).not.toBe(before.world)
  await close()
})

test('a check looks at a folder or at texts and changes nothing', async () => {
  const { policy, ledger, close } = await openRoom({ 'a.cedar': PERMIT })
  expect(await policy.check(policyFolder({ 'a.cedar': BROKEN }))).toMatchObject([{ code: 'ACTION_UNKNOWN', file: 'a.cedar', line: 2 }])
  expect(await policy.check({ 'a.cedar': PERMIT })).toEqual([])
  expect(await policy.check('/nowhere')).toMatchObject([{ code: 'FOLDER_UNREADABLE' }])
  const latin = policyFolder({})
  writeFileSync(join(latin, 'x.cedar'), Buffer.from([0xff, 0xfe]))
  expect(await policy.check(latin)).toMatchObject([{ code: 'FILE_UNREADABLE', file: 'x.cedar' }])
  expect(ledger.entries).toHaveLength(1)
  await close()
})

test('on the real ledger too, the last good texts outlive a restart', async () => {
  const home = mkdtempSync(join(tmpdir(), 'ephor-policy-ledger-'))
  const keys = loadKeys(join(home, 'keys'))
  const outside = join(home, 'checkpoint')
  const extension = ledgerExtension({ outside })
  const log = makeLog('silent')
  const folder = policyFolder({ 'a.cedar': PERMIT })
  const open = async () => {
    const store = await openTestStore({ folder: home, migrations: [ledgerMigrations, policyMigrations], extension })
    const ledger = await openLedger({
      store,
      keys,
      signer: fileSigner(keys.ledger),
      origin: 'policy.test/ephor',
      clock: systemClock,
      log,
      outside,
    })
    const policy = await openPolicy({ folder, world, store, ledger, key: keys.policy, log, clock: systemClock })
    const close = async () => {
      await policy.close()
      await ledger.close()
      await store.close()
    }
    return { policy, ledger, close }
  }
  const first = await open()
  const version = first.policy.version()
  await first.close()
  writeFileSync(join(folder, 'a.cedar'), BROKEN)
  const second = await open()
  expect(second.policy.version()).toBe(version)
  const types = (await second.ledger.list({ limit: 10 })).map(({ body }) => body.type)
  expect(types).toEqual(['policy.world', 'policy.activated', 'policy.refused'])
  await second.close()
})
