/** Whether the rooms' tables are what the ledger's entries say: one pass over the ledger serves all of them. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Json } from '@ephor/engine/kernel'
import { canonicalize } from '@ephor/proof'
import type { Entry, Ledger } from './types.ts'

/** One thing in a table that is not what the ledger says. `key`: of the row, its parts joined by `/`, without the tenant. */
export type ProjectionDifference = {
  table: string
  key: string
  /** The column; unset when the whole row is missing or should not be there. */
  field?: string
  /** What is wrong, as a sentence without a capital: it holds nothing personal and no secret. */
  detail: string
}

export type ProjectionCheck = {
  /** How many rows were compared. */
  rows: number
  differences: ProjectionDifference[]
  /** What no entry commits to, since it is older than the entries that do: nobody can say whether it was changed. */
  uncovered: ProjectionDifference[]
}

/** Folds the entries into the rows that one room should have. */
export interface Projector {
  /** Every entry of the ledger once, in order. Keeps what rows need, never the entries themselves. */
  take(entry: Entry): void
  /**
   * Compares what was taken so far with the tables. Called again, after more entries, when the ledger grew meanwhile:
   * it must not use up what it knows.
   */
  finish(): Promise<ProjectionCheck>
}

/** Columns by their names, as the database has them; of what is large or personal, a digest. */
export type ProjectedRow = Readonly<Record<string, Json>>

/** Compares row by row and field by field. Fields that the expected row lacks are not compared. */
export function compareRows(
  table: string,
  expected: ReadonlyMap<string, ProjectedRow>,
  actual: ReadonlyMap<string, ProjectedRow>,
): ProjectionDifference[] {
  const differences: ProjectionDifference[] = []
  for (const [key, should] of expected) {
    const is = actual.get(key)
    if (!is) differences.push({ table, key, detail: 'the ledger has it and the row is missing' })
    else
      for (const [field, value] of Object.entries(should))
        if (canonicalize(value) !== canonicalize(is[field] ?? null))
          differences.push({ table, key, field, detail: `its ${field} is not what the ledger says` })
  }
  for (const key of actual.keys())
    if (!expected.has(key)) differences.push({ table, key, detail: 'the row is there and the ledger has no entry for it' })
  return differences
}

/** Few enough that other requests get their turn within milliseconds. */
const PAGE = 200
/** A row that is being written while it is read looks wrong once; one that was changed looks wrong each time. */
const ROUNDS = 5

const nameOf = ({ table, key, field = '' }: ProjectionDifference) => JSON.stringify([table, key, field])

/** @returns the place of the last entry taken */
async function takeFrom(ledger: Pick<Ledger, 'list'>, projectors: readonly Projector[], last: number): Promise<number> {
  for (;;) {
    const entries = await ledger.list({ after: last, limit: PAGE })
    for (const entry of entries) for (const projector of projectors) projector.take(entry)
    last = entries.at(-1)?.seq ?? last
    if (entries.length < PAGE) return last
    await nextTurn()
  }
}

/**
 * Takes the whole ledger a page at a time; other work goes on between pages. Memory grows with the rows, not with the entries.
 * @param projectors fresh ones
 * @returns also how many entries were read
 * @throws Fault STORE_CORRUPT when an entry was changed
 */
export async function checkProjections(
  ledger: Pick<Ledger, 'list'>,
  projectors: readonly Projector[],
): Promise<ProjectionCheck & { entries: number }> {
  let last = -1
  let standing: Set<string> | undefined
  for (let round = 1; ; round++) {
    const before = last
    last = await takeFrom(ledger, projectors, last)
    const checks: ProjectionCheck[] = []
    for (const projector of projectors) {
      checks.push(await projector.finish())
      await nextTurn()
    }
    const found = checks.flatMap(({ differences }) => differences)
    const seen = standing
    const differences: ProjectionDifference[] = seen ? found.filter((one) => seen.has(nameOf(one))) : found
    const isSettled = round > 1 && last === before
    if (differences.length === 0 || isSettled || round === ROUNDS) {
      const rows = checks.reduce((sum, check) => sum + check.rows, 0)
      return { entries: last + 1, rows, differences, uncovered: checks.flatMap(({ uncovered }) => uncovered) }
    }
    standing = new Set(differences.map(nameOf))
  }
}
