/** Which stored entries the signed tree proves: somebody who writes the database can write an entry with the right hash, not a tree with the signed root. */
import { Fault } from '@ephor/contract'
import { makeInclusion, sameBytes, TILE_WIDTH, tileReader, verifyInclusion } from '@ephor/proof'
import type { TilePlace } from '@ephor/proof'
import { readPlace } from './log-files.ts'
import type { EntryRow, ReadStore } from './store.ts'
import type { Published } from './types.ts'

/** @returns the leaf hashes of a tile, if the root says that they are these */
async function provenTile(reads: ReadStore, { size, root }: Published, index: number): Promise<Uint8Array | undefined> {
  const first = index * TILE_WIDTH
  const width = Math.min(TILE_WIDTH, size - first)
  const leaves = await readPlace(reads, { level: 0, index, width })
  if (!leaves) return undefined
  const read = tileReader(size, async (place: TilePlace) => {
    const tile = place.level === 0 && place.index === index ? leaves : await readPlace(reads, place)
    if (!tile) throw new Fault('STORE_CORRUPT', `a tile of level ${place.level} is missing`)
    return tile
  })
  try {
    // The path of one leaf is made of all the others of its tile: where it leads to the root, none of them was changed.
    const hashes = await makeInclusion(first, size, read)
    return verifyInclusion(new Uint8Array(leaves.subarray(0, 32)), first, size, root, hashes) ? leaves : undefined
  } catch (error) {
    if (error instanceof Fault && error.code === 'STORE_CORRUPT') return undefined
    throw error
  }
}

/** Those that the checkpoint does not cover yet were appended since, and stay. */
export async function provenRows<T extends Pick<EntryRow, 'seq' | 'leaf_hash'>>(
  reads: ReadStore,
  published: Published | undefined,
  rows: readonly T[],
): Promise<readonly T[]> {
  if (!published) return rows
  const tileOf = ({ seq }: T) => (seq < published.size ? Math.floor(seq / TILE_WIDTH) : undefined)
  const tiles = new Map<number, Uint8Array | undefined>()
  for (const index of new Set(rows.map(tileOf))) if (index !== undefined) tiles.set(index, await provenTile(reads, published, index))
  return rows.filter((row) => {
    const index = tileOf(row)
    if (index === undefined) return true
    const at = (row.seq % TILE_WIDTH) * 32
    const leaves = tiles.get(index)
    return leaves !== undefined && sameBytes(new Uint8Array(leaves.subarray(at, at + 32)), new Uint8Array(row.leaf_hash))
  })
}
