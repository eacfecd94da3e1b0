/** The ledger as the files of a tiled log, and inclusion proofs made from its tiles. */
import { Fault } from '@ephor/contract'
import {
  encodeBundle,
  formatTlogProof,
  fromHex,
  makeInclusion,
  parseTilePath,
  readCheckpoint,
  tileReader,
  TILE_WIDTH,
  utf8,
  verifyInclusion,
} from '@ephor/proof'
import type { TilePlace } from '@ephor/proof'
import type { ReadStore } from './store.ts'
import type { Entry } from './types.ts'
import { toEntry } from './to-entry.ts'

/** The bytes of a tile or bundle; undefined when the ledger does not reach there yet. @throws Fault STORE_CORRUPT */
export async function readPlace(reads: ReadStore, { level, index, width }: TilePlace): Promise<Uint8Array | undefined> {
  if (level !== 'entries') {
    const hashes = await reads.tile(level, index)
    return hashes && hashes.length >= 32 * width ? hashes.subarray(0, 32 * width) : undefined
  }
  const first = index * TILE_WIDTH
  const rows = await reads.entries(first, width)
  if (rows.length < width) return undefined
  for (const [i, row] of rows.entries()) {
    if (row.seq !== first + i) throw new Fault('STORE_CORRUPT', `entry ${first + i} of the ledger is missing`)
    toEntry(row)
  }
  return encodeBundle(rows.map(({ body }) => utf8(body)))
}

/** One file of the published log by its path; undefined when there is none. */
export async function readFile(reads: ReadStore, verifierKey: string, path: string): Promise<Uint8Array | undefined> {
  const row = await reads.checkpoint()
  if (path === 'checkpoint') return row && utf8(row.note)
  if (path === 'ledger.vkey') return utf8(`${verifierKey}\n`)
  const place = parseTilePath(path)
  if (!place || !row) return undefined
  // What no checkpoint covers yet is not published.
  const { level, index, width } = place
  const published = level === 'entries' ? row.size : Math.floor(row.size / TILE_WIDTH ** level)
  return index * TILE_WIDTH + width <= published ? readPlace(reads, place) : undefined
}

/** @throws Fault STORE_CORRUPT when the stored tree does not prove the entry: it was tampered with. */
export async function makeProof(reads: ReadStore, entry: Entry, note: string): Promise<string> {
  const { size, root } = readCheckpoint(note)
  const read = tileReader(size, async (place) => {
    const tile = await readPlace(reads, place)
    if (!tile) throw new Fault('STORE_CORRUPT', `a tile of level ${place.level} is missing`)
    return tile
  })
  const hashes = await makeInclusion(entry.seq, size, read)
  if (!verifyInclusion(fromHex(entry.leafHash), entry.seq, size, root, hashes))
    throw new Fault('STORE_CORRUPT', `the tree does not prove entry ${entry.seq}`)
  return formatTlogProof({ index: entry.seq, hashes, checkpoint: note })
}
