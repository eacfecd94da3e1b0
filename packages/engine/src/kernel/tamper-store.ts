/** For attack tests: changes a row in every single column, one at a time, as somebody who can write the database would. */
import type { SqlValue, Store } from './store.ts'

type Row = Record<string, SqlValue>

/** Another value of the same type; `values` has those that a CHECK of the table lets through. */
function otherThan(column: string, value: SqlValue, values: Readonly<Row>): SqlValue {
  if (column in values) return values[column] ?? null
  if (typeof value === 'number') return value === 1 ? 0 : value + 1
  if (value instanceof Uint8Array) return Uint8Array.from(value, (byte, i) => (i === 0 ? byte ^ 1 : byte))
  if (value === null) return column.endsWith('_at') ? 1 : 'x'
  return `${String(value)}x`
}

const write = (store: Store, sql: string, params: readonly SqlValue[]) => store.commit({ changes: [{ sql, params, rows: 1 }] })

/**
 * Writes each column in turn, runs `check`, and puts it back. Columns of the key are left alone: changing one is to delete
 * a row and insert another.
 * @param key of the row, without the tenant; empty where a tenant has one row
 */
export async function tamperColumns(
  store: Store,
  { table, key, values = {} }: { table: string; key: Readonly<Row>; values?: Readonly<Row> },
  check: (column: string) => Promise<void>,
): Promise<void> {
  const where = `WHERE ${['tenant = @tenant', ...Object.keys(key).map((name) => `${name} = ?`)].join(' AND ')}`
  const query = store.reader<Record<string, Row>>().selectFrom(table).selectAll().where('tenant', '=', store.tenant)
  const row = await Object.entries(key)
    .reduce((narrowed, [name, value]) => narrowed.where(name, '=', value), query)
    .executeTakeFirstOrThrow()
  for (const [column, value] of Object.entries(row)) {
    if (column === 'tenant' || column in key) continue
    const set = (next: SqlValue) => write(store, `UPDATE ${table} SET ${column} = ? ${where}`, [next, ...Object.values(key)])
    await set(otherThan(column, value, values))
    await check(column)
    await set(value)
  }
  const columns = Object.keys(row)
  await write(store, `DELETE FROM ${table} ${where}`, Object.values(key))
  await check('')
  const names = columns.filter((name) => name !== 'tenant')
  const insert = `INSERT INTO ${table} (tenant, ${names.join(', ')}) VALUES (@tenant, ${names.map(() => '?').join(', ')})`
  await write(
    store,
    insert,
    names.map((name) => row[name] ?? null),
  )
}
