/** One walk over an exported log: every entry, every tile, and the tree that they make. */
import { sameBytes } from './bytes.ts'
import { BodyChecker } from './check-body.ts'
import type { BodyProblem } from './check-body.ts'
import type { Checkpoint } from './checkpoint.ts'
import { Frontier, leafHash } from './merkle.ts'
import type { Hash } from './merkle.ts'
import { decodeBundle, decodeTile, TileWriter, tilePath, TILE_WIDTH } from './tiles.ts'
import type { TilePlace } from './tiles.ts'
import { Wrong } from './verdict.ts'

/** Where the export is read from; `path` is relative and uses `/`. Undefined when there is no such file. */
export type LogSource = { read(path: string): Promise<Uint8Array | undefined> }

/** What was found wrong on the way, in order of place. */
export class Walk {
  readonly bodies = new BodyChecker()
  readonly #source: LogSource
  readonly #claimed: Checkpoint
  readonly #kept: Checkpoint | undefined
  readonly #tree: TileWriter
  #full: { place: TilePlace; bytes: Uint8Array }[] = []
  #changed: number | undefined
  #tile: string | undefined
  #forked = false
  #problem: { seq: number; problem: BodyProblem } | undefined

  /**
   * @param claimed the checkpoint to hold the log against; its signature is somebody else's business
   * @param kept an earlier checkpoint
   */
  constructor(source: LogSource, claimed: Checkpoint, kept: Checkpoint | undefined) {
    this.#source = source
    this.#claimed = claimed
    this.#kept = kept
    this.#tree = new TileWriter(0, [], (place, bytes) => this.#full.push({ place, bytes }))
    this.#compareKept()
  }

  /** Whether the first entries are not those of the earlier checkpoint. */
  get forked(): boolean {
    return this.#forked
  }

  async walk(progress?: (done: number) => void): Promise<void> {
    const { size } = this.#claimed
    for (let index = 0; index * TILE_WIDTH < size; index++) {
      await this.#bundle(index)
      progress?.(Math.min(size, (index + 1) * TILE_WIDTH))
    }
    await this.#finish()
  }

  #compareKept(): void {
    const kept = this.#kept
    if (kept && kept.size === this.#tree.size) this.#forked = !sameBytes(kept.root, this.#tree.root())
  }

  async #entries(index: number, width: number): Promise<Uint8Array[]> {
    const path = tilePath({ level: 'entries', index, width })
    const first = index * TILE_WIDTH
    const missing = (have: number) =>
      new Wrong(
        'ENTRIES_MISSING',
        path,
        `The checkpoint is signed for ${this.#claimed.size} entries, but those from ${first + have} on are missing.`,
      )
    const bytes = await this.#source.read(path)
    if (!bytes) throw missing(0)
    let entries: Uint8Array[]
    try {
      entries = decodeBundle(bytes)
    } catch (error) {
      throw new Wrong('BUNDLE_INVALID', path, `This file of entries was changed: ${(error as Error).message}.`)
    }
    if (entries.length < width) throw missing(entries.length)
    if (entries.length > width) throw new Wrong('BUNDLE_INVALID', path, `This file has ${entries.length} entries; it should have ${width}.`)
    return entries
  }

  async #bundle(index: number): Promise<void> {
    const width = Math.min(TILE_WIDTH, this.#claimed.size - index * TILE_WIDTH)
    const entries = await this.#entries(index, width)
    const hashes = await readTile(this.#source, { level: 0, index, width })
    for (const [i, entry] of entries.entries()) {
      const seq = index * TILE_WIDTH + i
      const leaf = leafHash(entry)
      if (!sameBytes(leaf, hashes[i] as Hash)) this.#changed ??= seq
      const problem = this.bodies.check(seq, entry)
      if (problem) this.#problem ??= { seq, problem }
      this.#tree.push(leaf)
      this.#compareKept()
    }
    await this.#compareTiles(this.#full.splice(0))
  }

  /** Level 0 was compared hash by hash; what is above follows from it. */
  async #compareTiles(tiles: readonly { place: TilePlace; bytes: Uint8Array }[]): Promise<void> {
    for (const { place, bytes } of tiles) {
      if (place.level === 0) continue
      const path = tilePath(place)
      const found = await this.#source.read(path)
      if (!found) throw new Wrong('TILE_MISSING', path, 'This tile of the tree is missing.')
      if (!sameBytes(found, bytes)) this.#tile ??= path
    }
  }

  async #finish(): Promise<void> {
    await this.#compareTiles(this.#tree.partial())
    const sound = sameBytes(this.#tree.root(), this.#claimed.root)
    if (this.#changed !== undefined) await this.#blame(this.#changed, sound)
    if (!sound)
      throw new Wrong(
        'ROOT_MISMATCH',
        'checkpoint',
        'Entries and tiles agree with one another, but not with the signed checkpoint: they were rewritten together.',
      )
    if (this.#tile)
      throw new Wrong('TILE_CHANGED', this.#tile, 'This tile of the tree was changed; the entries themselves are those that were signed.')
  }

  /** @throws Wrong for the first body that is not what a ledger holds. */
  requireBodies(): void {
    if (!this.#problem) return
    const { seq, problem } = this.#problem
    throw new Wrong(problem.fault, `entry ${seq}`, `Entry ${seq} is what was signed, but ${problem.detail}.`)
  }

  /** An entry and its hash in the tile differ: the signed root says which of the two was changed. */
  async #blame(seq: number, entriesSound: boolean): Promise<never> {
    const path = tilePath({
      level: 0,
      index: Math.floor(seq / TILE_WIDTH),
      width: Math.min(TILE_WIDTH, this.#claimed.size - Math.floor(seq / TILE_WIDTH) * TILE_WIDTH),
    })
    if (entriesSound)
      throw new Wrong('TILE_CHANGED', path, `This tile was changed at entry ${seq}; the entries themselves are those that were signed.`)
    const both = (await rootOfTiles(this.#source, this.#claimed)) ? '' : ' The tree of hashes was changed as well.'
    throw new Wrong('ENTRY_CHANGED', `entry ${seq}`, `Entry ${seq} was changed, or another entry was put in its place.${both}`)
  }
}

async function readTile(source: LogSource, place: TilePlace): Promise<Hash[]> {
  const path = tilePath(place)
  const bytes = await source.read(path)
  if (!bytes) throw new Wrong('TILE_MISSING', path, 'This tile of the tree is missing.')
  try {
    return decodeTile(bytes, place.width)
  } catch (error) {
    throw new Wrong('TILE_CHANGED', path, `This tile of the tree was changed: ${(error as Error).message}.`)
  }
}

/** Whether the hashes of level 0 are those that were signed. */
async function rootOfTiles(source: LogSource, { size, root }: Checkpoint): Promise<boolean> {
  const tree = new Frontier()
  for (let index = 0; index * TILE_WIDTH < size; index++) {
    const width = Math.min(TILE_WIDTH, size - index * TILE_WIDTH)
    for (const hash of await readTile(source, { level: 0, index, width })) tree.push(hash)
  }
  return sameBytes(tree.root(), root)
}
