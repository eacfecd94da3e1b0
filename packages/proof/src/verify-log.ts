/** Verifies a whole exported ledger, offline: signature, every entry, every tile, every body, and an earlier checkpoint. */
import { fromUtf8, sameBytes, toHex } from './bytes.ts'
import { BodyChecker } from './check-body.ts'
import type { BodyProblem } from './check-body.ts'
import { verifyCheckpoint } from './checkpoint.ts'
import type { Checkpoint } from './checkpoint.ts'
import { Frontier, leafHash } from './merkle.ts'
import type { Hash } from './merkle.ts'
import { parseNote, parseVerifierKey } from './note.ts'
import type { VerifierKey } from './note.ts'
import { ProofError } from './proof-error.ts'
import { decodeBundle, decodeTile, TileWriter, tilePath, TILE_WIDTH } from './tiles.ts'
import type { TilePlace } from './tiles.ts'

/** Where the export is read from; `path` is relative and uses `/`. Undefined when there is no such file. */
export type LogSource = { read(path: string): Promise<Uint8Array | undefined> }

export type VerifyOptions = {
  /** The C2SP verifier key of the log. */
  vkey: string
  /** A signed checkpoint of this log that the auditor kept from before. */
  earlier?: string | Uint8Array
}

export type VerifyFault =
  | 'KEY_INVALID' // the verifier key can't be read
  | 'CHECKPOINT_MISSING'
  | 'CHECKPOINT_INVALID' // not a checkpoint
  | 'SIGNATURE_INVALID' // a checkpoint that this key did not sign
  | 'EARLIER_INVALID' // the kept checkpoint can't be read
  | 'REPLACED' // the kept checkpoint is of another log or key
  | 'ROLLED_BACK' // the kept checkpoint covers more than there is now
  | 'FORKED' // the first entries are not those of the kept checkpoint
  | 'ENTRIES_MISSING' // fewer entries than the checkpoint says
  | 'BUNDLE_INVALID'
  | 'TILE_MISSING'
  | 'TILE_CHANGED'
  | 'ENTRY_CHANGED'
  | 'ROOT_MISMATCH' // entries and tiles agree, but not with what was signed
  | BodyProblem['fault']

export type Verdict =
  | { ok: true; origin: string; size: number; root: string; earlierSize?: number; types: Record<string, number> }
  /** `where`: the file, or `entry <seq>`. */
  | { ok: false; fault: VerifyFault; where: string; detail: string }

class Wrong extends Error {
  readonly verdict: Verdict & { ok: false }

  constructor(fault: VerifyFault, where: string, detail: string) {
    super(detail)
    this.verdict = { ok: false, fault, where, detail }
  }
}

async function readKey(vkey: string): Promise<VerifierKey> {
  try {
    return parseVerifierKey(vkey)
  } catch (error) {
    throw new Wrong('KEY_INVALID', 'verifier key', `The verifier key can't be read: ${(error as Error).message}.`)
  }
}

async function readSigned(source: LogSource, key: VerifierKey): Promise<Checkpoint> {
  const note = await source.read('checkpoint')
  if (!note) throw new Wrong('CHECKPOINT_MISSING', 'checkpoint', 'There is no checkpoint: nothing says what this log should contain.')
  try {
    return await verifyCheckpoint(note, key)
  } catch (error) {
    const fault = error instanceof ProofError && error.code === 'PROOF_INVALID' ? 'SIGNATURE_INVALID' : 'CHECKPOINT_INVALID'
    throw new Wrong(fault, 'checkpoint', `The checkpoint is not to be trusted: ${(error as Error).message}.`)
  }
}

async function readEarlier(earlier: string | Uint8Array, key: VerifierKey, now: Checkpoint): Promise<Checkpoint> {
  let kept: Checkpoint
  try {
    parseNote(earlier)
    kept = await verifyCheckpoint(earlier, key)
  } catch (error) {
    const replaced = error instanceof ProofError && error.code === 'PROOF_INVALID'
    if (!replaced)
      throw new Wrong('EARLIER_INVALID', 'earlier checkpoint', `The earlier checkpoint can't be read: ${(error as Error).message}.`)
    throw new Wrong(
      'REPLACED',
      'earlier checkpoint',
      `This is not the log that the earlier checkpoint describes: ${(error as Error).message}.`,
    )
  }
  if (now.size < kept.size)
    throw new Wrong(
      'ROLLED_BACK',
      'checkpoint',
      `The log ends at ${now.size} entries, but it had ${kept.size} when the earlier checkpoint was signed: its tail was cut off or an older copy was put back.`,
    )
  return kept
}

/** One walk over the log: what was found wrong on the way, in order of place. */
class Walk {
  readonly bodies = new BodyChecker()
  readonly #source: LogSource
  readonly #signed: Checkpoint
  readonly #kept: Checkpoint | undefined
  readonly #tree: TileWriter
  #full: { place: TilePlace; bytes: Uint8Array }[] = []
  #changed: number | undefined
  #tile: string | undefined
  #forked = false
  #problem: { seq: number; problem: BodyProblem } | undefined

  constructor(source: LogSource, signed: Checkpoint, kept: Checkpoint | undefined) {
    this.#source = source
    this.#signed = signed
    this.#kept = kept
    this.#tree = new TileWriter(0, [], (place, bytes) => this.#full.push({ place, bytes }))
    this.#compareKept()
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
        `The checkpoint is signed for ${this.#signed.size} entries, but those from ${first + have} on are missing.`,
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

  async bundle(index: number): Promise<void> {
    const width = Math.min(TILE_WIDTH, this.#signed.size - index * TILE_WIDTH)
    const entries = await this.#entries(index, width)
    const hashes = await readTile(this.#source, { level: 0, index, width })
    for (const [i, entry] of entries.entries()) {
      const seq = index * TILE_WIDTH + i
      const leaf = leafHash(entry)
      if (!sameBytes(leaf, hashes[i] as Hash)) this.#changed ??= seq
      const problem = this.bodies.check(entry)
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

  async finish(): Promise<void> {
    await this.#compareTiles(this.#tree.partial())
    const sound = sameBytes(this.#tree.root(), this.#signed.root)
    if (this.#changed !== undefined) await this.#blame(this.#changed, sound)
    if (!sound)
      throw new Wrong(
        'ROOT_MISMATCH',
        'checkpoint',
        'Entries and tiles agree with one another, but not with the signed checkpoint: they were rewritten together.',
      )
    if (this.#tile)
      throw new Wrong('TILE_CHANGED', this.#tile, 'This tile of the tree was changed; the entries themselves are those that were signed.')
    if (this.#forked)
      throw new Wrong(
        'FORKED',
        `entries 0 to ${(this.#kept as Checkpoint).size - 1}`,
        'The log signed two histories: its first entries are not those of the earlier checkpoint.',
      )
    if (this.#problem) {
      const { seq, problem } = this.#problem
      throw new Wrong(problem.fault, `entry ${seq}`, `Entry ${seq} is what was signed, but ${problem.detail}.`)
    }
  }

  /** An entry and its hash in the tile differ: the signed root says which of the two was changed. */
  async #blame(seq: number, entriesSound: boolean): Promise<never> {
    const path = tilePath({
      level: 0,
      index: Math.floor(seq / TILE_WIDTH),
      width: Math.min(TILE_WIDTH, this.#signed.size - Math.floor(seq / TILE_WIDTH) * TILE_WIDTH),
    })
    if (entriesSound)
      throw new Wrong('TILE_CHANGED', path, `This tile was changed at entry ${seq}; the entries themselves are those that were signed.`)
    const both = (await rootOfTiles(this.#source, this.#signed)) ? '' : ' The tree of hashes was changed as well.'
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

/** @returns what was verified, or the first wrong place; it throws only what `source.read` throws. */
export async function verifyLog(source: LogSource, { vkey, earlier }: VerifyOptions): Promise<Verdict> {
  try {
    const key = await readKey(vkey)
    const signed = await readSigned(source, key)
    const kept = earlier === undefined ? undefined : await readEarlier(earlier, key, signed)
    const walk = new Walk(source, signed, kept)
    for (let index = 0; index * TILE_WIDTH < signed.size; index++) await walk.bundle(index)
    await walk.finish()
    const { origin, size, root } = signed
    return { ok: true, origin, size, root: toHex(root), ...(kept && { earlierSize: kept.size }), types: walk.bodies.types }
  } catch (error) {
    if (error instanceof Wrong) return error.verdict
    throw error
  }
}

/** The verifier key that an export carries. It proves integrity only: whoever replaced the log could replace it too. */
export async function readFolderKey(source: LogSource): Promise<string | undefined> {
  const bytes = await source.read('ledger.vkey')
  return bytes && fromUtf8(bytes).trim()
}
