/** The rows of any projected table as the database has them: by their keys, a page at a time from the last one, and how many. */
import type { Store } from '@ephor/engine/kernel'
import type { Selectable } from 'kysely'

export type Cell = string | number | null | Uint8Array
export type StoredRow = Readonly<Record<string, Cell>>
type Tables = Record<string, Record<string, Cell>>

export function projectedRows(store: Store, table: string, key: readonly string[]) {
  const rows = () => store.reader<Tables>().selectFrom(table).where('tenant', '=', store.tenant)
  const plain = (found: readonly Selectable<Record<string, Cell>>[]) => found as StoredRow[]
  return {
    /** @param keys the values of the key's columns, some hundred at most */
    async find(keys: readonly (readonly Cell[])[]): Promise<StoredRow[]> {
      if (keys.length === 0) return []
      const query = rows().selectAll()
      const [column] = key
      if (column === undefined) return plain(await rows().selectAll().execute())
      if (key.length === 1)
        return plain(
          await query
            .where(
              column,
              'in',
              keys.map(([value]) => value ?? null),
            )
            .execute(),
        )
      const same = query.where((where) =>
        where.or(keys.map((values) => where.and(key.map((name, i) => where(name, '=', values[i] ?? null))))),
      )
      return plain(await same.execute())
    },
    /** From the last key to the first. @param having only rows where this column has a value */
    async page(offset: number, limit: number, having?: string): Promise<StoredRow[]> {
      let query = rows().selectAll()
      if (having !== undefined) query = query.where(having, 'is not', null)
      for (const name of key) query = query.orderBy(name, 'desc')
      return plain(await query.limit(limit).offset(offset).execute())
    },
    async count(having?: string): Promise<number> {
      let query = rows().select(({ fn }) => fn.countAll<number>().as('count'))
      if (having !== undefined) query = query.where(having, 'is not', null)
      return (await query.executeTakeFirstOrThrow()).count
    },
  }
}
