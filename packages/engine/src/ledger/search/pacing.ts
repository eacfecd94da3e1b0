/** How long the index rests after each batch, so that the appends which it follows keep nearly all of the machine. */

/** What became of a batch: there is more, nothing more, or somebody else indexed the same. */
export type Step = 'more' | 'done' | 'overtaken'

/** It rests this many times as long as it worked: a quarter of a core at most. */
const REST = 3
/** The same while entries are being appended, which is when others need the core: an eighth. */
const BUSY_REST = 7
/** How often it looks whether there is more, in ms. */
const IDLE_MS = 250
/** After somebody else indexed the same, in ms; after failures in a row up to so many times as long. */
const YIELD_MS = 2000
const MAX_YIELDS = 30

export type Batch = {
  step: Step
  /** How long it took, in ms. */
  workedMs: number
  /** The ledger grew since the batch before. */
  isBusy: boolean
  /** In a row; 0 when this one was none. */
  failures: number
}

/** @returns ms */
export function restAfter({ step, workedMs, isBusy, failures }: Batch): number {
  if (step === 'overtaken') return Math.max(workedMs * REST, YIELD_MS * Math.min(2 ** Math.max(0, failures - 1), MAX_YIELDS))
  const share = workedMs * (isBusy ? BUSY_REST : REST)
  return step === 'more' ? share : Math.max(share, IDLE_MS)
}

/** What an indexer measures its work by, and rests on. */
export type Pacing = {
  /** Monotonic, in ms. */
  now(): number
  /** Ends early when the signal fires; never rejects. */
  rest(ms: number, signal: AbortSignal): Promise<void>
}
