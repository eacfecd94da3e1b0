/** Has the tree signed: prepared in the store's thread, signed here, since a signer may be far away, and published by the thread. */
import { Fault } from '@ephor/contract'
import type { Logger, Store } from '@ephor/engine/kernel'
import { formatCheckpoint, formatNote, readCheckpoint, utf8, verifyCheckpoint } from '@ephor/proof'
import type { VerifierKey } from '@ephor/proof'
import type { Prepared } from './ledger-thread.ts'
import type { Signer } from './signers/signer.ts'
import type { Published } from './types.ts'

/** A checkpoint is signed at most this often, in ms, unless somebody asks for one. */
const SIGN_EVERY_MS = 1000

type IntegratorRooms = { store: Store; log: Logger; key: VerifierKey; signer: Signer }

/** @throws Fault SIGNER_UNAVAILABLE, also when the signature is not one of the key: it must never be published. */
export async function signTree(tree: { size: number; root: Uint8Array }, key: VerifierKey, signer: Signer): Promise<string> {
  const text = formatCheckpoint({ origin: key.name, ...tree, extensions: [] })
  try {
    const signature = await signer.sign(utf8(text))
    const note = formatNote(text, [{ name: key.name, keyId: key.keyId, signature }])
    await verifyCheckpoint(note, key)
    return note
  } catch (error) {
    if (error instanceof Fault && error.code === 'SIGNER_UNAVAILABLE') throw error
    throw new Fault('SIGNER_UNAVAILABLE', `no valid signature: ${(error as Error).message}`, { cause: error })
  }
}

export class Integrator {
  readonly #rooms: IntegratorRooms
  readonly #listeners = new Set<(published: Published) => void>()
  #last: Published | undefined
  #running: Promise<Published> | undefined
  /** The run after the one that is going on: shared by all who ask meanwhile. */
  #next: Promise<Published> | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(rooms: IntegratorRooms) {
    this.#rooms = rooms
  }

  /**
   * A published checkpoint over everything that is committed when this is called.
   * @throws Fault SIGNER_UNAVAILABLE, STORE_UNAVAILABLE; nothing is lost, and the next run has it all
   */
  run(): Promise<Published> {
    if (!this.#running) {
      this.#running = this.#once().finally(() => (this.#running = undefined))
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

  /** After appends: at most once a second; a failure is logged and tried again. */
  wake(): void {
    if (this.#timer || this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.run().catch((error: unknown) => {
        if (this.#stopped) return
        this.#rooms.log.error({ err: error }, 'the ledger could not publish a checkpoint; it is tried again')
        this.wake()
      })
    }, SIGN_EVERY_MS)
    this.#timer.unref()
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
    const { store, key, signer } = this.#rooms
    const { size, root, note: signed } = (await store.call('prepare', undefined)) as Prepared
    if (signed !== undefined) return this.#tell(signed)
    const note = await signTree({ size, root }, key, signer)
    await store.call('publish', { note })
    return this.#tell(note)
  }

  #tell(note: string): Published {
    if (this.#last?.note === note) return this.#last
    const { size, root } = readCheckpoint(note)
    const published = (this.#last = { size, root, note })
    for (const listener of this.#listeners) {
      try {
        listener(published)
      } catch (error) {
        this.#rooms.log.error({ err: error }, 'what follows a checkpoint failed')
      }
    }
    return published
  }
}
