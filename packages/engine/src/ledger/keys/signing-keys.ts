/** Finds the signer for each key of the chain: the one that the ledger began with, or one that rotations brought in. */
import { Fault } from '@ephor/contract'
import { toHex } from '@ephor/proof'
import type { Signer } from '../signers/signer.ts'
import type { ChainKey } from './key-chain.ts'

/** Where a ledger's keys are kept, so that they can be rotated. */
export type SigningKeys = {
  /** Undefined when that key is not here. @throws Fault SIGNER_UNAVAILABLE */
  readonly find: (publicKey: Uint8Array) => Promise<Signer | undefined>
  /** Makes one more; it is durable when this resolves, and signs nothing until an entry of the ledger names it. */
  readonly make: () => Promise<Signer>
}

export class Signers {
  readonly #known = new Map<string, Signer>()
  readonly #keys: SigningKeys | undefined

  constructor(first: Signer, keys: SigningKeys | undefined) {
    this.#keys = keys
    this.add(first)
  }

  add(signer: Signer): void {
    this.#known.set(toHex(signer.publicKey), signer)
  }

  /** @throws Fault SIGNER_UNAVAILABLE when this installation does not have the key */
  async for({ key, vkey }: ChainKey): Promise<Signer> {
    const name = toHex(key.publicKey)
    const signer = this.#known.get(name) ?? (await this.#keys?.find(key.publicKey))
    if (!signer) throw new Fault('SIGNER_UNAVAILABLE', `the ledger's key is ${vkey}, and it is not where this server looks for keys`)
    this.#known.set(name, signer)
    return signer
  }

  /** @throws Fault CONFLICT where keys can't be made, SIGNER_UNAVAILABLE */
  async make(): Promise<Signer> {
    if (!this.#keys) throw new Fault('CONFLICT', 'this ledger was opened with one key: it can’t be rotated')
    const signer = await this.#keys.make()
    this.add(signer)
    return signer
  }
}
