/** Has the tree signed: prepared in the store's thread, signed here, since a signer may be far away, and published by the thread. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Fault } from '@ephor/contract'
import type { Logger, Store } from '@ephor/engine/kernel'
import { formatCheckpoint, formatNote, sameBytes, utf8, verifyCheckpoint } from '@ephor/proof'
import type { Checkpoint, VerifierKey } from '@ephor/proof'
import { contains } from './check-outside.ts'
import { keyChangeId } from './keys/key-chain.ts'
import type { KeyChain } from './keys/key-chain.ts'
import type { Signers } from './keys/signing-keys.ts'
import type { Prepared } from './ledger-thread.ts'
import { forked } from './load-tree.ts'
import type { Signer } from './signers/signer.ts'
import type { CheckpointRow, ReadStore } from './store.ts'
import type { Published } from './types.ts'

/** A checkpoint is signed at most this often, in ms, unless somebody asks for one. */
const SIGN_EVERY_MS = 1000
/** How long to wait for a replica that integrates, and how often to look, in ms. */
const BUSY_MS = 10_000
const LOOK_EVERY_MS = 30

type IntegratorRooms = {
  store: Store
  reads: ReadStore
  log: Logger
  chain: KeyChain
  signers: Signers
  /** Called when the store turns out to hold another history than the one that was signed. */
  onForked: (detail: string) => void
}

const isSignerFault = (error: unknown): error is Fault => error instanceof Fault && error.code === 'SIGNER_UNAVAILABLE'

/** @throws Fault SIGNER_UNAVAILABLE, also when the signature is not one of the key: it must never be published. */
async function signTree(tree: { size: number; root: Uint8Array }, key: VerifierKey, signer: Signer): Promise<string> {
  const text = formatCheckpoint({ origin: key.name, ...tree, extensions: [] })
  try {
    const signature = await signer.sign(utf8(text))
    const note = formatNote(text, [{ name: key.name, keyId: key.keyId, signature }])
    await verifyCheckpoint(note, key)
    return note
  } catch (error) {
    if (isSignerFault(error)) throw error
    throw new Fault('SIGNER_UNAVAILABLE', `no valid signature: ${(error as Error).message}`, { cause: error })
  }
}

export class Integrator {
  readonly #rooms: IntegratorRooms
  readonly #listeners = new Set<(published: Published) => void>()
  /** The last checkpoint that is known to be one of this ledger: the next must contain it. */
  #known: Published | undefined
  /** The notes that were copied outside, and told. */
  #kept: string | undefined
  #told: string | undefined
  #running: Promise<Published> | undefined
  /** The run after the one that is going on: shared by all who ask meanwhile. */
  #next: Promise<Published> | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  /** @param known the stored checkpoint, when the ledger is not new: it was compared with the one outside */
  constructor(rooms: IntegratorRooms, known: Published | undefined) {
    this.#rooms = rooms
    this.#known = known
  }

  /**
   * A published checkpoint over everything that is committed when this is called.
   * @throws Fault SIGNER_UNAVAILABLE, STORE_UNAVAILABLE: nothing is lost, and the next run has it all; LEDGER_FORKED
   */
  run(): Promise<Published> {
    if (!this.#running) {
      this.#running = this.#once()
        .catch((error: unknown) => {
          if (error instanceof Fault && error.code === 'LEDGER_FORKED') this.#rooms.onForked(error.message)
          throw error
        })
        .finally(() => (this.#running = undefined))
      return this.#running
    }
    // The one that is going on may have begun before the caller's entries were committed.
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined
        return this.run()
      })
    return this.#next
  }

  /** After appends, here or by another replica: at most once a second; a failure is logged and tried again. */
  wake(): void {
    if (this.#timer || this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.run().catch((error: unknown) => {
        if (this.#stopped) return
        this.#rooms.log.error({ err: error }, 'the ledger could not publish a checkpoint')
        if (!(error instanceof Fault) || error.code !== 'LEDGER_FORKED') this.wake()
      })
    }, SIGN_EVERY_MS)
    this.#timer.unref()
  }

  /** The last checkpoint that is known to be one of this ledger. */
  get known(): Published | undefined {
    return this.#known
  }

  on(listener: (published: Published) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  async #once(): Promise<Published> {
    const { chain, reads } = this.#rooms
    const { keyChanged, stored, ...tree } = await this.#prepare()
    if (keyChanged) await chain.follow(reads)
    if (stored) await this.#adopt(stored)
    const known = this.#known
    try {
      if (known?.size !== tree.size) await this.#publish(tree, known)
      else if (!sameBytes(known.root, tree.root)) throw forked(`the ${tree.size} entries in the store are not those that were signed`)
    } catch (error) {
      // What others published is followed also by a replica that can't sign.
      if (isSignerFault(error) && this.#known) await this.#settle(this.#known)
      throw error
    }
    return this.#settle(this.#known as Published)
  }

  /** Copies the checkpoint outside, then tells those who follow. */
  async #settle(published: Published): Promise<Published> {
    await this.#keep(published.note)
    this.#tell(published)
    return published
  }

  async #prepare(): Promise<Prepared> {
    const argument = { nextKeyChange: keyChangeId(this.#rooms.chain.changes) }
    for (const until = Date.now() + BUSY_MS; ;) {
      const prepared = (await this.#rooms.store.call('prepare', argument)) as Prepared | { busy: true }
      if (!('busy' in prepared)) return prepared
      if (Date.now() > until) throw new Fault('STORE_UNAVAILABLE', 'another replica is integrating the ledger and does not end')
      await sleep(LOOK_EVERY_MS)
    }
  }

  async #publish(tree: { size: number; root: Uint8Array }, known: Published | undefined): Promise<void> {
    const { store, chain, reads, signers } = this.#rooms
    // Our own thread is the only one that writes the embedded store; elsewhere others had their hands in the tree.
    if (store.kind === 'postgres' && known && !(await contains(reads, tree, known)))
      throw forked(`the tree of ${tree.size} entries does not contain the ${known.size} that were signed`)
    const key = chain.at(tree.size)
    const note = await signTree(tree, key.key, await signers.for(key))
    // A new ledger is known outside before it exists: from then on a missing file always means that somebody removed it.
    if (!known) await this.#keep(note)
    const row = (await store.call('publish', { note })) as CheckpointRow
    if (row.note === note) this.#known = { ...tree, note }
    // Another replica was quicker, with more.
    else await this.#adopt(row)
  }

  /** Takes a checkpoint from the database, which any replica may have written. @throws Fault LEDGER_FORKED */
  async #adopt(row: CheckpointRow): Promise<void> {
    const known = this.#known
    if (row.note === known?.note) return
    const { chain, reads } = this.#rooms
    await chain.follow(reads)
    const stored = await chain.verify(row.note, 'the checkpoint in the store')
    if (stored.size !== row.size) throw forked('the row of the checkpoint does not fit its note')
    if (known) await requireContained(reads, stored, known)
    this.#known = { size: stored.size, root: stored.root, note: row.note }
  }

  async #keep(note: string): Promise<void> {
    if (this.#kept === note) return
    await this.#rooms.store.call('keep', { note })
    this.#kept = note
  }

  #tell(published: Published): void {
    if (this.#told === published.note) return
    this.#told = published.note
    for (const listener of this.#listeners) {
      try {
        listener(published)
      } catch (error) {
        this.#rooms.log.error({ err: error }, 'what follows a checkpoint failed')
      }
    }
  }
}

/** @throws Fault LEDGER_FORKED unless the stored checkpoint goes on from the known one. */
async function requireContained(reads: ReadStore, stored: Checkpoint, known: Published): Promise<void> {
  if (stored.size < known.size) throw forked(`the store ends at ${stored.size} entries, but ${known.size} were signed`)
  if (!(await contains(reads, stored, known))) throw forked(`the first ${known.size} entries in the store are not those that were signed`)
}
