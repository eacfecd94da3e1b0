/** Two histories under one key: a copy that went its own way, a database that was put back. Caught by witnesses, by gossip and at start. */
import { createPrivateKey, sign } from 'node:crypto'
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeLog, systemClock } from '@ephor/engine/kernel'
import { readCheckpoint, signCheckpoint, toHex } from '@ephor/proof'
import { toyLog } from '@ephor/testkit'
import { expect, onTestFinished, test, vi } from 'vitest'
import { alter, appendMany, openWorld, ORIGIN, scratch, testsPostgres } from '../ledger.fixture.ts'
import { readStore } from '../store.ts'
import type { World } from '../ledger.fixture.ts'
import { openForks } from './forks.ts'
import { followGossip } from './follow-gossip.ts'
import { openWitnesses } from './open-witnesses.ts'
import { fakeWitness } from './witness.fixture.ts'

// Each test opens several ledgers, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 60_000 })

// Copies of a folder are copies of the embedded store alone: a database elsewhere is not copied with it.

const clock = systemClock
const log = makeLog('silent')

async function openAt(folder: string, options: Parameters<typeof openWorld>[1] = {}): Promise<World> {
  const world = await openWorld(folder, options)
  onTestFinished(() => world.close().catch(() => undefined))
  return world
}

async function watched(world: World, fakes: Awaited<ReturnType<typeof fakeWitness>>[]) {
  const { store, ledger } = world
  const witnesses = await openWitnesses({ store, ledger, witnesses: fakes, quorum: 1, deadlineMs: 60_000, pauseMs: 20, clock, log })
  onTestFinished(() => witnesses.close())
  return witnesses
}

/** A ledger of three entries that went on to five, and its folder as it was at three. */
async function grown() {
  const [folder, before] = [scratch(), scratch()]
  const start = await openAt(folder)
  await appendMany(start.ledger, 3)
  await start.close()
  cpSync(folder, before, { recursive: true })
  const world = await openAt(folder)
  await appendMany(world.ledger, 2, 'ours')
  return { world, folder, before }
}

test.skipIf(testsPostgres)('a copy that goes its own way is caught by the witness that saw the other one, in both', async () => {
  const fake = await fakeWitness()
  const { world, before } = await grown()
  const first = await watched(world, [fake])
  expect(await first.cosigned(4, 1, AbortSignal.timeout(15_000))).toBe(true)
  // The copy signs as many entries, or fewer, or more: it does not matter.
  const copy = await openAt(before)
  await appendMany(copy.ledger, 4, 'theirs')
  const second = await watched(copy, [fake])
  await vi.waitFor(() => expect(copy.ledger.forked()).toBeDefined(), 15_000)
  expect(await second.cosigned(6, 1, AbortSignal.timeout(100))).toBe(false)
  expect(world.ledger.forked()).toBeUndefined()
  expect(await world.ledger.forks.compare((await copy.ledger.head()).checkpoint, 'person')).toMatchObject({ kind: 'forked' })
})

test.skipIf(testsPostgres)('a database that was put back with the file outside, and signed again, is caught by the witness', async () => {
  const fake = await fakeWitness()
  const { world, before } = await grown()
  const first = await watched(world, [fake])
  expect(await first.cosigned(4, 1, AbortSignal.timeout(15_000))).toBe(true)
  // Behind what the witness has seen, and with nothing else that would tell.
  const copy = await openAt(before)
  await watched(copy, [fake])
  await vi.waitFor(() => expect(copy.ledger.forked()?.detail).toContain('rolled back'), 15_000)
  expect(await copy.ledger.forks.list()).toMatchObject([{ size: 5, source: 'witness witness.test/w1', resolvedAt: undefined }])
})

test.skipIf(testsPostgres)('gossip tells at once: a file that somebody keeps, or an address', async () => {
  const { world, before } = await grown()
  const file = join(scratch(), 'seen')
  writeFileSync(file, (await world.ledger.head()).checkpoint)
  const copy = await openAt(before)
  const follow = (source: string, forks = copy.ledger.forks) => {
    const gossip = followGossip({ source, forks, log })
    onTestFinished(() => gossip.close())
    return gossip
  }
  const own = follow(file, world.ledger.forks)
  await own.check()
  expect([world.ledger.forked(), own.failure()]).toEqual([undefined, undefined])
  await follow(file).check()
  expect(copy.ledger.forked()?.detail).toContain('5 entries, and this ledger has 3')
  // What can't be read is a warning and no fork.
  for (const source of [join(before, 'nothing'), join(before, 'store.db'), 'http://127.0.0.1:1/checkpoint']) {
    const broken = follow(source, world.ledger.forks)
    await broken.check()
    expect(broken.failure()).toBeTypeOf('string')
  }
  expect(world.ledger.forked()).toBeUndefined()
  expect(() => follow('http://example.com/checkpoint')).toThrow('https')
})

test.skipIf(testsPostgres)('nobody without the key can stop the ledger, and no key that was revoked before', async () => {
  const { world } = await grown()
  const forged = await toyLog(ORIGIN, ['x']).checkpoint(1)
  const own = (await world.ledger.head()).checkpoint
  for (const note of [
    forged,
    own.replace('\n5\n', '\n6\n'),
    own.replace(ORIGIN, 'ledger.test/other'),
    'x',
    '',
    `${own}${'— a b\n'.repeat(20_000)}`,
  ])
    expect(await world.ledger.forks.compare(note, 'person')).toMatchObject({ kind: 'foreign' })
  const revoked = toyLog(ORIGIN, ['a', 'b', 'c'])
  const { store, ledger } = world
  const trusted = () => Promise.resolve([{ key: revoked.verifierKey, revokedAbove: 2 }])
  const forks = await openForks({
    store,
    reads: readStore(store),
    append: (part) => ledger.append(part),
    trusted,
    outside: join(scratch(), 'checkpoint'),
    clock,
    log,
  })
  expect(await forks.compare(await revoked.checkpoint(3), 'person')).toMatchObject({ kind: 'foreign' })
  expect(await forks.compare(await revoked.checkpoint(2), 'person')).toMatchObject({ kind: 'forked' })
})

test.skipIf(testsPostgres)(
  'a stolen key stops the ledger until it is revoked, replaced or not; then its checkpoints name it and stop nothing',
  async () => {
    const { world, folder } = await grown()
    const { ledger } = world
    const [old] = await ledger.keys.list()
    const stolen = createPrivateKey(readFileSync(join(folder, 'keys', 'ledger.key')))
    const forge = (size: number, root: Uint8Array) =>
      signCheckpoint({ size, root }, old?.key as never, (bytes) => sign(null, bytes, stolen))
    await ledger.keys.rotate('per_1')
    const { size, root } = await ledger.head()
    // It signs what is true, which it should not any more: an alarm at most.
    expect(await ledger.forks.compare(forge(size, Buffer.from(root, 'hex')), 'gossip')).toEqual({ kind: 'contained', size })
    // That might as well be a copy that never learned of the rotation: another history.
    const first = await ledger.forks.compare(forge(7, new Uint8Array(32).fill(7)), 'gossip')
    expect(first).toMatchObject({ kind: 'forked', detail: expect.stringContaining(`a key that was replaced (${old?.vkey})`) })
    await ledger.keys.revoke({ key: old?.vkey ?? '', size: 5, reason: 'stolen' }, 'per_1')
    await ledger.forks.resolve('per_1', { size, root }, 'the key was stolen')
    expect(ledger.forked()).toBeUndefined()
    const second = forge(8, new Uint8Array(32).fill(8))
    const compared = await ledger.forks.compare(second, 'gossip')
    expect(compared).toMatchObject({ kind: 'foreign', detail: expect.stringContaining(`the revoked key ${old?.vkey}`) })
    expect(ledger.forked()).toBeUndefined()
    // Up to where it was revoked it spoke for this ledger.
    expect(await ledger.forks.compare(forge(4, new Uint8Array(32)), 'gossip')).toMatchObject({ kind: 'forked' })
  },
)

test.skipIf(testsPostgres)('the line of a revoked key does not hide what a good key proves', async () => {
  const { world } = await grown()
  const { store, ledger } = world
  const [bad, good] = [toyLog(ORIGIN, ['a', 'b', 'c']), toyLog(ORIGIN, ['a', 'b', 'c'])]
  const trusted = () => Promise.resolve([{ key: bad.verifierKey, revokedAbove: 2 }, { key: good.verifierKey }])
  const forks = await openForks({
    store,
    reads: readStore(store),
    append: (part) => ledger.append(part),
    trusted,
    outside: join(scratch(), 'checkpoint'),
    clock,
    log,
  })
  const [, line = ''] = (await bad.checkpoint(3)).split('\n\n')
  expect(await forks.compare((await good.checkpoint(3)) + line, 'person')).toMatchObject({ kind: 'forked' })
})

test.skipIf(testsPostgres)(
  'deleting the entry of a fork from the database and starting again does not end it; a resolution does',
  async () => {
    const { world, folder, before } = await grown()
    const copy = await openAt(before)
    await appendMany(copy.ledger, 2, 'theirs')
    const other = (await copy.ledger.head()).checkpoint
    expect(await world.ledger.forks.compare(other, 'person')).toMatchObject({ kind: 'forked' })
    // Far enough back that the start does not read it.
    await appendMany(world.ledger, 300, 'later')
    await world.close()
    await alter(folder, `DELETE FROM ledger_entry WHERE id = 'ledger.forked/0'`)
    const again = await openAt(folder)
    expect(again.ledger.forked()?.detail).toContain('another history')
    expect(await again.ledger.forks.list()).toMatchObject([{ size: 5, theirs: other, source: 'start', resolvedAt: undefined }])
    const { size, root } = await again.ledger.head()
    await again.ledger.forks.resolve('per_1', { size, root }, 'a copy for a test')
    expect(existsSync(join(folder, 'checkpoint.forked'))).toBe(false)
    await again.close()
    // A file that somebody put back, or filled with something, makes no fork.
    for (const text of [JSON.stringify([other]), JSON.stringify(['x']), '[1]', 'x']) {
      writeFileSync(join(folder, 'checkpoint.forked'), text)
      const last = await openAt(folder)
      expect(last.ledger.forked()).toBeUndefined()
      expect(existsSync(join(folder, 'checkpoint.forked'))).toBe(false)
      await last.close()
    }
  },
)

test.skipIf(testsPostgres)('a fork that nobody can write down stops everything all the same', async () => {
  const { world } = await grown()
  const { store, ledger } = world
  const append = () => Promise.reject(new Error('the disk is full'))
  const log2 = toyLog(ORIGIN, ['a'])
  const trusted = () => Promise.resolve([{ key: log2.verifierKey }])
  const forks = await openForks({ store, reads: readStore(store), append, trusted, outside: join(scratch(), 'checkpoint'), clock, log })
  await forks.compare(await log2.checkpoint(1), 'gossip')
  expect(forks.current()).toBeDefined()
  expect(ledger.forked()).toBeUndefined()
})

test.skipIf(testsPostgres)(
  'a store behind its file outside does not start until a person accepts exactly it, which is recorded, over a crash too',
  async () => {
    const { world, folder, before } = await grown()
    await world.close()
    const outside = readFileSync(join(folder, 'checkpoint'), 'utf8')
    cpSync(join(before, 'store.db'), join(folder, 'store.db'))
    for (const end of ['-wal', '-shm']) rmSync(join(folder, `store.db${end}`), { force: true })
    await expect(openWorld(folder)).rejects.toMatchObject({ code: 'LEDGER_FORKED' })
    const stored = readCheckpoint(readFileSync(join(before, 'checkpoint')))
    const accept = { size: stored.size, root: toHex(stored.root), reason: 'the disk died, and this is the last backup' }
    await expect(openWorld(folder, { accept: { ...accept, size: 4 } })).rejects.toMatchObject({ code: 'CONFLICT' })
    const accepted = await openAt(folder, { accept })
    expect(accepted.ledger.forked()).toBeUndefined()
    expect(await accepted.ledger.forks.list()).toMatchObject([
      { size: 5, theirs: outside, source: 'start', resolvedAt: expect.any(Number) },
    ])
    const types = (await accepted.ledger.list({ limit: 20 })).map(({ body }) => body['type'])
    expect(types).toEqual(['decision', 'decision', 'decision', 'ledger.forked', 'ledger.fork.resolved'])
    expect(existsSync(join(folder, 'checkpoint.refused'))).toBe(false)
    await accepted.close()
    // Killed after the file outside was written over and before the record: the next start records it.
    writeFileSync(join(folder, 'checkpoint.refused'), JSON.stringify({ note: outside, reason: accept.reason }))
    const again = await openAt(folder)
    expect((await again.ledger.list({ limit: 20 })).map(({ body }) => body['type'])).toEqual([...types, 'ledger.fork.resolved'])
    expect(await again.ledger.forks.compare(outside, 'gossip')).toMatchObject({ kind: 'resolved' })
  },
)
