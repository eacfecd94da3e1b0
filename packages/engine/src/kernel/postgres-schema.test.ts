/** The schema on PostgreSQL: tenants that can't reach each other's rows, migrations by one replica at a time, versions that don't fit refused. */
import { setTimeout as pause } from 'node:timers/promises'
import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { migratePostgres, openPostgres, pendingOnPostgres } from './index.ts'
import { ids, insert, makeRoom, psql } from './postgres.fixture.ts'
import { freshDatabase, postgresAnswers } from './test-store.ts'

const answers = await postgresAnswers()
/** Neither a superuser nor one that is above the policies, as `docs/guide/postgresql.md` says. */
const ROLE = `ephor_test_role_${process.pid}`

function withCode(code: string): Error {
  return expect.objectContaining({ code }) as Error
}

describe.skipIf(!answers)('the schema on PostgreSQL', () => {
  let database: { url: string; drop(): Promise<void> }
  let room: ReturnType<typeof makeRoom>

  beforeAll(async () => {
    database = await freshDatabase()
    await psql(database.url, `CREATE ROLE ${ROLE} LOGIN`)
    await psql(database.url, `ALTER DATABASE ${new URL(database.url).pathname.slice(1)} OWNER TO ${ROLE}`)
    database.url = Object.assign(new URL(database.url), { username: ROLE }).href
  }, 60_000)
  beforeEach(async () => {
    const tables = await psql(database.url, "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
    for (const { name } of tables) await psql(database.url, `DROP TABLE ${String(name)}`)
    room = makeRoom()
  })
  afterAll(async () => {
    await database.drop()
    await psql('postgres://postgres@127.0.0.1:5432/postgres', `DROP ROLE ${ROLE}`).catch(() => undefined)
  }, 60_000)

  test('one tenant can neither read, change nor make rows of another, not even by naming it in SQL', async () => {
    const [a, b] = [
      await openPostgres({ url: database.url, tenant: 'a', migrations: [room] }),
      await openPostgres({ url: database.url, tenant: 'b', migrations: [room] }),
    ]
    await a.commit({ changes: [insert('of-a')] })
    await b.commit({ changes: [insert('of-b')] })
    // No condition on the tenant anywhere: the policy alone keeps them apart.
    expect([await ids(a), await ids(b)]).toEqual([['of-a'], ['of-b']])
    const theirs = (sql: string) => a.commit({ changes: [{ sql, params: [], rows: 1 }] })
    await expect(theirs("UPDATE thing_row SET n = 9 WHERE tenant = 'b'")).rejects.toThrow(withCode('CONFLICT'))
    await expect(theirs("DELETE FROM thing_row WHERE tenant = 'b'")).rejects.toThrow(withCode('CONFLICT'))
    await expect(theirs("UPDATE thing_row SET tenant = 'b' WHERE id = 'of-a'")).rejects.toThrow(/row-level security/)
    await expect(theirs("INSERT INTO thing_row (tenant, id, n) VALUES ('b', 'x', 1)")).rejects.toThrow(/row-level security/)
    // A connection that says no tenant sees nothing at all.
    await expect(psql(database.url, 'SELECT * FROM thing_row')).rejects.toThrow('ephor.tenant')
    expect([await ids(a), await ids(b)]).toEqual([['of-a'], ['of-b']])
    await Promise.all([a.close(), b.close()])
  })

  test('whoever is above the policies is told so when the store opens', async () => {
    const warnings: unknown[] = []
    const log = { warn: (_: unknown, text: string) => void warnings.push(text) } as never
    await (await openPostgres({ url: database.url, migrations: [room], log })).close()
    expect(warnings).toEqual([])
    const above = Object.assign(new URL(database.url), { username: 'postgres' }).href
    await (await openPostgres({ url: above, migrations: [room], log })).close()
    expect(warnings).toEqual([expect.stringContaining('above row-level security')])
  })

  test('a migration changes the rows of all tenants, and the table is behind its policy again', async () => {
    for (const tenant of ['a', 'b']) {
      const store = await openPostgres({ url: database.url, tenant, migrations: [room] })
      await store.commit({ changes: [insert(`of-${tenant}`, 1)] })
      await store.close()
    }
    room.write('0002-more.sql', 'UPDATE thing_row SET n = n + 1; ALTER TABLE thing_row ADD COLUMN extra TEXT;')
    await migratePostgres({ url: database.url, migrations: [room] })
    const asOwner = psql(database.url, 'SELECT * FROM thing_row')
    await expect(asOwner).rejects.toThrow('ephor.tenant')
    const above = Object.assign(new URL(database.url), { username: 'postgres' }).href
    expect(await psql(above, 'SELECT id, n::int FROM thing_row ORDER BY id')).toEqual([
      { id: 'of-a', n: 2 },
      { id: 'of-b', n: 2 },
    ])
  })

  test('replicas that start at once migrate once', async () => {
    room.write('0002-more.sql', 'ALTER TABLE thing_row ADD COLUMN extra TEXT;')
    const applied = await Promise.all(Array.from({ length: 4 }, () => migratePostgres({ url: database.url, migrations: [room] })))
    expect(
      applied
        .flat()
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(['0001-thing.sql', '0001-writer.sql', '0002-more.sql'])
  })

  test('an older store is migrated or refused, a newer or other one is refused', async () => {
    const options = { url: database.url, migrations: [room] }
    await (await openPostgres(options)).close()
    room.write('0002-more.sql', 'ALTER TABLE thing_row ADD COLUMN extra TEXT;')
    expect((await pendingOnPostgres(options)).map(({ name }) => name)).toEqual(['0002-more.sql'])
    await expect(openPostgres({ ...options, migrate: false })).rejects.toThrow(withCode('SCHEMA_OLDER'))
    await (await openPostgres(options)).close()
    const older = makeRoom()
    await expect(openPostgres({ ...options, migrations: [older] })).rejects.toThrow(withCode('SCHEMA_NEWER'))
    room.write('0001-thing.sql', 'CREATE TABLE thing_row (tenant TEXT NOT NULL) STRICT;')
    await expect(openPostgres(options)).rejects.toThrow(withCode('SCHEMA_DIFFERS'))
  })

  test('a migration that fails leaves nothing of itself, and the store is not opened', async () => {
    room.write('0002-more.sql', 'CREATE TABLE thing_more (tenant TEXT NOT NULL); SELECT nonsense;')
    await expect(openPostgres({ url: database.url, migrations: [room] })).rejects.toThrow('0002-more.sql')
    expect(await psql(database.url, "SELECT to_regclass('thing_more') IS NULL AS gone")).toEqual([{ gone: true }])
  })

  test('a migration does not queue behind a long transaction for good', async () => {
    await (await openPostgres({ url: database.url, migrations: [room] })).close()
    room.write('0002-more.sql', 'ALTER TABLE thing_row ADD COLUMN extra TEXT;')
    const reader = new Client({ connectionString: database.url })
    await reader.connect()
    await reader.query('BEGIN; LOCK TABLE thing_row IN ACCESS SHARE MODE')
    let done = false
    const migrated = migratePostgres({ url: database.url, migrations: [room] }).then(() => (done = true))
    // Longer than one attempt waits for its lock.
    await pause(3500)
    expect(done).toBe(false)
    await reader.query('COMMIT')
    await migrated
    await reader.end()
  })
})
