/** Rotation and revocation: the ledger says itself which keys speak for it, and no step of it can be forged, lost or repeated. */
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatVerifierKey, makeVerifierKey, parseVerifierKey, verifyCheckpoint, verifyLog } from '@ephor/proof'
import { expect, test } from 'vitest'
import { fileSigner, firstKey, folderKeys, originOf } from '../index.ts'
import { alter, appendMany, copyStore, decision, openWorld, ORIGIN, scratch, testsPostgres } from '../ledger.fixture.ts'
import type { World } from '../ledger.fixture.ts'

const BY = 'per_1'

function withCode(code: string): Error {
  return expect.objectContaining({ code }) as Error
}

async function verdictOf(world: World, vkey: string, earlier?: string) {
  const folder = join(scratch(), 'export')
  await world.ledger.exportTo(folder)
  const read = (path: string) => Promise.resolve(existsSync(join(folder, path)) ? readFileSync(join(folder, path)) : undefined)
  return verifyLog({ read }, { vkey, ...(earlier !== undefined && { earlier }) })
}

test('from its entry on, the new key alone signs; the name stays, and whoever holds the first key can follow', async () => {
  const world = await openWorld()
  const { ledger } = world
  await appendMany(ledger, 3)
  const [first, earlier] = [ledger.verifierKey, (await ledger.head()).checkpoint]
  const second = await ledger.keys.rotate(BY)
  expect(ledger.verifierKey).toBe(second.vkey)
  expect(parseVerifierKey(second.vkey).name).toBe(ORIGIN)
  await appendMany(ledger, 3, 'after')
  const { checkpoint } = await ledger.head()
  await expect(verifyCheckpoint(checkpoint, parseVerifierKey(second.vkey))).resolves.toMatchObject({ size: 7 })
  await expect(verifyCheckpoint(checkpoint, parseVerifierKey(first))).rejects.toThrow('not signed by')
  await ledger.keys.rotate(BY)
  for (const vkey of [first, second.vkey, ledger.verifierKey])
    await expect(verdictOf(world, vkey, earlier)).resolves.toMatchObject({ ok: true, size: 8 })
  expect((await ledger.keys.list()).map(({ since, replacedAt }) => [since, replacedAt])).toEqual([
    [-1, 3],
    [3, 7],
    [7, undefined],
  ])
  await world.close()
})

test('the ledger’s own entries say which key it goes on with after a restart, and the files of keys are their owner’s alone', async () => {
  const world = await openWorld()
  await world.ledger.keys.rotate(BY)
  const { vkey } = await world.ledger.keys.rotate(BY)
  await appendMany(world.ledger, 2)
  await world.close()
  const files = readdirSync(join(world.folder, 'keys')).filter((name) => /^ledger\..+\.key$/.test(name))
  expect(files).toHaveLength(2)
  for (const name of files) expect(statSync(join(world.folder, 'keys', name)).mode & 0o077).toBe(0)
  const again = await openWorld(world.folder)
  expect(again.ledger.verifierKey).toBe(vkey)
  await appendMany(again.ledger, 2, 'again')
  await expect(verdictOf(again, vkey)).resolves.toMatchObject({ ok: true, size: 6 })
  await again.close()
})

test('killed after the key was made and before its entry, the ledger goes on with the old key', async () => {
  const world = await openWorld()
  const { verifierKey } = world.ledger
  await folderKeys(join(world.folder, 'keys'), 'default').make()
  await world.close()
  const again = await openWorld(world.folder)
  expect(again.ledger.verifierKey).toBe(verifierKey)
  await appendMany(again.ledger, 1)
  await expect(again.ledger.head()).resolves.toMatchObject({ size: 1 })
  await again.close()
})

test('killed after the entry and before any checkpoint over it, the next start signs with the new key', async () => {
  const folder = scratch()
  const world = await openWorld(folder)
  await appendMany(world.ledger, 2)
  const { checkpoint } = await world.ledger.head()
  const { vkey } = await world.ledger.keys.rotate(BY)
  // Not closed: nothing was signed since.
  expect(readFileSync(world.outside, 'utf8')).toBe(checkpoint)
  await world.store.close()
  const again = await openWorld(folder)
  await expect(verifyCheckpoint((await again.ledger.head()).checkpoint, parseVerifierKey(vkey))).resolves.toMatchObject({ size: 3 })
  await again.close()
})

test('killed right after a key was revoked below what it signed last, the ledger starts again', async () => {
  const folder = scratch()
  const world = await openWorld(folder)
  await appendMany(world.ledger, 5)
  await world.ledger.head()
  const [first] = await world.ledger.keys.list()
  await world.ledger.keys.rotate(BY)
  await world.ledger.keys.revoke({ key: first?.vkey ?? '', size: 3, reason: 'compromised' }, BY)
  // Not closed: nothing was signed since.
  await world.store.close()
  const again = await openWorld(folder)
  expect((await again.ledger.keys.list())[0]?.revokedAbove).toBe(3)
  await again.close()
})

test('a checkpoint outside that an earlier key signed is accepted up to its rotation, and not beyond', async () => {
  const world = await openWorld()
  await appendMany(world.ledger, 2)
  const { checkpoint } = await world.ledger.head()
  const [first] = await world.ledger.keys.list()
  await world.ledger.keys.rotate(BY)
  await appendMany(world.ledger, 2, 'more')
  const { root } = await world.ledger.head()
  await world.close()
  writeFileSync(world.outside, checkpoint)
  await (await openWorld(world.folder)).close()
  // The old key, in the wrong hands, signs the present tree.
  const { signCheckpoint } = await import('@ephor/proof')
  const { sign, createPrivateKey } = await import('node:crypto')
  const stolen = createPrivateKey(readFileSync(join(world.folder, 'keys', 'ledger.key')))
  const forged = signCheckpoint({ size: 5, root: Buffer.from(root, 'hex') }, first?.key as never, (bytes) => sign(null, bytes, stolen))
  writeFileSync(world.outside, forged)
  await expect(openWorld(world.folder)).rejects.toThrow('is not one of this ledger and key')
})

test('a key that is not where this server looks refuses to sign, and appends go on', async () => {
  const world = await openWorld()
  await world.ledger.keys.rotate(BY)
  await appendMany(world.ledger, 1)
  await world.close()
  const keys = join(world.folder, 'keys')
  const name = readdirSync(keys).find((file) => /^ledger\..+\.key$/.test(file)) as string
  const pem = readFileSync(join(keys, name))
  rmSync(join(keys, name))
  const again = await openWorld(world.folder)
  await expect(again.ledger.append({ changes: [], entries: [decision('late')] })).resolves.toHaveLength(1)
  await expect(again.ledger.head()).rejects.toThrow(withCode('SIGNER_UNAVAILABLE'))
  // The folder is shared: once the file is there, signing goes on.
  writeFileSync(join(keys, name), pem, { mode: 0o600 })
  await expect(again.ledger.head()).resolves.toMatchObject({ size: 3 })
  await again.close()
})

test('two rotations at once: one is the next, and the ledger goes on with it', async () => {
  const world = await openWorld()
  const results = await Promise.allSettled([world.ledger.keys.rotate(BY), world.ledger.keys.rotate(BY)])
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  expect(results.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'CONFLICT' } })
  expect(await world.ledger.keys.list()).toHaveLength(2)
  await appendMany(world.ledger, 1)
  await expect(verdictOf(world, world.ledger.verifierKey)).resolves.toMatchObject({ ok: true, size: 2 })
  await world.close()
})

test('many who ask at once about a fresh rotation see it once', async () => {
  const world = await openWorld()
  const rotated = world.ledger.keys.rotate(BY)
  const looks = Array.from({ length: 20 }, async (_, i) => {
    await new Promise((resolve) => setTimeout(resolve, i))
    return i % 2 === 0 ? world.ledger.keys.list() : world.ledger.head()
  })
  await Promise.all([rotated, ...looks])
  expect(await world.ledger.keys.list()).toHaveLength(2)
  expect(world.ledger.forked()).toBeUndefined()
  await world.close()
})

test('a rotation that another one overtakes while its key is made is a conflict, never an entry that the chain contradicts', async () => {
  const folder = scratch()
  mkdirSync(join(folder, 'keys'), { mode: 0o700 })
  const keys = folderKeys(join(folder, 'keys'), 'default')
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  let made = 0
  const make = async () => {
    if (made++ === 0) await held
    return keys.make()
  }
  const world = await openWorld(folder, { signingKeys: { find: keys.find, make } })
  const slow = world.ledger.keys.rotate(BY)
  const { vkey } = await world.ledger.keys.rotate(BY)
  release()
  await expect(slow).rejects.toThrow(withCode('CONFLICT'))
  await expect(world.ledger.head()).resolves.toMatchObject({ size: 1 })
  expect(world.ledger.verifierKey).toBe(vkey)
  await world.close()
  await (await openWorld(folder)).close()
})

test('a rotation that the key before did not sign opens nothing: whoever writes the database can’t bring a key of theirs', async () => {
  const world = await openWorld()
  const { verifierKey } = world.ledger
  const { publicKey } = generateKeyPairSync('ed25519')
  const to = formatVerifierKey(makeVerifierKey(ORIGIN, publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)))
  const body = { by: BY, from: verifierKey, to, signature: Buffer.alloc(64).toString('base64') }
  await world.ledger.append({ changes: [], entries: [{ type: 'ledger.key.rotated', id: 'ledger.key/0', body }] })
  await expect(world.ledger.head()).rejects.toThrow('entry 0 is no rotation')
  await expect(world.ledger.append({ changes: [], entries: [decision('x')] })).rejects.toThrow(withCode('LEDGER_FORKED'))
  await world.store.close()
  await expect(openWorld(world.folder)).rejects.toThrow('entry 0 is no rotation of the ledger')
})

test('an earlier key is revoked from a size on; the current one and unknown ones are not', async () => {
  const world = await openWorld()
  const { ledger } = world
  await appendMany(ledger, 4)
  await ledger.head()
  const [{ vkey: first } = { vkey: '' }] = await ledger.keys.list()
  await expect(ledger.keys.revoke({ key: first, size: 2, reason: 'compromised' }, BY)).rejects.toThrow(withCode('CONFLICT'))
  await ledger.keys.rotate(BY)
  const stale = await ledger.head()
  await ledger.keys.revoke({ key: first, size: 2, reason: 'compromised' }, BY)
  await expect(ledger.keys.revoke({ key: `${first}x`, size: 2, reason: 'compromised' }, BY)).rejects.toThrow(withCode('NOT_FOUND'))
  // A later one gives nothing back.
  await ledger.keys.revoke({ key: first, size: 3, reason: 'lost' }, BY)
  expect((await ledger.keys.list())[0]).toMatchObject({ vkey: first, revokedAbove: 2, reason: 'compromised' })
  await expect(verdictOf(world, ledger.verifierKey)).resolves.toMatchObject({ ok: true })
  await world.close()
  expect(stale.size).toBe(5)
  const again = await openWorld(world.folder)
  expect((await again.ledger.keys.list())[0]).toMatchObject({ revokedAbove: 2 })
  await again.close()
})

test('a checkpoint outside by a key that was revoked below it is refused, with the reason', async () => {
  const world = await openWorld()
  await appendMany(world.ledger, 4)
  const { checkpoint } = await world.ledger.head()
  const { verifierKey } = world.ledger
  await world.ledger.keys.rotate(BY)
  await world.ledger.keys.revoke({ key: verifierKey, size: 2, reason: 'compromised' }, BY)
  await world.close()
  writeFileSync(world.outside, checkpoint)
  await expect(openWorld(world.folder)).rejects.toThrow('revoked above 2 entries: compromised')
})

test('a rotation whose entry is hidden or changed does not bring the old key back', async () => {
  for (const sql of [
    "UPDATE ledger_entry SET id = 'x' WHERE id = 'ledger.key/0'",
    "UPDATE ledger_entry SET body = replace(body, 'rotated', 'revoked') WHERE id = 'ledger.key/0'",
  ]) {
    const world = await openWorld()
    await world.ledger.keys.rotate(BY)
    await world.close()
    expect(await alter(world.folder, sql)).toBe(1)
    await expect(openWorld(world.folder)).rejects.toThrow(/entry 0 of the ledger was changed|is not one of this ledger and key/)
  }
})

test('yesterday’s store, from before a rotation, is refused under today’s checkpoint', async () => {
  const world = await openWorld()
  await appendMany(world.ledger, 2)
  await world.close()
  const copy = scratch()
  await copyStore(world.folder, copy)
  const again = await openWorld(world.folder)
  await again.ledger.keys.rotate(BY)
  await again.close()
  await copyStore(copy, world.folder)
  await expect(openWorld(world.folder)).rejects.toThrow(withCode('LEDGER_FORKED'))
})

test.runIf(testsPostgres)('another replica signs with the new key within a second', async () => {
  const one = await openWorld()
  const two = await openWorld(one.folder, { replica: 'two' })
  await appendMany(one.ledger, 2)
  const { vkey } = await one.ledger.keys.rotate(BY)
  await appendMany(two.ledger, 2, 'two')
  await expect(verifyCheckpoint((await two.ledger.head()).checkpoint, parseVerifierKey(vkey))).resolves.toMatchObject({ size: 5 })
  expect(two.ledger.verifierKey).toBe(vkey)
  await two.close()
  await one.close()
})

test.runIf(testsPostgres)('a replica that does not have the new key follows what the others sign, and refuses to sign itself', async () => {
  const one = await openWorld()
  const two = await openWorld(one.folder, { replica: 'two', signingKeys: folderKeys(scratch(), 'default') })
  await one.ledger.keys.rotate(BY)
  const { checkpoint } = await one.ledger.head()
  await two.ledger.append({ changes: [], entries: [decision('two')] })
  await expect(two.ledger.head()).rejects.toThrow(withCode('SIGNER_UNAVAILABLE'))
  expect([checkpoint, (await one.ledger.head()).checkpoint]).toContain(readFileSync(two.outside, 'utf8'))
  await expect(two.ledger.head()).resolves.toMatchObject({ size: 2 })
  await two.close()
  await one.close()
})

test('each tenant has a key file and a name of its own, and a rotation changes no name', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ephor-keys-'))
  const names = ['default', 'acme', 'acme-2'].map((tenant) => originOf(fileSigner(firstKey(folder, tenant))))
  expect(new Set(names).size).toBe(3)
  expect(readdirSync(folder).toSorted((a, b) => a.localeCompare(b))).toEqual(['ledger-acme-2.key', 'ledger-acme.key', 'ledger.key'])
  expect(originOf(fileSigner(firstKey(folder, 'acme')))).toBe(names[1])
  expect(fileSigner(firstKey(folder, 'acme')).publicKey).toHaveLength(32)
})

test('the rotated keys of one tenant are not those of another, whatever they are called', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ephor-keys-'))
  const made = await folderKeys(folder, 'acme').make()
  await expect(folderKeys(folder, 'acme').find(made.publicKey)).resolves.toBeDefined()
  for (const other of ['default', 'ac', 'acme-2']) await expect(folderKeys(folder, other).find(made.publicKey)).resolves.toBeUndefined()
})
