/** Rotates and revokes the ledger's keys: both are entries of the ledger itself, so that whoever holds the old key can follow. */
import { Fault } from '@ephor/contract'
import type { JsonObject } from '@ephor/engine/kernel'
import { formatVerifierKey, makeVerifierKey, rotationStatement, toBase64 } from '@ephor/proof'
import type { ReadStore } from '../store.ts'
import type { Ledger } from '../types.ts'
import { keyChangeId, REVOKED, ROTATED } from './key-chain.ts'
import type { ChainKey, KeyChain } from './key-chain.ts'
import type { Signers } from './signing-keys.ts'

export type KeyRooms = {
  chain: KeyChain
  signers: Signers
  reads: ReadStore
  append: Ledger['append']
  /** Has a checkpoint over everything so far signed and published. */
  publish: () => Promise<unknown>
}

/** `size`: checkpoints of the key above it are not to be trusted. `reason`: a word such as `compromised`. */
export type Revocation = { key: string; size: number; reason: string }

export type LedgerKeys = {
  /** From the first to the current one. */
  list(): Promise<readonly ChainKey[]>
  /**
   * Makes a key and hands over to it. Killed between its steps, the ledger goes on with the old key (and a file that
   * nobody uses), or with the new one.
   * @param by the person who asks for it
   * @throws Fault SIGNER_UNAVAILABLE; CONFLICT when another rotation was quicker, or keys can't be made here
   */
  rotate(by: string): Promise<ChainKey>
  /** @throws Fault NOT_FOUND for a key that this ledger never had, CONFLICT for the current one, SIGNER_UNAVAILABLE while that one signs nothing */
  revoke(revocation: Revocation, by: string): Promise<ChainKey>
}

export function openKeys({ chain, signers, reads, append, publish }: KeyRooms): LedgerKeys {
  /** @param place of the change among all of them, as it was when the body was made: if another came meanwhile, this is a CONFLICT */
  async function record(place: number, type: string, body: JsonObject): Promise<void> {
    await append({ changes: [], entries: [{ type, id: keyChangeId(place), body }] })
    await chain.follow(reads)
  }

  return {
    async list() {
      await chain.follow(reads)
      return chain.all
    },
    async rotate(by) {
      await chain.follow(reads)
      const { current, origin, changes } = chain
      const old = await signers.for(current)
      const next = await signers.make()
      const to = formatVerifierKey(makeVerifierKey(origin, next.publicKey))
      const signature = toBase64(await old.sign(rotationStatement(origin, current.vkey, to)))
      await record(changes, ROTATED, { by, from: current.vkey, to, signature })
      return chain.current
    },
    async revoke({ key, size, reason }, by) {
      await chain.follow(reads)
      const { changes } = chain
      const found = chain.all.find(({ vkey }) => vkey === key)
      if (!found) throw new Fault('NOT_FOUND', 'this ledger never had that key', { where: 'body/key' })
      if (found === chain.current) throw new Fault('CONFLICT', 'this key signs the ledger now: rotate it first', { where: 'body/key' })
      // What the next start is held against is then by the current key: killed behind this, it would have only a revoked one's word.
      await publish()
      await record(changes, REVOKED, { by, key, size, reason })
      return found
    },
  }
}
