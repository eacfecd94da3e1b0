/** The part of the ledger that runs in the store's thread: sequence, leaf hashes, tree, and the signed checkpoint. */
import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { Fault } from '@ephor/contract'
import type { StoreExtension } from '@ephor/engine/kernel'
import { formatVerifierKey, leafHash, makeVerifierKey, signCheckpoint, TileWriter, toHex, utf8 } from '@ephor/proof'
import type { Hash, TilePlace, VerifierKey } from '@ephor/proof'
import type { Database } from 'better-sqlite3'
import type { LedgerExtensionOptions } from './extension.ts'
import { loadTree } from './load-tree.ts'
import type { PreparedEntry } from './prepare-entry.ts'
import { writeStore } from './store.ts'
import type { WriteStore } from './store.ts'
import { writeDurably } from './write-durably.ts'

/** What `append` hands over: entries, and wrapped data keys that may not be stored yet. */
export type LedgerAttachment = { keys: { subject: string; sealed: Uint8Array }[]; entries: PreparedEntry[] }

/** One entry's answer. `leafHash` is hexadecimal. */
export type Appended = { seq: number; leafHash: string }

/** Answer of `describe`. */
export type Described = { origin: string; verifierKey: string }

/** Answer of `open` and `integrate`: the last signed checkpoint. */
export type Integrated = { size: number; note: string }

class LedgerThread implements StoreExtension {
  readonly #store: WriteStore
  readonly #key: VerifierKey
  readonly #sign: (bytes: Uint8Array) => Uint8Array
  readonly #outside: string
  /** Over the entries of committed units; undefined until `open`. */
  #tree: TileWriter | undefined
  /** Full tiles that are not stored yet. */
  #full: { place: TilePlace; bytes: Uint8Array }[] = []
  /** Leaf hashes of the current transaction's units, not in the tree until it is committed. */
  #uncommitted: Hash[] = []
  #signed: Integrated | undefined
  #outsideSize = -1

  constructor(db: Database, { origin, ledgerKeyPem, outside }: LedgerExtensionOptions) {
    const privateKey = createPrivateKey(ledgerKeyPem)
    this.#store = writeStore(db)
    this.#key = makeVerifierKey(origin, createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32))
    this.#sign = (bytes) => sign(null, bytes, privateKey)
    this.#outside = outside
  }

  begin(): void {
    this.#uncommitted = []
  }

  apply(attachment: unknown): Appended[] {
    const { keys, entries } = attachment as LedgerAttachment
    // Until the store was compared with its last checkpoint, nothing may be written behind it.
    if (!this.#tree) throw new Fault('STORE_UNAVAILABLE', 'the ledger is not open')
    for (const { subject, sealed } of keys) this.#store.insertKey(subject, sealed)
    const first = this.#tree.size + this.#uncommitted.length
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

  call(method: string): Described | Integrated {
    if (method === 'describe') return { origin: this.#key.name, verifierKey: formatVerifierKey(this.#key) }
    if (method === 'open') return this.#open()
    if (method === 'integrate') return this.#integrate()
    throw new Fault('INTERNAL', `the ledger has no ${method}`)
  }

  #open(): Integrated {
    const emit = (place: TilePlace, bytes: Uint8Array) => void this.#full.push({ place, bytes })
    const loaded = loadTree(this.#store, emit)
    this.#tree = loaded ?? new TileWriter(0, [], emit)
    // A new ledger is known outside before it exists: from then on a missing file always means that somebody removed it.
    if (!loaded) writeDurably(this.#outside, this.#note(this.#tree))
    return this.#integrate()
  }

  #note(tree: TileWriter): string {
    return signCheckpoint({ size: tree.size, root: tree.root() }, this.#key, this.#sign)
  }

  /** Stores tiles first, then signs, stores the checkpoint, and at last copies it outside. */
  #integrate(): Integrated {
    const tree = this.#tree
    if (!tree) throw new Fault('STORE_UNAVAILABLE', 'the ledger is not open')
    if (this.#signed?.size !== tree.size) {
      const checkpoint = { size: tree.size, note: this.#note(tree) }
      const tiles = [...this.#full, ...tree.partial()]
      this.#store.transaction(() => {
        for (const { place, bytes } of tiles) this.#store.putTile(place.level as number, place.index, bytes)
        if (!this.#store.putCheckpoint(checkpoint)) throw new Fault('LEDGER_FORKED', `a size above ${tree.size} was already signed`)
      })
      this.#full = []
      this.#signed = checkpoint
    }
    const signed = this.#signed
    if (this.#outsideSize !== signed.size) {
      try {
        writeDurably(this.#outside, signed.note)
      } catch (error) {
        throw new Fault('STORE_UNAVAILABLE', `the checkpoint outside the store can't be written: ${(error as Error).message}`)
      }
      this.#outsideSize = signed.size
    }
    return signed
  }
}

/** Called by the store's thread. */
export function install(db: Database, options: unknown): StoreExtension {
  return new LedgerThread(db, options as LedgerExtensionOptions)
}
