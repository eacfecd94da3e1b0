/** The key of each subject: made on first use, wrapped by the installation's key, destroyed to erase what it sealed. */
import { createSecretKey, randomBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { openEnvelope, sealEnvelope } from '@ephor/engine/kernel'
import type { ReadStore } from './store.ts'

/** `unsaved`: the wrapped key, to be written by every unit that uses it until one of them is durable. */
export type DataKey = { key: KeyObject; unsaved?: Uint8Array }

export class DataKeys {
  readonly #reads: ReadStore
  readonly #kek: Uint8Array
  readonly #tenant: string
  readonly #known = new Map<string, DataKey>()
  /** Two first uses at once must not make two keys. */
  readonly #loading = new Map<string, Promise<DataKey>>()

  constructor(reads: ReadStore, kek: Uint8Array, tenant: string) {
    this.#reads = reads
    this.#kek = kek
    this.#tenant = tenant
  }

  #about(subject: string): string {
    return `ledger/${this.#tenant}/key/${subject}`
  }

  known(subject: string): DataKey | undefined {
    return this.#known.get(subject)
  }

  /** The subject's key; undefined when it has none (never had, or destroyed). @throws Fault STORE_CORRUPT */
  async find(subject: string): Promise<KeyObject | undefined> {
    const known = this.#known.get(subject)
    if (known) return known.key
    const sealed = await this.#reads.key(subject)
    return sealed && createSecretKey(openEnvelope(this.#kek, this.#about(subject), sealed))
  }

  /** The subject's key, made if need be. @throws Fault STORE_CORRUPT when the stored one does not open. */
  get(subject: string): Promise<DataKey> {
    let loading = this.#loading.get(subject)
    if (!loading) {
      loading = this.#load(subject).finally(() => this.#loading.delete(subject))
      this.#loading.set(subject, loading)
    }
    return loading
  }

  async #load(subject: string): Promise<DataKey> {
    let found = this.#known.get(subject)
    if (!found) {
      const key = await this.find(subject)
      const fresh = randomBytes(32)
      found = key ? { key } : { key: createSecretKey(fresh), unsaved: sealEnvelope(this.#kek, this.#about(subject), fresh) }
      this.#known.set(subject, found)
    }
    return found
  }

  /** The unit that carried the key is durable. */
  saved(subject: string): void {
    delete this.#known.get(subject)?.unsaved
  }
}
