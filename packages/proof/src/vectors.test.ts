/** The golden vectors of docs/formats: the code makes exactly these bytes, and refuses what must not verify. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { fromBase64, fromHex, fromUtf8, toHex, utf8 } from './bytes.ts'
import { canonicalize } from './canonicalize.ts'
import { signCheckpoint, verifyCheckpoint } from './checkpoint.ts'
import { makeCommitment } from './commitment.ts'
import type { Commitment } from './commitment.ts'
import { testKey } from './log.fixture.ts'
import { Frontier, leafHash, verifyConsistency, verifyInclusion } from './merkle.ts'
import { formatVerifierKey, parseVerifierKey } from './note.ts'
import { verifyReceipt } from './receipt.ts'
import type { Receipt } from './receipt.ts'
import { decodeBundle, encodeBundle, parseTilePath, tilePath, tilesOf } from './tiles.ts'
import type { TilePlace } from './tiles.ts'
import { verifyLog } from './verify-log.ts'

// oxlint-disable-next-line no-unnecessary-type-parameters -- each test says what its file holds
function load<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../../docs/formats/vectors/${name}.json`, import.meta.url), 'utf8')) as T
}

test('canonical JSON', () => {
  const { cases, refused } = load<{ cases: { input: string; canonical: string }[]; refused: string[] }>('canonical-json')
  for (const { input, canonical } of cases) expect(canonicalize(JSON.parse(input))).toBe(canonical)
  for (const text of refused) expect(() => canonicalize(JSON.parse(text))).toThrow('surrogate')
})

type Merkle = {
  entries: string[]
  leafHashes: string[]
  roots: string[]
  inclusion: { index: number; size: number; proof: string[] }[]
  consistency: { earlier: number; size: number; proof: string[] }[]
}

test('the Merkle tree', () => {
  const { entries, leafHashes, roots, inclusion, consistency } = load<Merkle>('merkle')
  const tree = new Frontier()
  for (const [i, entry] of entries.entries()) {
    expect(toHex(tree.root())).toBe(roots[i])
    const leaf = leafHash(utf8(entry))
    expect(toHex(leaf)).toBe(leafHashes[i])
    tree.push(leaf)
  }
  const root = (size: number) => fromHex(roots[size] as string)
  for (const { index, size, proof } of inclusion)
    expect(verifyInclusion(fromHex(leafHashes[index] as string), index, size, root(size), proof.map(fromHex))).toBe(true)
  for (const { earlier, size, proof } of consistency)
    expect(verifyConsistency(earlier, size, root(earlier), root(size), proof.map(fromHex))).toBe(true)
})

test('tiles', () => {
  type Tiles = {
    paths: (TilePlace & { path: string })[]
    bundle: { entries: string[]; bytes: string }
    files: { size: number; last: string[] }[]
  }
  const { paths, bundle, files } = load<Tiles>('tiles')
  for (const { path, ...place } of paths) expect([tilePath(place), parseTilePath(path)]).toEqual([path, place])
  expect(toHex(encodeBundle(bundle.entries.map(utf8)))).toBe(bundle.bytes)
  expect(decodeBundle(fromHex(bundle.bytes)).map(fromUtf8)).toEqual(bundle.entries)
  for (const { size, last } of files) expect([...tilesOf(size)].map(tilePath)).toEqual(expect.arrayContaining(last))
})

test('checkpoint, proof and receipt', async () => {
  type Signed = {
    verifierKey: string
    checkpoint: string
    proof: string
    receipt: Receipt
    refused: { anotherSize: string; anotherPlace: string }
  }
  const { verifierKey, checkpoint, proof, receipt, refused } = load<Signed>('checkpoint')
  const log = testKey('ledger.test/ephor', 1)
  expect(formatVerifierKey(log.key)).toBe(verifierKey)
  const key = parseVerifierKey(verifierKey)
  const { size, root } = await verifyCheckpoint(checkpoint, key)
  expect(signCheckpoint({ size, root }, log.key, log.sign)).toBe(checkpoint)
  await expect(verifyReceipt(receipt, proof, key)).resolves.toMatchObject({ size })
  await expect(verifyCheckpoint(refused.anotherSize, key)).rejects.toThrow('not valid')
  await expect(verifyReceipt(receipt, refused.anotherPlace, key)).rejects.toThrow('not at place 2')
})

test('commitments', () => {
  const vector = load<{ salt: string; value: unknown; canonical: string; commitment: Commitment }>('commitment')
  expect(canonicalize(vector.value)).toBe(vector.canonical)
  expect(makeCommitment(fromHex(vector.salt), utf8(vector.canonical))).toEqual(vector.commitment)
})

test('a whole export', async () => {
  type Export = { files: Record<string, string>; earlier: string; changes: { path: string; base64: string; fault: string }[] }
  const { files, earlier, changes } = load<Export>('export')
  const { verifierKey } = load<{ verifierKey: string }>('checkpoint')
  const verify = (all: Record<string, string>) => {
    const read = (path: string) => Promise.resolve(all[path] === undefined ? undefined : fromBase64(all[path]))
    return verifyLog({ read }, { vkey: verifierKey, earlier })
  }
  await expect(verify(files)).resolves.toMatchObject({ ok: true, size: 5, earlierSize: 2 })
  for (const { path, base64, fault } of changes)
    await expect(verify({ ...files, [path]: base64 })).resolves.toMatchObject({ ok: false, fault })
})
