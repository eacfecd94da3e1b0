/** The part of the ledger that runs in the embedded store's thread: sequence, leaf hashes, tree. It knows no key: checkpoints are signed outside. */
import { Fault } from '@ephor/contract'
import type { StoreExtension } from '@ephor/engine/kernel'
import { leafHash, readCheckpoint, sameBytes, TileWriter, toHex, utf8 } from '@ephor/proof'
import type { Hash, TilePlace } from '@ephor/proof'
import type { Database } from 'better-sqlite3'
import { scrubbing } from './erasure/scrub.ts'
import type { LedgerExtensionOptions } from './extension.ts'
import { loadTree } from './load-tree.ts'
import type { PreparedEntry } from './prepare-entry.ts'
import { writeStore } from './store.ts'
import type { CheckpointRow, WriteStore } from './store.ts'
import { keepOutside } from './write-durably.ts'

/** What `append` hands over: entries, and wrapped data keys that may not be stored yet. */
export type LedgerAttachment = { keys: { subject: string; sealed: Uint8Array }[]; entries: PreparedEntry[] }

/** One entry's answer. `leafHash` is hexadecimal. */
export type Appended = { seq: number; leafHash: string }

/** Answer of `prepare`: the tree over all that is committed, the checkpoint that is stored, and whether the key was changed since. */
export type Prepared = { size: number; root: Uint8Array; stored: CheckpointRow | undefined; keyChanged: boolean }

type Tile = { place: TilePlace; bytes: Uint8Array }

class LedgerThread implements StoreExtension {
  readonly #store: WriteStore
  readonly #outside: string
  /** Over the entries of committed units; undefined until `open`. */
  #tree: TileWriter | undefined
  /** Full tiles that are not stored yet. */
  #full: Tile[] = []
  /** Leaf hashes of the current transaction's units, not in the tree until it is committed. */
  #uncommitted: Hash[] = []
  /** What was handed out to be signed, and `full`: how many of the full tiles it has. */
  #prepared: { size: number; root: Hash; tiles: Tile[]; full: number } | undefined
  #signed: CheckpointRow | undefined

  constructor(db: Database, { outside }: LedgerExtensionOptions, tenant: string) {
    this.#store = writeStore(db, tenant)
    this.#outside = outside
  }

  begin(): void {
    this.#uncommitted = []
  }

  apply(attachment: unknown): Appended[] {
    const { keys, entries } = attachment as LedgerAttachment
    // Until the store was compared with its last checkpoint, nothing may be written behind it.
    const tree = this.#opened()
    for (const { subject, sealed } of keys) this.#store.insertKey(subject, sealed)
    const first = tree.size + this.#uncommitted.length
    const hashes = entries.map(({ id, body, payloads }, i) => {
      const hash = leafHash(utf8(body))
      this.#store.insertEntry({ seq: first + i, id, leaf_hash: hash, body })
      for (const payload of payloads) this.#store.insertPayload(first + i, payload)
      return hash
    })
    // Only now: a unit that failed above is rolled back and leaves its places to the next one.
    this.#uncommitted.push(...hashes)
    return hashes.map((hash, i) => ({ seq: first + i, leafHash: toHex(hash) }))
  }

  committed(): void {
    for (const hash of this.#uncommitted) this.#tree?.push(hash)
  }

  call(method: string, argument: unknown): Prepared | CheckpointRow | undefined {
    const { note, nextKeyChange } = (argument ?? {}) as { note: string; nextKeyChange: string }
    if (method === 'prepare') return this.#prepare(nextKeyChange)
    if (method === 'publish') return this.#publish(note)
    if (method === 'open') this.#open()
    else if (method === 'keep') keepOutside(this.#outside, note)
    else throw new Fault('INTERNAL', `the ledger has no ${method}`)
    return undefined
  }

  #opened(): TileWriter {
    if (!this.#tree) throw new Fault('STORE_UNAVAILABLE', 'the ledger is not open')
    return this.#tree
  }

  #open(): void {
    const emit = (place: TilePlace, bytes: Uint8Array) => void this.#full.push({ place, bytes })
    this.#tree = loadTree(this.#store, emit) ?? new TileWriter(0, [], emit)
    this.#signed = this.#store.checkpoint()
  }

  /**
   * The tree as it is now, its tiles kept until `publish` brings the signed checkpoint over it.
   * @param nextKeyChange the id that the next entry about the ledger's keys would have
   */
  #prepare(nextKeyChange: string): Prepared {
    const tree = this.#opened()
    const [size, root] = [tree.size, tree.root()]
    this.#prepared = { size, root, tiles: [...this.#full, ...tree.partial()], full: this.#full.length }
    return { size, root, stored: this.#signed, keyChanged: this.#store.has(nextKeyChange) }
  }

  /** Tiles and checkpoint in one transaction. @returns what is stored */
  #publish(note: string): CheckpointRow {
    const { size, root } = readCheckpoint(note)
    const prepared = this.#prepared
    if (prepared?.size !== size || !sameBytes(prepared.root, root)) throw new Fault('INTERNAL', 'what was signed is not what was prepared')
    const checkpoint = { size, note }
    this.#store.transaction(() => {
      for (const { place, bytes } of prepared.tiles) this.#store.putTile(place.level as number, place.index, bytes)
      if (!this.#store.putCheckpoint(checkpoint)) throw new Fault('LEDGER_FORKED', `a size above ${size} was already signed`)
    })
    this.#full.splice(0, prepared.full)
    this.#prepared = undefined
    this.#signed = checkpoint
    return checkpoint
  }
}

/** Called by the store's thread. */
export function install(db: Database, options: unknown, tenant: string): StoreExtension {
  return scrubbing(db, new LedgerThread(db, options as LedgerExtensionOptions, tenant))
}
