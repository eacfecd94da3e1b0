/** Mirrors in a bucket: what is there verifies by itself, goes on after interruptions, and is never overwritten with another history. */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { makeLog, systemClock } from '@ephor/engine/kernel'
import { readCheckpoint, tilePath, tilesOf, verifyLog } from '@ephor/proof'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { appendMany, openWorld, scratch } from '../ledger.fixture.ts'
import type { World } from '../ledger.fixture.ts'
import { keepMirror } from './keep-mirror.ts'
import { claimMirror, mirrorLog, tilesBetween } from './mirror-log.ts'
import { ACCESS, serveBucket } from './s3.fixture.ts'
import type { Bucket } from './s3.fixture.ts'
import { s3Target } from './s3-target.ts'
import { exportSource, ledgerSource } from './sources.ts'

const PREFIX = 'logs/one/'
const closers: (() => unknown)[] = []
let world: World
beforeEach(async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', ACCESS.id)
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', ACCESS.secret)
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
  world = await openWorld()
  closers.push(() => world.close())
})
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
  vi.unstubAllEnvs()
})

async function bucketOf(options: Parameters<typeof serveBucket>[0] = {}): Promise<Bucket> {
  const bucket = await serveBucket(options)
  closers.push(bucket.close)
  return bucket
}
function targetIn({ endpoint }: Bucket) {
  const target = s3Target({ bucket: 'logs', prefix: 'one', region: 'eu-central-1', endpoint, pathStyle: true })
  closers.push(() => target.close())
  return target
}
const source = () => ledgerSource(world.store, world.ledger, 'mirror')
async function mirror(bucket: Bucket, from = source()) {
  const target = targetIn(bucket)
  await claimMirror(from, target, Date.now())
  return mirrorLog(from, target)
}
const verify = ({ objects }: Bucket) =>
  verifyLog({ read: (path) => Promise.resolve(objects.get(PREFIX + path)?.bytes) }, { vkey: world.ledger.verifierKey })

test('what is written between two sizes is what the larger has and the smaller has not', () => {
  for (const [had, has] of [
    [0, 1],
    [5, 5],
    [0, 70_000],
    [255, 256],
    [256, 257],
    [300, 513],
    [65_535, 65_537],
    [65_536, 131_073],
  ] as const) {
    const earlier = new Set([...tilesOf(had)].map(tilePath))
    const wanted = [...tilesOf(has)].map(tilePath).filter((path) => !earlier.has(path))
    expect([...tilesBetween(had, has)].map(tilePath).toSorted(), `${had} to ${has}`).toEqual(wanted.toSorted())
  }
})

test.each([true, false])(
  'a mirror verifies by itself and grows by what is new, in a store that heeds conditions: %s',
  { timeout: 30_000 },
  async (heeds) => {
    const bucket = await bucketOf({ heeds })
    await appendMany(world.ledger, 300)
    expect(await mirror(bucket)).toMatchObject({ size: 300 })
    await expect(verify(bucket)).resolves.toMatchObject({ ok: true, size: 300 })
    expect(bucket.writes.at(-1)).toBe(`${PREFIX}checkpoint`)
    expect(bucket.objects.get(`${PREFIX}tile/0/000`)).toMatchObject({
      type: 'application/octet-stream',
      cache: 'public, max-age=31536000, immutable',
    })
    expect(bucket.objects.get(`${PREFIX}checkpoint`)).toMatchObject({ type: 'text/plain; charset=utf-8', cache: 'no-cache' })
    bucket.writes.splice(0)
    await appendMany(world.ledger, 300, 'more')
    await mirror(bucket)
    await expect(verify(bucket)).resolves.toMatchObject({ ok: true, size: 600 })
    expect(bucket.writes).not.toContain(`${PREFIX}tile/0/000`)
    bucket.writes.splice(0)
    expect(await mirror(bucket)).toEqual({ size: 600, written: 0 })
    expect(bucket.writes).toEqual([])
  },
)

test('an interrupted mirror has the checkpoint that it had, and goes on', async () => {
  const bucket = await bucketOf()
  await appendMany(world.ledger, 100)
  await mirror(bucket)
  await appendMany(world.ledger, 500, 'more')
  let left = 2
  bucket.answerInstead((method) => (method === 'PUT' && left-- <= 0 ? { status: 403, code: 'AccessDenied' } : undefined))
  await expect(mirror(bucket)).rejects.toMatchObject({ code: 'MIRROR_UNAVAILABLE', message: expect.stringContaining('403') })
  await expect(verify(bucket)).resolves.toMatchObject({ ok: true, size: 100 })
  bucket.answerInstead(undefined)
  await mirror(bucket)
  await expect(verify(bucket)).resolves.toMatchObject({ ok: true, size: 600 })
})

test('a wrong secret writes nothing, and no message holds it', async () => {
  const bucket = await bucketOf()
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'another-secret')
  const failure = await mirror(bucket).catch((error: unknown) => error as Error)
  expect(failure).toMatchObject({ code: 'MIRROR_UNAVAILABLE' })
  expect((failure as Error).message).not.toContain('another-secret')
  expect(bucket.objects.size).toBe(0)
})

test.each([true, false])('a tile that is there with other bytes is never overwritten; heeding conditions: %s', async (heeds) => {
  const bucket = await bucketOf({ heeds })
  await appendMany(world.ledger, 300)
  await mirror(bucket)
  await appendMany(world.ledger, 300, 'more')
  const planted = { bytes: Buffer.from('planted'), etag: '"x"', type: '', cache: '' }
  bucket.objects.set(`${PREFIX}tile/entries/001`, planted)
  await expect(mirror(bucket)).rejects.toMatchObject({ code: 'MIRROR_DIFFERS', message: expect.stringContaining('tile/entries/001') })
  expect(bucket.objects.get(`${PREFIX}tile/entries/001`)).toBe(planted)
  expect(readCheckpoint(bucket.objects.get(`${PREFIX}checkpoint`)?.bytes.toString() ?? '').size).toBe(300)
})

test('a ledger that was rolled back is found out by its mirror: nothing there is overwritten, and nothing is permitted here', async () => {
  const bucket = await bucketOf()
  await appendMany(world.ledger, 50)
  await world.ledger.exportTo(join(world.folder, 'early'))
  await appendMany(world.ledger, 50, 'more')
  await mirror(bucket)
  const early = await exportSource(join(world.folder, 'early'))
  await expect(mirror(bucket, early)).rejects.toMatchObject({
    code: 'MIRROR_DIFFERS',
    message: expect.stringContaining('covers 100 entries'),
  })
  // The same key and origin with another history: what the ledger signed, it holds against itself.
  const forged = bucket.objects.get(`${PREFIX}checkpoint`)
  const other = await openWorld(scratchWithKeysOf(world))
  closers.push(() => other.close())
  await appendMany(other.ledger, 10, 'other')
  await expect(mirror(bucket, ledgerSource(other.store, other.ledger, 'mirror'))).rejects.toMatchObject({ code: 'MIRROR_DIFFERS' })
  expect(other.ledger.forked()).toMatchObject({ detail: expect.stringContaining('rolled back') })
  expect(bucket.objects.get(`${PREFIX}checkpoint`)).toBe(forged)
})

test('a mirror of another ledger, and a checkpoint that nobody of us signed, are left alone', async () => {
  const bucket = await bucketOf()
  bucket.objects.set(`${PREFIX}ephor.json`, { bytes: Buffer.from('{"origin":"other"}'), etag: '"a"', type: '', cache: '' })
  await expect(mirror(bucket)).rejects.toMatchObject({ code: 'CONFLICT' })
  bucket.objects.clear()
  await appendMany(world.ledger, 3)
  await mirror(bucket)
  const note = bucket.objects.get(`${PREFIX}checkpoint`)?.bytes.toString().replace('\n3\n', '\n2\n') ?? ''
  bucket.objects.set(`${PREFIX}checkpoint`, { bytes: Buffer.from(note), etag: '"b"', type: '', cache: '' })
  await expect(mirror(bucket)).rejects.toMatchObject({ code: 'MIRROR_DIFFERS' })
  expect(world.ledger.forked()).toBeUndefined()
})

test('an export in a folder is mirrored like a ledger', async () => {
  const bucket = await bucketOf()
  await appendMany(world.ledger, 40)
  const folder = join(world.folder, 'export')
  await world.ledger.exportTo(folder)
  await mirror(bucket, await exportSource(folder))
  await expect(verify(bucket)).resolves.toMatchObject({ ok: true, size: 40 })
})

test('a running ledger keeps its mirror up to it, through an outage of the store, by one replica', async () => {
  const bucket = await bucketOf()
  const rooms = { store: world.store, ledger: world.ledger, clock: systemClock, log: makeLog('silent') }
  const keepers = [1, 2].map(() => keepMirror({ ...rooms, target: targetIn(bucket), everyMs: 50 }))
  for (const keeper of keepers) closers.push(() => keeper.close())
  await appendMany(world.ledger, 20)
  await expect.poll(() => verify(bucket), { timeout: 8000 }).toMatchObject({ ok: true, size: 20 })
  bucket.answerInstead(() => ({ status: 503, code: 'SlowDown' }))
  await appendMany(world.ledger, 20, 'more')
  await expect.poll(() => keepers.flatMap((keeper) => keeper.warnings()), { timeout: 10_000 }).toHaveLength(1)
  bucket.answerInstead(undefined)
  await expect.poll(() => verify(bucket), { timeout: 10_000 }).toMatchObject({ ok: true, size: 40 })
  await expect.poll(() => keepers.flatMap((keeper) => keeper.warnings()), { timeout: 10_000 }).toEqual([])
})

/** A folder in which another ledger under the same key can be opened. */
function scratchWithKeysOf({ folder }: World): string {
  const other = scratch()
  cpSync(join(folder, 'keys'), join(other, 'keys'), { recursive: true })
  return other
}
