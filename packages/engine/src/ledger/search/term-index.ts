/** What an index of terms does, wherever it is kept. It only says where to look: what is found is read from the ledger and checked. */

/** `at`: ms since 1970; `terms`: hashed. */
export type Indexed = { seq: number; at: number; terms: string[] }

/** All entries before `next` are in it; `last` is the leaf hash of the one before, hexadecimal. */
export type Position = { next: number; last: string }

/** Nothing is indexed. */
export const START: Position = { next: 0, last: '' }

/** `groups`: hashed terms, one of each group; at least one group. Both ends are included. */
export type Wanted = { groups: string[][]; low: number; high: number; newest: boolean; limit: number }

export interface TermIndex {
  position(): Promise<Position>
  /** Adds what comes right behind `from`, all or nothing. @returns false when the index is not at `from` any more */
  add(batch: readonly Indexed[], from: Position, to: Position): Promise<boolean>
  /** In the order of the ledger or against it. */
  find(wanted: Wanted): Promise<number[]>
  /** The first and the last indexed entry between which all of that time are; undefined when there is none. `until` excluded. */
  within(since: number, until: number): Promise<[low: number, high: number] | undefined>
  /** How many entries it holds. */
  count(): Promise<number>
  clear(): Promise<void>
}
