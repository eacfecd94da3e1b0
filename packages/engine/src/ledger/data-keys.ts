/** The data keys: one a subject, class of retention and day, wrapped by the installation's key, destroyed to erase what it sealed. */
import { createHash, createSecretKey, randomBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { Fault } from '@ephor/contract'
import { freshBytes, openEnvelope, sealEnvelope } from '@ephor/engine/kernel'
import { dayOf, endOfDay, formatKeyName, OTHER, startOfDay } from './erasure/key-name.ts'
import { wasDestroyed } from './erasure/was-destroyed.ts'
import type { ReadStore } from './store.ts'

/** `sealed`: the wrapped key, written by every unit that uses it until one of them is durable (`saved`). */
export type DataKey = { name: string; subject: string; key: KeyObject; sealed: Uint8Array; saved: boolean }

/** What tells one wrapped key from another, and says nothing about it. */
export function digestOfKey(sealed: Uint8Array): string {
  return `sha256:${createHash('sha256').update(sealed).digest('hex')}`
}

export class DataKeys {
  readonly #reads: ReadStore
  readonly #kek: Uint8Array
  readonly #tenant: string
  #classes: ReadonlyMap<string, string> = new Map()
  /** Of `#today`, by subject and class: what payloads are sealed under now. */
  readonly #current = new Map<string, DataKey>()
  readonly #byName = new Map<string, DataKey>()
  #today = { day: '', start: 0, end: 0 }

  constructor(reads: ReadStore, kek: Uint8Array, tenant: string) {
    this.#reads = reads
    this.#kek = kek
    this.#tenant = tenant
  }

  /** @param classes of retention, by kind of payload: for what is sealed from now on */
  classify(classes: ReadonlyMap<string, string>): void {
    this.#classes = classes
  }

  /**
   * The key to seal a payload under; a new one for the first of its subject, class and day in this process. Nothing is
   * awaited between this and the store's queue: an erasure that comes later stands behind all that was sealed before it.
   * @param at ms since 1970
   */
  sealing(subject: string, payload: string, at: number): DataKey {
    if (at >= this.#today.end || at < this.#today.start) this.#turn(at)
    const retentionClass = this.#classes.get(payload) ?? OTHER
    const place = `${subject}/${retentionClass}`
    return this.#current.get(place) ?? this.#make(subject, retentionClass, place)
  }

  #turn(at: number): void {
    const day = dayOf(at)
    this.#today = { day, start: startOfDay(day), end: endOfDay(day) }
    this.#current.clear()
    this.#byName.clear()
  }

  #make(subject: string, retentionClass: string, place: string): DataKey {
    const name = formatKeyName(subject, retentionClass, this.#today.day, freshBytes(6).toString('base64url'))
    const fresh = randomBytes(32)
    const key: DataKey = {
      name,
      subject,
      key: createSecretKey(fresh),
      sealed: sealEnvelope(this.#kek, this.#about(name), fresh),
      saved: false,
    }
    this.#current.set(place, key)
    this.#byName.set(name, key)
    return key
  }

  #about(name: string): string {
    return `ledger/${this.#tenant}/key/${name}`
  }

  /**
   * Undefined when an entry of the ledger says that it was destroyed.
   * @throws Fault STORE_CORRUPT when it does not open, or is missing though nothing says so
   */
  async find(name: string): Promise<KeyObject | undefined> {
    const known = this.#byName.get(name)
    if (known) return known.key
    const sealed = await this.#reads.key(name)
    if (sealed) return createSecretKey(openEnvelope(this.#kek, this.#about(name), sealed))
    if (await wasDestroyed(this.#reads, name)) return undefined
    throw new Fault('STORE_CORRUPT', `the key ${name} of payloads is missing, and no entry says that it was destroyed`)
  }

  /** Forgets keys of a subject, or those with these names. @returns those it had: some may not be stored yet */
  forget(what: { subject: string } | { names: ReadonlySet<string> }): DataKey[] {
    const found = [...this.#byName.values()].filter((key) => ('subject' in what ? key.subject === what.subject : what.names.has(key.name)))
    for (const { name } of found) this.#byName.delete(name)
    for (const [place, key] of this.#current) if (found.includes(key)) this.#current.delete(place)
    return found
  }
}
