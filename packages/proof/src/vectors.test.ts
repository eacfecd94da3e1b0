/** The golden vectors of docs/formats: the code makes exactly these bytes, and refuses what must not verify. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { formatAddCheckpoint, parseAddCheckpoint } from './add-checkpoint.ts'
import { fromBase64, fromHex, fromUtf8, toHex, utf8 } from './bytes.ts'
import { canonicalize } from './canonicalize.ts'
import { readCheckpoint, signCheckpoint, verifyCheckpoint } from './checkpoint.ts'
import { makeCommitment } from './commitment.ts'
import type { Commitment } from './commitment.ts'
import { countCosignatures, parseCosignerKey, signCosignature, verifyCosignature } from './cosignature.ts'
import { dssePreAuth } from './dsse.ts'
import { evidencePayload, signEvidence } from './evidence.ts'
import type { EvidencePredicate } from './evidence.ts'
import { rotationStatement } from './key-chain.ts'
import { makeLog, rotation, testKey } from './log.fixture.ts'
import { Frontier, leafHash, verifyConsistency, verifyInclusion } from './merkle.ts'
import { appendSignature, formatVerifierKey, parseVerifierKey } from './note.ts'
import { verifyReceipt } from './receipt.ts'
import type { Receipt } from './receipt.ts'
import { sha256 } from './sha256.ts'
import { decodeBundle, encodeBundle, parseTilePath, tilePath, tilesOf } from './tiles.ts'
import type { TilePlace } from './tiles.ts'
import { verifyEvidence } from './verify-evidence.ts'
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

test('cosignatures', async () => {
  type Cosigned = { cosignerKey: string; time: number; message: string; line: string; checkpoint: string } & Record<
    'notCounted' | 'refused',
    Record<string, string>
  >
  const { cosignerKey, time, message, line, checkpoint, notCounted, refused } = load<Cosigned>('cosignature')
  const { checkpoint: plain } = load<{ checkpoint: string }>('checkpoint')
  const key = parseCosignerKey(cosignerKey)
  const witness = testKey(key.name, 3)
  const signed: string[] = []
  const sign = (bytes: Uint8Array) => (signed.push(fromUtf8(bytes)), witness.sign(bytes))
  await expect(signCosignature(plain, { ...key, sign, time })).resolves.toBe(line)
  expect([signed, appendSignature(plain, line)]).toEqual([[message], checkpoint])
  await expect(verifyCosignature(checkpoint, key)).resolves.toEqual({ time })
  for (const note of Object.values(notCounted)) {
    await expect(verifyCheckpoint(note, testKey('ledger.test/ephor', 1).key)).resolves.toMatchObject({ size: 7 })
    await expect(countCosignatures(note, [key])).resolves.toMatchObject({ cosigned: [], invalid: [] })
  }
  for (const note of Object.values(refused)) await expect(verifyCosignature(note, key)).rejects.toThrow('is not valid')
})

test('what is sent to witnesses', () => {
  type Requests = { requests: { body: string; old: number; size: number; proof: string[] }[]; refused: Record<string, string> }
  const { requests, refused } = load<Requests>('add-checkpoint')
  for (const { body, old, size, proof } of requests) {
    const request = parseAddCheckpoint(body)
    expect(request).toMatchObject({ old, proof: proof.map(fromBase64) })
    expect([readCheckpoint(request.checkpoint).size, formatAddCheckpoint(request)]).toEqual([size, body])
  }
  for (const [name, body] of Object.entries(refused))
    expect(() => parseAddCheckpoint(body), name).toThrow(expect.objectContaining({ code: 'FORMAT_INVALID' }) as Error)
})

type Files = Record<string, string>

const sourceOf = (files: Files) => ({
  read: (path: string) => Promise.resolve(files[path] === undefined ? undefined : fromBase64(files[path])),
})

test('a change of keys', async () => {
  type Rotation = Record<'origin' | 'from' | 'to' | 'statement' | 'rotated', string> & { files: Files; refused: Record<string, Files> }
  const { origin, from, to, statement, rotated, files, refused } = load<Rotation>('rotation')
  expect(fromUtf8(rotationStatement(origin, from, to))).toBe(statement)
  expect(rotation(testKey(origin, 1), testKey(origin, 2))).toBe(rotated)
  for (const vkey of [from, to]) await expect(verifyLog(sourceOf(files), { vkey })).resolves.toMatchObject({ ok: true, size: 8 })
  for (const [fault, log] of Object.entries(refused))
    await expect(verifyLog(sourceOf(log), { vkey: from })).resolves.toMatchObject({ fault })
})

test('envelopes and evidence', async () => {
  type Evidence = {
    preAuth: Record<'payloadType' | 'payload' | 'encoded', string>
    keys: { from: string; to: string }
    statement: string
    bundle: string
    refused: Record<string, { fault: string; bundle: string }>
  }
  const { preAuth, keys, statement, bundle, refused } = load<Evidence>('evidence')
  expect(fromUtf8(dssePreAuth(preAuth.payloadType, utf8(preAuth.payload)))).toBe(preAuth.encoded)
  const { predicate } = JSON.parse(statement) as { predicate: EvidencePredicate }
  expect(fromUtf8(evidencePayload(predicate))).toBe(statement)
  expect(JSON.stringify(await signEvidence(predicate, testKey(predicate.origin, 2).sign))).toBe(bundle)
  for (const vkey of Object.values(keys)) await expect(verifyEvidence(bundle, { vkey })).resolves.toMatchObject({ ok: true, entries: 4 })
  for (const { fault, bundle: other } of Object.values(refused))
    await expect(verifyEvidence(other, { vkey: keys.from })).resolves.toMatchObject({ ok: false, fault })
})

test('partial tiles', () => {
  type Partials = {
    counts: { size: number; full: Record<string, number>; partial: string[] }[]
    size: number
    files: Record<string, string>
  }
  const { counts, size, files } = load<Partials>('partial-tiles')
  for (const { size: of, full, partial } of counts) {
    const places = [...tilesOf(of)].filter(({ level }) => level !== 'entries')
    expect(places.filter(({ width }) => width < 256).map(tilePath)).toEqual(partial)
    for (const [level, count] of Object.entries(full))
      expect(places.filter((place) => place.level === Number(level) && place.width === 256)).toHaveLength(count)
  }
  const numbers = Array.from({ length: size }, (_, i) => String(i))
  const made = [...makeLog(numbers, testKey('ledger.test/ephor', 1))].filter(([path]) => path.startsWith('tile/'))
  expect(Object.fromEntries(made.map(([path, bytes]) => [path, toHex(sha256(bytes))]))).toEqual(files)
})
