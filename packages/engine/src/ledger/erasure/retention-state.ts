/** The rules and holds in force, as the last entry about them says: rows that differ from it are not believed. */
import { createHash } from 'node:crypto'
import { Fault, RetentionRules } from '@ephor/contract'
import type { Change, JsonObject } from '@ephor/engine/kernel'
import { canonicalize } from '@ephor/proof'
import type { EntryDraft, Ledger, Part } from '../types.ts'
import { putRetention } from './erasure-store.ts'
import type { ErasureStore, HoldRow } from './erasure-store.ts'
import { KEEP_ALL } from './retention-rules.ts'
import type { Hold } from './retention-rules.ts'

export type RetentionState = { version: number; rules: RetentionRules; holds: HoldRow[]; swept: string | null }

/** What a change writes, beside the state itself. `after`: what is different once it is written. */
export type StateChange = {
  after?: Partial<Pick<RetentionState, 'rules' | 'holds' | 'swept'>>
  changes: Change[]
  entries: EntryDraft[]
  /** What other rooms write with it, under ids of their own. */ also?: Part
}

/** Attempts when others change the state at the same time. */
const ATTEMPTS = 8

/** The id of the entries of a change: only one can have it, so two changes at once can't both be the next. */
export function entryId(version: number, part = 0): string {
  return part === 0 ? `retention/${version}` : `retention/${version}/${part}`
}

/** What the entries say of the state: a row of a hold that somebody removed does not fit it. */
function digestOf({ rules, holds }: Pick<RetentionState, 'rules' | 'holds'>): string {
  const text = canonicalize({ rules, holds: holds.toSorted((a, b) => (a.id < b.id ? -1 : 1)).map((hold) => ({ ...hold })) })
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}

export function toHold({ id, subject, since, until }: HoldRow): Hold {
  return {
    id,
    ...(subject === null ? {} : { subject }),
    ...(since === null ? {} : { since }),
    ...(until === null ? {} : { until }),
  }
}

/** Undefined when what the rows say is not what the last entry about them says. */
async function readState(reads: ErasureStore, ledger: Pick<Ledger, 'find'>): Promise<{ version: number; state?: RetentionState }> {
  const [row, holds] = [await reads.retention(), await reads.holds()]
  const version = row?.version ?? 0
  const rules = row ? RetentionRules.safeParse(JSON.parse(row.rules)).data : KEEP_ALL
  if (!rules || (await ledger.find(entryId(version + 1)))) return { version }
  const state = { version, rules, holds, swept: row?.swept ?? null }
  const said = version === 0 ? digestOf({ rules: KEEP_ALL, holds: [] }) : (await ledger.find(entryId(version)))?.body['state']
  return said === digestOf(state) ? { version, state } : { version }
}

/** @throws Fault STORE_CORRUPT when rows were changed, removed or put back to an earlier state */
export async function loadState(reads: ErasureStore, ledger: Pick<Ledger, 'find'>): Promise<RetentionState> {
  for (let before = -1; ;) {
    const { version, state } = await readState(reads, ledger)
    if (state) return state
    // Another replica may have changed it between two of the queries; the same answer twice is no such coincidence.
    if (version === before) throw new Fault('STORE_CORRUPT', 'the legal holds or the rules of retention are not those that the ledger says')
    before = version
  }
}

/**
 * Changes the state by what `work` makes of it: one entry at least, the first of which says what the state is afterwards.
 * When somebody else was faster, `work` is asked again about the state as it is then.
 * @returns the ids of the entries; undefined when `work` had nothing to change
 */
export async function changeState(
  reads: ErasureStore,
  ledger: Pick<Ledger, 'find' | 'append'>,
  work: (state: RetentionState, version: number) => Promise<StateChange | undefined>,
): Promise<string[] | undefined> {
  for (let attempt = 1; ; attempt++) {
    const state = await loadState(reads, ledger)
    const version = state.version + 1
    const change = await work(state, version)
    if (!change) return undefined
    const after = { ...state, ...change.after }
    const entries = change.entries.map((draft, part): EntryDraft => {
      const body: JsonObject = part === 0 ? { ...draft.body, state: digestOf(after) } : draft.body
      return { ...draft, id: entryId(version, part), body }
    })
    const row = putRetention({ version, rules: canonicalize(after.rules), swept: after.swept })
    try {
      const { also = { changes: [], entries: [] } } = change
      await ledger.append({ changes: [...change.changes, row, ...also.changes], entries: [...entries, ...also.entries] })
      return entries.map(({ id = '' }) => id)
    } catch (error) {
      if (!(error instanceof Fault && error.code === 'CONFLICT') || attempt >= ATTEMPTS) throw error
    }
  }
}
