/** What the halves of the room share: its surroundings, and what it knows in memory. */
import { Fault } from '@ephor/contract'
import type { Clock, Store } from '@ephor/engine/kernel'
import type { Ledger } from '@ephor/engine/ledger'
import type { Known } from './known.ts'
import type { KnownCredential, KnownPerson, KnownSession } from './store.ts'
import type { Tokens } from './tokens.ts'

/** What stands where a name was. Nobody gets it as a name. */
export const ERASED = 'erased'

/** What the room does by itself, such as adding the first person. */
export const SYSTEM = 'system'

export type Context = {
  store: Store
  ledger: Ledger
  clock: Clock
  tokens: Tokens
  /** Where Ephor is reached, as agents and browsers name it: `http://127.0.0.1:7373`. */
  origin: string
  isAgent: (id: string) => boolean
  /** By id. Changed only after the unit that changes the row is durable. */
  people: Known<KnownPerson>
  credentials: Known<KnownCredential>
  /** Hash of a secret to the id of its credential, revoked ones too. */
  credentialIds: Known<string>
  /** Open sessions by the hash of their secret. */
  sessions: Known<KnownSession>
  /** Rows that the ledger confirmed, canonical, by table and id. A write of ours takes the row out. */
  confirmed: Map<string, string>
  /** These rows of a table are not what the ledger says, all others are: logged, and shown until they are right. */
  refuse(table: string, keys: readonly string[]): void
  /** Told after people or their groups have changed. */
  listeners: Set<() => void>
}

/** @throws Fault FORBIDDEN unless the operator (or Ephor itself) does it. */
export function requireOperator({ people }: Context, by: string): void {
  if (by !== SYSTEM && !people.get(by)?.operator) throw new Fault('FORBIDDEN', 'only the operator does this')
}

/** @throws Fault NOT_FOUND, also for somebody who was erased: nobody signs in as them again. */
export function requireSomebody(context: Context, id: string): KnownPerson {
  const person = requirePerson(context, id)
  if (person.name === ERASED) throw new Fault('NOT_FOUND', `${id} was erased`)
  return person
}

/** @throws Fault NOT_FOUND. */
export function requirePerson({ people }: Context, id: string): KnownPerson {
  const person = people.get(id)
  if (!person) throw new Fault('NOT_FOUND', `no person ${id.slice(0, 40)}`)
  return person
}
