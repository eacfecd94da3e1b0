/** Paths and contents of a tiled log (c2sp.org/tlog-tiles): tiles of 256 hashes, bundles of 256 entries, partial ones at the right edge. */
import { ProofError } from './proof-error.ts'
import { concatBytes } from './bytes.ts'
import { Frontier, foldSubtrees } from './merkle.ts'
import type { Hash, NodeReader, TreeNode } from './merkle.ts'

/** Hashes in a full tile, entries in a full bundle. */
export const TILE_WIDTH = 256
const TILE_LEVELS = 8
/** A bundle gives each entry a length of two bytes. */
export const MAX_ENTRY_BYTES = 65_535

/** A place in the tiled log. `width` below 256 is a partial tile; `entries` are the bundles beside level 0. */
export type TilePlace = { level: number | 'entries'; index: number; width: number }

function number(index: number): string {
  let text = String(index % 1000).padStart(3, '0')
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000))
    text = `x${String(rest % 1000).padStart(3, '0')}/${text}`
  return text
}

/** For example `tile/0/x001/x234/067`, `tile/1/000.p/12`, `tile/entries/003`. */
export function tilePath({ level, index, width }: TilePlace): string {
  return `tile/${level}/${number(index)}${width < TILE_WIDTH ? `.p/${width}` : ''}`
}

/** The place that a path names; undefined when it names none: exactly one text per place is accepted. */
export function parseTilePath(path: string): TilePlace | undefined {
  const match = /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/){0,4}[0-9]{3})(?:\.p\/([0-9]{1,3}))?$/.exec(path)
  if (!match) return undefined
  const [, level = '', digits = '', width] = match
  const place: TilePlace = {
    level: level === 'entries' ? level : Number(level),
    index: Number(digits.replaceAll(/[x/]/g, '')),
    width: width === undefined ? TILE_WIDTH : Number(width),
  }
  return tilePath(place) === path && place.width > 0 ? place : undefined
}

/** Every tile and bundle of a log of this size, bundles and lower levels first, in order. */
export function* tilesOf(size: number): Generator<TilePlace> {
  for (let index = 0; index * TILE_WIDTH < size; index++)
    yield { level: 'entries', index, width: Math.min(TILE_WIDTH, size - index * TILE_WIDTH) }
  for (let level = 0, hashes = size; hashes > 0; level++, hashes = Math.floor(hashes / TILE_WIDTH)) {
    for (let index = 0; index * TILE_WIDTH < hashes; index++)
      yield { level, index, width: Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH) }
  }
}

/** @throws ProofError FORMAT_INVALID for an entry above 65,535 bytes or more than 256 of them. */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length > TILE_WIDTH) throw new ProofError('FORMAT_INVALID', 'a bundle holds 256 entries at most')
  const parts: Uint8Array[] = []
  for (const entry of entries) {
    if (entry.length > MAX_ENTRY_BYTES) throw new ProofError('FORMAT_INVALID', `an entry of ${entry.length} bytes does not fit a bundle`)
    parts.push(Uint8Array.of(entry.length >>> 8, entry.length & 0xff), entry)
  }
  return concatBytes(...parts)
}

/** @throws ProofError FORMAT_INVALID when the lengths do not add up. */
export function decodeBundle(bytes: Uint8Array): Uint8Array[] {
  const entries: Uint8Array[] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + 2 + (((bytes[at] as number) << 8) | (bytes[at + 1] ?? 0))
    if (at + 2 > bytes.length || end > bytes.length)
      throw new ProofError('FORMAT_INVALID', `the bundle ends inside its entry ${entries.length}`)
    entries.push(bytes.subarray(at + 2, end))
    at = end
  }
  return entries
}

/** Splits a tile into its hashes. @throws ProofError FORMAT_INVALID unless it holds exactly `width` of them. */
export function decodeTile(bytes: Uint8Array, width: number): Hash[] {
  if (bytes.length !== width * 32) throw new ProofError('FORMAT_INVALID', `a tile of ${bytes.length} bytes is not ${width} hashes`)
  return Array.from({ length: width }, (_, i) => bytes.subarray(32 * i, 32 * i + 32))
}

/** Reads subtree hashes of a log of `size` from its tiles. `read` gives the tile at its place, or throws. */
export function tileReader(size: number, read: (place: TilePlace) => Promise<Uint8Array>): NodeReader {
  const tiles = new Map<string, Promise<Hash[]>>()
  function tile(level: number, index: number): Promise<Hash[]> {
    const width = Math.min(TILE_WIDTH, Math.floor(size / TILE_WIDTH ** level) - index * TILE_WIDTH)
    const place = { level, index, width }
    const path = tilePath(place)
    let hashes = tiles.get(path)
    if (!hashes) tiles.set(path, (hashes = read(place).then((bytes) => decodeTile(bytes, width))))
    return hashes
  }
  async function node({ level, index }: TreeNode): Promise<Hash> {
    const tileLevel = Math.floor(level / TILE_LEVELS)
    const width = 2 ** (level % TILE_LEVELS)
    const first = index * width
    const hashes = await tile(tileLevel, Math.floor(first / TILE_WIDTH))
    return rootOf(hashes.slice(first % TILE_WIDTH, (first % TILE_WIDTH) + width))
  }
  return (nodes) => Promise.all(nodes.map(node))
}

function rootOf(hashes: readonly Hash[]): Hash {
  if (hashes.length === 1) return foldSubtrees(hashes)
  const tree = new Frontier()
  for (const hash of hashes) tree.push(hash)
  return tree.root()
}

/** Grows the tiles of a log: which hashes each push adds to which tile. */
export class TileWriter {
  readonly #tree: Frontier
  /** By level: the hashes of the tile at the right edge. */
  readonly #edge: Hash[][]
  readonly #emit: (place: TilePlace, bytes: Uint8Array) => void

  /**
   * @param size the leaves that `edge` stands for
   * @param edge by level, the hashes of the last, not full tile of a log of this size; empty ones too
   * @param emit called with each tile that becomes full
   */
  constructor(size: number, edge: readonly (readonly Hash[])[], emit: (place: TilePlace, bytes: Uint8Array) => void) {
    this.#edge = edge.map((hashes) => [...hashes])
    this.#emit = emit
    const subtrees = this.#edge.map((hashes) => foldable(hashes)).toReversed()
    this.#tree = new Frontier(size, subtrees.flat())
  }

  get size(): number {
    return this.#tree.size
  }

  root(): Hash {
    return this.#tree.root()
  }

  push(leaf: Hash): void {
    const index = this.#tree.size
    this.#tree.push(leaf, (level, hash) => {
      if (level % TILE_LEVELS !== 0) return
      const tileLevel = level / TILE_LEVELS
      const tile = (this.#edge[tileLevel] ??= [])
      tile.push(hash)
      if (tile.length < TILE_WIDTH) return
      this.#emit({ level: tileLevel, index: Math.floor(index / TILE_WIDTH ** (tileLevel + 1)), width: TILE_WIDTH }, concatBytes(...tile))
      this.#edge[tileLevel] = []
    })
  }

  /** The partial tiles at the right edge now. */
  partial(): { place: TilePlace; bytes: Uint8Array }[] {
    return this.#edge.flatMap((hashes, level) => {
      if (hashes.length === 0) return []
      const index = Math.floor(this.size / TILE_WIDTH ** (level + 1))
      return [{ place: { level, index, width: hashes.length }, bytes: concatBytes(...hashes) }]
    })
  }
}

/** The roots of the complete subtrees that a partial tile is made of, largest first. */
function foldable(hashes: readonly Hash[]): Hash[] {
  const roots: Hash[] = []
  for (let at = 0; at < hashes.length;) {
    const width = 2 ** Math.floor(Math.log2(hashes.length - at))
    roots.push(rootOf(hashes.slice(at, at + width)))
    at += width
  }
  return roots
}
