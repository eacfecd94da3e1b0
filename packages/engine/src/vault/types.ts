/** The vault's words: what is known of a secret without opening it, and what the vault does. */
import type { Entry, Projector } from '@ephor/engine/ledger'

export type Secret = {
  name: string
  /** Counts up each time it is stored anew, also across a removal. */
  version: number
  /** Milliseconds since 1970. */
  storedAt: number
}

/** Writes resolve once they are durable with their ledger entries, which name the secret and never hold its value. */
export interface Vault {
  /** Stores it, over an older version when there is one. @throws Fault REQUEST_INVALID for a name that can't be referred to. */
  put(name: string, value: string, by: string): Promise<Secret>
  list(): Secret[]
  /** @throws Fault SECRET_UNKNOWN */
  remove(name: string, by: string): Promise<Secret>
  /**
   * The value of a `secret:NAME` reference; any other text is itself.
   * @throws Fault SECRET_UNKNOWN, or STORE_CORRUPT when the sealed value was changed or moved.
   */
  resolve(text: string): string
  /** Says what the vault's rows should be. */
  projector(): Projector
  /** Takes over what another replica wrote, of which this is the entry. */
  follow(entry: Entry): Promise<void>
}
