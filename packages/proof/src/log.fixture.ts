/** A whole log in memory, signed with a key that protects nothing, for tests and vectors. */
import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { fromUtf8, toBase64, utf8 } from './bytes.ts'
import { canonicalize } from './canonicalize.ts'
import { readCheckpoint, signCheckpoint } from './checkpoint.ts'
import type { EvidenceEntry, EvidencePredicate, EvidenceTimestamp } from './evidence.ts'
import { rotationStatement } from './key-chain.ts'
import { EMPTY_ROOT, foldSubtrees, leafHash, makeConsistency, makeInclusion, subtreesOf } from './merkle.ts'
import { formatVerifierKey, makeVerifierKey } from './note.ts'
import { decodeBundle, encodeBundle, tilePath, tileReader, tilesOf, TILE_WIDTH, TileWriter } from './tiles.ts'
import type { TilePlace } from './tiles.ts'

/** The Ed25519 key whose seed is one byte 32 times. */
export function testKey(name: string, byte: number) {
  const seed = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, byte)])
  const privateKey = createPrivateKey({ key: seed, format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32)
  return { key: makeVerifierKey(name, publicKey), sign: (bytes: Uint8Array) => sign(null, bytes, privateKey) }
}

export type TestKey = ReturnType<typeof testKey>

export function body(type: string, more: Record<string, unknown> = {}): string {
  return canonicalize({ v: 1, type, at: '2026-01-02T03:04:05.678Z', tenant: 'default', ...more })
}

/** Pairs of a decision and its outcome. */
export function bodies(count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const decision = `dec_${Math.floor(i / 2)}`
    return i % 2 === 0 ? body('decision', { id: decision }) : body('outcome', { id: `${decision}/outcome`, decision })
  })
}

/** The files of an exported log. */
export function makeLog(entries: readonly string[], log: TestKey): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>()
  const emit = (place: TilePlace, bytes: Uint8Array) => void files.set(tilePath(place), bytes)
  const tree = new TileWriter(0, [], emit)
  const bytes = entries.map(utf8)
  for (const entry of bytes) tree.push(leafHash(entry))
  for (const { place, bytes: partial } of tree.partial()) emit(place, partial)
  for (let first = 0; first < bytes.length; first += TILE_WIDTH) {
    const bundle = bytes.slice(first, first + TILE_WIDTH)
    emit({ level: 'entries', index: first / TILE_WIDTH, width: bundle.length }, encodeBundle(bundle))
  }
  files.set('checkpoint', utf8(signCheckpoint({ size: tree.size, root: tree.root() }, log.key, log.sign)))
  files.set('ledger.vkey', utf8(`${formatVerifierKey(log.key)}\n`))
  return files
}

/** The entry with which one key hands over to the next. */
export function rotation(from: TestKey, to: TestKey, more: Record<string, unknown> = {}): string {
  const [old, next] = [formatVerifierKey(from.key), formatVerifierKey(to.key)]
  const signature = toBase64(from.sign(rotationStatement(from.key.name, old, next)))
  return body('ledger.key.rotated', { from: old, to: next, signature, ...more })
}

export function revocation({ key }: TestKey, size: number, more: Record<string, unknown> = {}): string {
  return body('ledger.key.revoked', { key: formatVerifierKey(key), size, reason: 'compromised', ...more })
}

/** One entry of a log with its proof. */
export async function evidenceOf(files: Map<string, Uint8Array>, seq: number): Promise<EvidenceEntry> {
  const { size } = readCheckpoint(files.get('checkpoint') as Uint8Array)
  const read = (place: TilePlace) => Promise.resolve(files.get(tilePath(place)) as Uint8Array)
  const hashes = await makeInclusion(seq, size, tileReader(size, read))
  return { seq, body: entriesOf(files)[seq] as string, proof: hashes.map(toBase64) }
}

/** What a bundle says of a time stamp over the first `size` entries; the token is none. */
export async function stampOf(files: Map<string, Uint8Array>, size: number, log: TestKey): Promise<EvidenceTimestamp> {
  const whole = readCheckpoint(files.get('checkpoint') as Uint8Array).size
  const read = tileReader(whole, (place) => Promise.resolve(files.get(tilePath(place)) as Uint8Array))
  const root = size === 0 ? EMPTY_ROOT : foldSubtrees(await read(subtreesOf(0, size)))
  const proof = await makeConsistency(size, whole, read)
  const checkpoint = signCheckpoint({ size, root }, log.key, log.sign)
  return { checkpoint, token: toBase64(utf8('token')), proof: proof.map(toBase64) }
}

function entriesOf(files: Map<string, Uint8Array>): string[] {
  const { size } = readCheckpoint(files.get('checkpoint') as Uint8Array)
  const bundles = [...tilesOf(size)].filter(({ level }) => level === 'entries')
  return bundles.flatMap((place) => decodeBundle(files.get(tilePath(place)) as Uint8Array).map(fromUtf8))
}

/** What `signEvidence` signs, for all entries from `first` to `end`. */
export async function makeEvidence(
  files: Map<string, Uint8Array>,
  keys: readonly TestKey[],
  { first, end, keyEntries = [] }: { first: number; end: number; keyEntries?: number[] },
): Promise<EvidencePredicate> {
  const prove = (seqs: readonly number[]) => Promise.all(seqs.map((seq) => evidenceOf(files, seq)))
  return {
    origin: (keys[0] as TestKey).key.name,
    keys: keys.map(({ key }) => formatVerifierKey(key)),
    keyEntries: await prove(keyEntries),
    checkpoint: fromUtf8(files.get('checkpoint') as Uint8Array),
    range: { first, end },
    entries: await prove(Array.from({ length: end - first }, (_, i) => first + i)),
  }
}
