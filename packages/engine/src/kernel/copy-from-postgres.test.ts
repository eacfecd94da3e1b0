/** Rows copied out of PostgreSQL are those of one tenant at one moment, value for value. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { copyFromPostgres } from './copy-from-postgres.ts'
import { copyStore } from './copy-store.ts'
import { openPostgres } from './open-postgres.ts'
import { makeRoom } from './postgres.fixture.ts'
import type { Change, Store } from './store.ts'
import { freshDatabase, postgresAnswers } from './test-store.ts'

const answers = await postgresAnswers()
if (!answers) console.warn('No PostgreSQL answers: copying out of it is not tested.')

const ROOM = {
  '0001-thing.sql': `
CREATE TABLE thing_row (tenant TEXT NOT NULL, id TEXT NOT NULL, n INTEGER, bytes BLOB, PRIMARY KEY (tenant, id)) STRICT;
CREATE TABLE thing_twin (tenant TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (tenant, id)) STRICT;`,
}

function twins(id: string, n: number | null, bytes: Uint8Array | null): Change[] {
  return [
    { sql: 'INSERT INTO thing_row (tenant, id, n, bytes) VALUES (@tenant, ?, ?, ?)', params: [id, n, bytes] },
    { sql: 'INSERT INTO thing_twin (tenant, id) VALUES (@tenant, ?)', params: [id] },
  ]
}

const scratch = () => join(mkdtempSync(join(tmpdir(), 'ephor-copy-')), 'store.db')

async function within(work: (room: ReturnType<typeof makeRoom>, url: string, ours: Store, theirs: Store) => Promise<void>): Promise<void> {
  const room = makeRoom(ROOM)
  const made = await freshDatabase()
  const { url } = made
  const ours = await openPostgres({ url, tenant: 'ours', migrations: [room] })
  const theirs = await openPostgres({ url, tenant: 'theirs', migrations: [room] })
  try {
    await work(room, url, ours, theirs)
  } finally {
    await ours.close()
    await theirs.close()
    await made.drop()
  }
}

function rowsOf(file: string, table: string): unknown[] {
  const db = new Database(file, { readonly: true })
  try {
    return db.prepare(`SELECT * FROM ${table} ORDER BY id`).raw().all()
  } finally {
    db.close()
  }
}

test.skipIf(!answers)('what is written while the copy is made is in none of its tables, and nothing of other tenants is', async () => {
  await within(async (room, url, ours, theirs) => {
    await ours.commit({ changes: twins('before', Number.MAX_SAFE_INTEGER, new Uint8Array([0, 255, 92])) })
    await ours.commit({ changes: twins('größer "\\', null, new Uint8Array()) })
    await theirs.commit({ changes: twins('secret', 1, null) })
    const file = scratch()
    let written = 0
    const copied = await copyFromPostgres({
      file,
      url,
      tenant: 'ours',
      migrations: [room],
      onTable: async () => void (await ours.commit({ changes: twins(`during ${written++}`, 1, null) })),
    })
    expect(written).toBe(2)
    expect(copied.map(({ table, rows }) => [table, rows])).toEqual([
      ['thing_row', 2],
      ['thing_twin', 2],
    ])
    expect(rowsOf(file, 'thing_row')).toEqual([
      ['ours', 'before', Number.MAX_SAFE_INTEGER, Buffer.from([0, 255, 92])],
      ['ours', 'größer "\\', null, Buffer.alloc(0)],
    ])
    // There and back: the digests of the one are those of the other.
    const back = await freshDatabase()
    await expect(copyStore({ file, url: back.url, tenant: 'ours', migrations: [room] })).resolves.toEqual(copied)
    await back.drop()
  })
})

test.skipIf(!answers)('a database of another version is refused, and so are rows that have no place in the copy', async () => {
  await within(async (room, url, ours) => {
    await ours.commit({ changes: twins('before', 1, null) })
    room.write('0002-more.sql', 'ALTER TABLE thing_row ADD COLUMN more TEXT;')
    const options = { url, tenant: 'ours', migrations: [room] }
    await expect(copyFromPostgres({ ...options, file: scratch() })).rejects.toMatchObject({ code: 'SCHEMA_OLDER' })
    const other = await openPostgres({ ...options, migrations: [room] })
    await other.close()
    await expect(copyFromPostgres({ ...options, file: scratch() })).resolves.toHaveLength(2)
    room.write('0003-only.postgres.sql', 'ALTER TABLE thing_row ADD COLUMN only_here TEXT;')
    room.write('0003-only.sql', 'SELECT 1;')
    await (await openPostgres({ ...options, migrations: [room] })).close()
    await expect(copyFromPostgres({ ...options, file: scratch() })).rejects.toMatchObject({ code: 'SCHEMA_DIFFERS' })
  })
})
