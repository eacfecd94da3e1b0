/** What only the embedded store promises: one owner, and a file that is what it says. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openSqlite } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'ephor-sqlite-'))

function withCode(code: string): Error {
  return expect.objectContaining({ code }) as Error
}

test('a second owner of the same file is refused, and admitted once the first is gone', async () => {
  const file = join(folder, 'store.db')
  const store = await openSqlite({ file, migrations: [] })
  await expect(openSqlite({ file, migrations: [] })).rejects.toThrow(withCode('STORE_LOCKED'))
  await store.close()
  await (await openSqlite({ file, migrations: [] })).close()
})

test('a file that is no database is called damaged, a folder that is not there can’t be written', async () => {
  writeFileSync(join(folder, 'noise.db'), 'this is not a database, and long enough to be looked at as one'.repeat(20))
  await expect(openSqlite({ file: join(folder, 'noise.db'), migrations: [] })).rejects.toThrow(withCode('STORE_CORRUPT'))
  await expect(openSqlite({ file: join(folder, 'nowhere', 'x.db'), migrations: [] })).rejects.toThrow(withCode('STORE_UNAVAILABLE'))
})
