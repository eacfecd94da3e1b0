/** A whole log in memory, signed with a key that protects nothing, for tests and vectors. */
import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { utf8 } from './bytes.ts'
import { canonicalize } from './canonicalize.ts'
import { signCheckpoint } from './checkpoint.ts'
import { leafHash } from './merkle.ts'
import { formatVerifierKey, makeVerifierKey } from './note.ts'
import { encodeBundle, tilePath, TILE_WIDTH, TileWriter } from './tiles.ts'
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
