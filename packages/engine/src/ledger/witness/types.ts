/** What witnessing takes and gives. */
import type { CosignerKey } from '@ephor/proof'

export type Witness = {
  key: CosignerKey
  /** The submission prefix: `add-checkpoint` is below it. */
  url: string
}

/** One witness as people are shown it. */
export type WitnessStatus = {
  name: string
  url: string
  /** The largest size that it cosigned, and when, in seconds since 1970. */
  size: number | undefined
  at: number | undefined
  /** Why its last answer was none. */
  failure: string | undefined
}

/** Too few witnesses cosigned within the deadline. `since`: when the first such checkpoint was signed, ms since 1970. */
export type Outage = { size: number; since: number }

export interface Witnesses {
  /** How many are configured. */
  readonly configured: number
  /** Theirs. */
  readonly keys: readonly CosignerKey[]
  /** How many the ledger asks for. */
  readonly quorum: number
  /**
   * Has a checkpoint signed that covers the entry, and waits until this many witnesses cosigned one and the same.
   * @returns false when the signal fired first
   */
  cosigned(seq: number, count: number, signal: AbortSignal): Promise<boolean>
  status(): WitnessStatus[]
  outage(): Outage | undefined
  close(): void
}

/** Another history, or a part of it, that the ledger's key signed. `root` is hexadecimal, times are ms since 1970. */
export type Fork = {
  size: number
  root: string
  /** Signed checkpoints. */
  theirs: string
  ours: string
  source: string
  detail: string
  at: number
  resolvedAt: number | undefined
}

/** What a checkpoint that somebody holds says of this ledger. */
export type Comparison =
  /** Nothing: no key of this ledger signed it. */
  | { kind: 'foreign'; detail: string }
  /** This ledger begins with it. */
  | { kind: 'contained'; size: number }
  /** It contradicts this ledger; from now on nothing is permitted. */
  | { kind: 'forked'; size: number; detail: string }
  /** It contradicts this ledger, and a person has resolved that. */
  | { kind: 'resolved'; size: number }

export interface Forks {
  /** The fork that nobody has resolved: nothing is permitted while there is one. */
  current(): { detail: string } | undefined
  list(): Promise<Fork[]>
  /**
   * Holds a checkpoint against this ledger. One that contradicts it, and that the ledger's key signed, proves a fork: it is
   * recorded, and nothing is permitted from then on.
   * @param source `witness <name>`, `gossip`, `person`
   */
  compare(note: string, source: string): Promise<Comparison>
  /** Records a checkpoint that this ledger was accepted against when it was opened: another history, and resolved. */
  refuse(theirs: string, reason: string): Promise<void>
  /**
   * A person's word that this ledger's history is the one that counts.
   * @param accept a size and the hexadecimal root of this ledger at it, so that nobody resolves what they did not look at
   * @throws Fault CONFLICT when there is no fork, or this ledger does not have that history, or it ends before the fork.
   */
  resolve(by: string, accept: { size: number; root: string }, reason: string): Promise<Fork[]>
}
