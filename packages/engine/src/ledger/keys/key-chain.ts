/** The keys that a ledger was signed with, one after another: what its entries say of them, followed and checked. */
import { Fault } from '@ephor/contract'
import { formatVerifierKey, fromBase64, parseVerifierKey, readCheckpoint, rotationStatement, verifyCheckpoint } from '@ephor/proof'
import type { Checkpoint, VerifierKey } from '@ephor/proof'
import type { JsonObject } from '@ephor/engine/kernel'
import { verifyEd25519 } from '../signers/ed25519.ts'
import { forked } from '../load-tree.ts'
import type { ReadStore } from '../store.ts'
import { toEntry } from '../to-entry.ts'

export const ROTATED = 'ledger.key.rotated'
export const REVOKED = 'ledger.key.revoked'

/**
 * The id of the n-th entry that changes keys, from 0: ids are unique, so that two changes at once can't both be the next,
 * and the chain is found again from its ids alone.
 */
export const keyChangeId = (n: number): string => `ledger.key/${n}`

export type ChainKey = {
  vkey: string
  key: VerifierKey
  /** The seq of the entry that brought it in; -1 for the first. It signs what covers that entry. */
  since: number
  /** The seq of the entry that replaced it: it signs nothing that covers that one. */
  replacedAt?: number
  /** Checkpoints of it above this size are not to be trusted. */
  revokedAbove?: number
  reason?: string
}

export class KeyChain {
  readonly origin: string
  readonly #keys: [ChainKey, ...ChainKey[]]
  #changes = 0
  #following: Promise<void> = Promise.resolve()

  /** @param first what the log began with: trusted because it is in the installation's key folder */
  constructor(first: VerifierKey) {
    this.origin = first.name
    this.#keys = [{ vkey: formatVerifierKey(first), key: first, since: -1 }]
  }

  get all(): readonly ChainKey[] {
    return this.#keys
  }

  get current(): ChainKey {
    return this.#keys.at(-1) as ChainKey
  }

  /** Entries about keys that were followed so far. */
  get changes(): number {
    return this.#changes
  }

  /** The key for a checkpoint of this size. */
  at(size: number): ChainKey {
    return this.#keys.findLast(({ since }) => since < size) ?? this.#keys[0]
  }

  /**
   * Reads the entries about keys that came since. What another replica or an earlier run rotated is known from here on.
   * @throws Fault LEDGER_FORKED when an entry is not a rotation by the key before it
   */
  follow(reads: Pick<ReadStore, 'entryById'>): Promise<void> {
    // One after the other: two at once would take one entry twice.
    this.#following = this.#following.catch(() => undefined).then(() => this.#catchUp(reads))
    return this.#following
  }

  async #catchUp(reads: Pick<ReadStore, 'entryById'>): Promise<void> {
    for (;;) {
      const row = await reads.entryById(keyChangeId(this.#changes))
      if (!row) return
      this.#take(row.seq, toEntry(row).body)
      this.#changes++
    }
  }

  #take(seq: number, body: JsonObject): void {
    if (body['type'] === ROTATED) this.#rotate(seq, body)
    else if (body['type'] === REVOKED) this.#revoke(seq, body)
    else throw forked(`entry ${seq} has the id of a change of keys, but it is none`)
  }

  #rotate(seq: number, { from, to, signature }: JsonObject): void {
    const { current, origin } = this
    if (from !== current.vkey) throw forked(`entry ${seq} rotates from ${JSON.stringify(from)}, but the key was ${current.vkey}`)
    try {
      const key = parseVerifierKey(to as string)
      const statement = rotationStatement(origin, current.vkey, to as string)
      if (key.name !== origin || !verifyEd25519(current.key.publicKey, fromBase64(signature as string), statement))
        throw new Error('the key before it did not sign it')
      current.replacedAt = seq
      this.#keys.push({ vkey: to as string, key, since: seq })
    } catch (error) {
      throw forked(`entry ${seq} is no rotation of the ledger's key: ${(error as Error).message}`, error)
    }
  }

  #revoke(seq: number, { key, size, reason }: JsonObject): void {
    const found = this.#keys.find(({ vkey }) => vkey === key)
    if (!found || typeof size !== 'number' || typeof reason !== 'string') throw forked(`entry ${seq} revokes no key of this ledger`)
    // Only ever earlier: a later revocation can't give back what one took.
    if ((found.revokedAbove ?? Infinity) <= size) return
    found.revokedAbove = size
    found.reason = reason
  }

  /**
   * A checkpoint that the key of its time signed.
   * @param what names it in the fault
   * @throws Fault LEDGER_FORKED
   */
  async verify(note: string, what: string): Promise<Checkpoint> {
    try {
      const { key, vkey, revokedAbove, reason } = this.at(readCheckpoint(note).size)
      const checkpoint = await verifyCheckpoint(note, key)
      if (checkpoint.size > (revokedAbove ?? Infinity))
        throw new Error(`its key ${vkey} was revoked above ${String(revokedAbove)} entries: ${reason ?? ''}`)
      return checkpoint
    } catch (error) {
      if (error instanceof Fault) throw error
      throw forked(`${what} is not one of this ledger and key: ${(error as Error).message}`, error)
    }
  }
}
