/** Whether rows are what their last ledger entries say: one look-up a row, so that a start needs no pass over the ledger. */
import { canonicalize } from '@ephor/proof'
import type { ProjectedRow } from './projection-check.ts'
import type { Ledger } from './types.ts'

export type RowClaim = {
  /** Of the entry that wrote the row as it is: its body has it as `row`. */
  entry: string
  /** Of the entry that will write it next: while there is one, the row was put back. */
  next: string
  row: ProjectedRow
}

/** Few enough parameters for either database. */
const AT_ONCE = 400

/** @returns those that the ledger does not confirm, in their order; an entry that was changed confirms nothing. */
export async function unconfirmedRows<T extends RowClaim>(ledger: Pick<Ledger, 'findAll'>, claims: readonly T[]): Promise<T[]> {
  const refused: T[] = []
  for (let from = 0; from < claims.length; from += AT_ONCE) {
    const some = claims.slice(from, from + AT_ONCE)
    const entries = await ledger.findAll(some.flatMap(({ entry, next }) => [entry, next]))
    for (const claim of some) {
      const said = entries.get(claim.entry)?.body['row']
      if (said === undefined || entries.has(claim.next) || canonicalize(said) !== canonicalize(claim.row)) refused.push(claim)
    }
  }
  return refused
}
