/** Rebuilds the tree from what is stored, and refuses a store whose last entries are not those that were hashed and signed. */
import { Fault } from '@ephor/contract'
import { decodeTile, readCheckpoint, sameBytes, TILE_WIDTH, TileWriter } from '@ephor/proof'
import type { Checkpoint, Hash, TilePlace } from '@ephor/proof'
import type { WriteStore } from './store.ts'
import { isIntact } from './to-entry.ts'

function forked(detail: string, cause?: unknown): Fault {
  return new Fault('LEDGER_FORKED', detail, { cause })
}

/** The hashes of each level's last, not full tile. */
function loadEdge(store: WriteStore, size: number): Hash[][] {
  const edge: Hash[][] = []
  for (let level = 0, hashes = size; hashes > 0; level++, hashes = Math.floor(hashes / TILE_WIDTH)) {
    const width = hashes % TILE_WIDTH
    const bytes = width === 0 ? new Uint8Array() : store.tile(level, Math.floor(hashes / TILE_WIDTH))
    if (!bytes || bytes.length < 32 * width) throw forked(`a tile of level ${level} is missing or cut`)
    edge.push(decodeTile(bytes.slice(0, 32 * width), width))
  }
  return edge
}

function storedCheckpoint(store: WriteStore): Checkpoint | undefined {
  const row = store.checkpoint()
  if (!row) {
    if (store.size() > 0) throw forked('the store has entries but no checkpoint')
    return undefined
  }
  const checkpoint = readCheckpoint(row.note)
  if (checkpoint.size !== row.size) throw forked('the row of the checkpoint does not fit its note')
  return checkpoint
}

/**
 * @param emit gets the tiles that become full by entries that no checkpoint covers yet
 * @returns the tree over all entries; undefined for a new store
 * @throws Fault LEDGER_FORKED
 */
export function loadTree(store: WriteStore, emit: (place: TilePlace, bytes: Uint8Array) => void): TileWriter | undefined {
  const checkpoint = storedCheckpoint(store)
  if (!checkpoint) return undefined
  const { size, root } = checkpoint
  const edge = loadEdge(store, size)
  const tree = new TileWriter(size, edge, emit)
  if (!sameBytes(tree.root(), root)) throw forked(`the tree of the first ${size} entries does not have the root that was signed`)
  const start = size - (size % TILE_WIDTH)
  let next = start
  for (const row of store.entriesFrom(start)) {
    if (row.seq !== next) throw forked(`entry ${next} is missing`)
    const hash = new Uint8Array(row.leaf_hash)
    const sealed = edge[0]?.[row.seq - start]
    if (!isIntact(row) || (row.seq < size && !(sealed && sameBytes(hash, sealed)))) throw forked(`entry ${row.seq} was changed`)
    if (row.seq >= size) tree.push(hash)
    next++
  }
  if (next < size) throw forked(`the last checkpoint covers ${size} entries, the store has ${next}`)
  return tree
}
