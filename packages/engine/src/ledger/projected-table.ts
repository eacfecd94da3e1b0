/** One table held against the ledger a page at a time: what rows should be is compared and forgotten, so that memory stays flat. */
import type { Json, Store } from '@ephor/engine/kernel'
import { compareRows } from './projection-check.ts'
import type { ProjectedRow, ProjectionCheck, ProjectionDifference } from './projection-check.ts'
import { projectedRows } from './projected-rows-store.ts'
import type { StoredRow } from './projected-rows-store.ts'

/** Rows compared at once. */
const BATCH = 200
/** Differences that are looked at again, at most; a table that somebody replaced has enough of them. */
const MOST_SUSPECTS = 2000

/** Whether the ledger has an entry for a row. `later`: one that was not taken yet, so that the row is not counted. */
export type Place = 'taken' | 'later' | 'none'

export type ProjectedTableOptions = {
  store: Store
  table: string
  /** The columns of its key, without the tenant; none where a tenant has one row. */
  key: readonly string[]
  /** The row as it is compared; as it is stored unless given. Names that are no columns name the columns that they are made of. */
  shape?: (row: StoredRow) => ProjectedRow
}

/** What somebody else wrote there may be no JSON: then it equals nothing that the ledger says. */
export function readJson(value: unknown): Json {
  if (value === null || value === undefined) return null
  try {
    return JSON.parse(asText(value)) as Json
  } catch {
    return { unreadable: true }
  }
}

/** A word or a number of a body or a row as text; anything else is none. */
export function asText(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? `${value}` : ''
}

/** Counts what older entries do not commit to: a line for each column, with the first row of which it is true. */
export class Uncovered {
  readonly #found = new Map<string, { table: string; key: string; field: string; rows: number }>()

  add(table: string, key: string, field: string): void {
    const known = this.#found.get(`${table}.${field}`)
    if (known) known.rows++
    else this.#found.set(`${table}.${field}`, { table, key, field, rows: 1 })
  }

  list(): ProjectionDifference[] {
    return [...this.#found.values()].map(({ table, key, field, rows }) => ({
      table,
      key,
      field,
      detail: `the entries of ${rows === 1 ? 'this row' : `${rows} rows, this one first,`} are older than those that commit to it`,
    }))
  }
}

export class ProjectedTable {
  readonly #options: ProjectedTableOptions
  readonly #rows: ReturnType<typeof projectedRows>
  #pending: ProjectedRow[] = []
  #tail: Promise<void> = Promise.resolve()
  /** What differed when it was compared, which may have been too early. */
  readonly #suspects = new Map<string, ProjectedRow>()
  #expected = 0

  constructor(options: ProjectedTableOptions) {
    this.#options = options
    this.#rows = projectedRows(options.store, options.table, options.key)
  }

  keyOf(row: StoredRow | ProjectedRow): string {
    const { key } = this.#options
    return key.length === 0 ? 'the only row' : key.map((name) => asText(row[name])).join('/')
  }

  /** A row as it is and stays, with the columns of its key; fields that it lacks are not compared. */
  expect(row: ProjectedRow): void {
    this.#expected++
    this.amend(row)
  }

  /** More of a row that is expected. */
  amend(row: ProjectedRow): void {
    this.#pending.push(row)
    if (this.#pending.length >= BATCH) this.#flush()
  }

  #flush(): void {
    const batch = this.#pending
    this.#pending = []
    this.#tail = this.#suspect(batch, this.#tail)
    // Whoever asks for the result hears of it.
    this.#tail.catch(() => undefined)
  }

  async #suspect(batch: readonly ProjectedRow[], before: Promise<void>): Promise<void> {
    await before
    const differing = new Set((await this.#compare(batch)).map(({ key }) => key))
    for (const row of batch) {
      const key = this.keyOf(row)
      if (differing.has(key) && this.#suspects.size < MOST_SUSPECTS) this.#suspects.set(key, { ...this.#suspects.get(key), ...row })
    }
  }

  async #compare(expected: readonly ProjectedRow[]): Promise<ProjectionDifference[]> {
    const { table, key, shape = (row: StoredRow) => row as ProjectedRow } = this.#options
    const found = await this.#rows.find(expected.map((row) => key.map((name) => row[name] as string | number)))
    const actual = new Map(found.map((row) => [this.keyOf(row), shape(row)]))
    const merged = new Map<string, ProjectedRow>()
    for (const row of expected) merged.set(this.keyOf(row), { ...merged.get(this.keyOf(row)), ...row })
    return compareRows(table, merged, actual)
  }

  /**
   * @param held rows that may still change, beside those that were expected before
   * @param placeOf asked of rows that are too many
   */
  async check(
    held: Iterable<ProjectedRow>,
    placeOf: (row: StoredRow) => Place | Promise<Place>,
  ): Promise<Pick<ProjectionCheck, 'rows' | 'differences'>> {
    if (this.#pending.length > 0) this.#flush()
    await this.#tail
    const again = [...this.#suspects.values(), ...held]
    const differences: ProjectionDifference[] = []
    for (let at = 0; at < again.length; at += BATCH) differences.push(...(await this.#compare(again.slice(at, at + BATCH))))
    const missing = differences.filter(({ field }) => field === undefined).length
    const expected = this.#expected + again.length - this.#suspects.size
    const rows = await this.#rows.count()
    const extra = await this.unexplained(rows - (expected - missing), placeOf)
    const detail = 'the row is there and the ledger has no entry for it'
    return { rows, differences: [...differences, ...extra.map((row) => ({ table: this.#options.table, key: this.keyOf(row), detail }))] }
  }

  /** Looks for so many rows that the ledger does not explain, the newest first. @param having only rows where this column has a value */
  async unexplained(count: number, placeOf: (row: StoredRow) => Place | Promise<Place>, having?: string): Promise<StoredRow[]> {
    const found: StoredRow[] = []
    for (let offset = 0; count > 0; offset += BATCH) {
      const page = await this.#rows.page(offset, BATCH, having)
      for (const row of page) {
        const place = await placeOf(row)
        if (place !== 'taken') count--
        if (place === 'none') found.push(row)
      }
      if (page.length < BATCH) break
    }
    return found
  }

  /** How many rows have a value in this column. */
  having(column: string): Promise<number> {
    return this.#rows.count(column)
  }
}

/** Of a table whose rows are all held in memory: what is not among them has no entry. */
export function checkHeld(
  options: ProjectedTableOptions,
  expected: readonly ProjectedRow[],
): Promise<Pick<ProjectionCheck, 'rows' | 'differences'>> {
  const table = new ProjectedTable(options)
  const known = new Set(expected.map((row) => table.keyOf(row)))
  return table.check(expected, (row) => (known.has(table.keyOf(row)) ? 'taken' : 'none'))
}

/** The checks of several tables as one. */
export function joinChecks(checks: readonly Pick<ProjectionCheck, 'rows' | 'differences'>[], uncovered: Uncovered): ProjectionCheck {
  return {
    rows: checks.reduce((sum, { rows }) => sum + rows, 0),
    differences: checks.flatMap(({ differences }) => differences),
    uncovered: uncovered.list(),
  }
}
