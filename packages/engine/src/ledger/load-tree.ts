/** Rebuilds the tree from what is stored, and refuses a store whose last entries are not those that were hashed and signed. */
import { Fault } from '@ephor/contract'
import { decodeTile, readCheckpoint, sameBytes, TILE_WIDTH, TileWriter } from '@ephor/proof'
import type { Hash, TilePlace } from '@ephor/proof'
import type { CheckpointRow, EntryRow, WriteStore } from './store.ts'
import { isIntact } from './to-entry.ts'

export function forked(detail: string, cause?: unknown): Fault {
  return new Fault('LEDGER_FORKED', detail, { cause })
}

/** A tile that is not full yet, of a ledger of some size. */
export type EdgePlace = { level: number; index: number; width: number }
export type Emit = (place: TilePlace, bytes: Uint8Array) => void

/** The tiles at the right edge that are not full, by level; those of width 0 are not stored. */
export function edgeOf(size: number): EdgePlace[] {
  const places: EdgePlace[] = []
  for (let level = 0, hashes = size; hashes > 0; level++, hashes = Math.floor(hashes / TILE_WIDTH))
    places.push({ level, index: Math.floor(hashes / TILE_WIDTH), width: hashes % TILE_WIDTH })
  return places
}

/** The tree under a stored checkpoint, which then takes the rows from the last full tile on, in order. */
export class TreeLoader {
  /** The seq of the first row to take. */
  readonly from: number
  readonly #size: number
  readonly #tail: readonly Hash[]
  readonly #tree: TileWriter
  #next: number

  /**
   * @param tile the stored hashes of a place of `edgeOf`
   * @param emit gets the tiles that become full by entries that no checkpoint covers yet
   * @throws Fault LEDGER_FORKED
   */
  constructor(row: CheckpointRow, tile: (place: EdgePlace) => Uint8Array | undefined, emit: Emit) {
    const { size, root } = readCheckpoint(row.note)
    if (size !== row.size) throw forked('the row of the checkpoint does not fit its note')
    const edge = edgeOf(size).map((place) => {
      const bytes = place.width === 0 ? new Uint8Array() : tile(place)
      if (!bytes || bytes.length < 32 * place.width) throw forked(`a tile of level ${place.level} is missing or cut`)
      return decodeTile(new Uint8Array(bytes.subarray(0, 32 * place.width)), place.width)
    })
    this.#tree = new TileWriter(size, edge, emit)
    if (!sameBytes(this.#tree.root(), root)) throw forked(`the tree of the first ${size} entries does not have the root that was signed`)
    this.#tail = edge[0] ?? []
    this.#size = size
    this.#next = this.from = size - (size % TILE_WIDTH)
  }

  /** @throws Fault LEDGER_FORKED when a row is missing, was changed, or is not what was signed. */
  take(row: EntryRow): void {
    const { from } = this
    if (row.seq !== this.#next) throw forked(`entry ${this.#next} is missing`)
    const hash = new Uint8Array(row.leaf_hash)
    const signed = this.#tail[row.seq - from]
    if (!isIntact(row) || (row.seq < this.#size && !(signed && sameBytes(hash, signed)))) throw forked(`entry ${row.seq} was changed`)
    if (row.seq >= this.#size) this.#tree.push(hash)
    this.#next++
  }

  /** The tree over all that was taken. */
  done(): TileWriter {
    if (this.#next < this.#size) throw forked(`the last checkpoint covers ${this.#size} entries, the store has ${this.#next}`)
    return this.#tree
  }
}

/** @returns the tree over all entries; undefined for a new store. @throws Fault LEDGER_FORKED */
export function loadTree(store: WriteStore, emit: Emit): TileWriter | undefined {
  const row = store.checkpoint()
  if (!row) {
    if (store.size() > 0) throw forked('the store has entries but no checkpoint')
    return undefined
  }
  const loader = new TreeLoader(row, ({ level, index }) => store.tile(level, index), emit)
  for (const entry of store.entriesFrom(loader.from)) loader.take(entry)
  return loader.done()
}
