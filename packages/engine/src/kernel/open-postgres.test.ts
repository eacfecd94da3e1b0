/** What the store on PostgreSQL promises beyond the embedded one: lost connections, several replicas, values, and how it opens. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openPostgres } from './index.ts'
import type { PostgresOptions, Store } from './index.ts'
import { ids, insert, makeProxy, makeRoom, psql, terminateAll } from './postgres.fixture.ts'
import type { Tables } from './postgres.fixture.ts'
import { freshDatabase, postgresAnswers } from './test-store.ts'

const answers = await postgresAnswers()
if (!answers) console.warn('no PostgreSQL answers on loopback: its tests are skipped')

const room = makeRoom()
let database: { url: string; drop(): Promise<void> }
const opened: Store[] = []

async function open(options: Partial<PostgresOptions> = {}): Promise<Store> {
  const store = await openPostgres({ url: database.url, migrations: [room], poolSize: 2, ...options })
  opened.push(store)
  return store
}

function withCode(code: string): Error {
  return expect.objectContaining({ code }) as Error
}

describe.skipIf(!answers)('on PostgreSQL', () => {
  beforeAll(async () => {
    database = await freshDatabase()
  }, 60_000)
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close()
    await psql(database.url, 'DELETE FROM thing_row')
  })
  afterAll(async () => {
    await psql(database.url, 'DROP ROLE IF EXISTS ephor_test_poor')
    await database.drop()
  }, 60_000)

  test('a commit whose answer was lost is found out and acknowledged, once', async () => {
    const proxy = await makeProxy(database.url)
    const store = await open({ url: proxy.url })
    await store.commit({ changes: [insert('warm')] })
    proxy.cutNext('answer')
    await Promise.all([store.commit({ changes: [insert('a')] }), store.commit({ changes: [insert('b')] })])
    expect([proxy.cuts(), await ids(store)]).toEqual([1, ['a', 'b', 'warm']])
    await proxy.close()
  })

  test('a commit that never arrived is done again, once', async () => {
    const proxy = await makeProxy(database.url)
    const store = await open({ url: proxy.url })
    await store.commit({ changes: [insert('warm')] })
    proxy.cutNext('request')
    await store.commit({ changes: [insert('a')] })
    expect([proxy.cuts(), await ids(store)]).toEqual([1, ['a', 'warm']])
    await proxy.close()
  })

  test('a replica that stops in the middle lets the others go on, and does its own over when it goes on', { timeout: 60_000 }, async () => {
    const proxy = await makeProxy(database.url)
    const [stopped, other] = [await open({ url: proxy.url }), await open()]
    await stopped.commit({ changes: [insert('one', 0)] })
    const add = { changes: [{ sql: "UPDATE thing_row SET n = n + 1 WHERE id = 'one'", params: [], rows: 1 }] }
    proxy.cutNext('hold')
    const held = stopped.commit(add)
    await expect.poll(() => proxy.cuts()).toBe(1)
    await other.commit(add)
    await held
    const rows = await other.reader<Tables>().selectFrom('thing_row').select('n').execute()
    expect(rows).toEqual([{ n: 2 }])
    await proxy.close()
  })

  test('what can’t be resolved is refused: a server that is gone acknowledges nothing', { timeout: 60_000 }, async () => {
    const proxy = await makeProxy(database.url)
    const store = await open({ url: proxy.url })
    await store.commit({ changes: [insert('warm')] })
    await proxy.close()
    await expect(store.commit({ changes: [insert('a')] })).rejects.toThrow(withCode('STORE_UNAVAILABLE'))
    await expect(store.commit({ changes: [insert('b')] })).rejects.toThrow(withCode('STORE_UNAVAILABLE'))
    expect(await psql(database.url, 'SELECT id FROM thing_row')).toEqual([{ id: 'warm' }])
  })

  test('while backends are killed under load, nothing acknowledged is lost and nothing is stored twice', { timeout: 60_000 }, async () => {
    const stores = [await open(), await open()]
    const acknowledged: string[] = []
    const stop = new AbortController()
    const writers = stores.flatMap((store, s) =>
      Array.from({ length: 8 }, async (_, w) => {
        for (let i = 0; !stop.signal.aborted; i++) {
          const id = `${s}-${w}-${i}`
          await store.commit({ changes: [insert(id)] }).then(
            () => acknowledged.push(id),
            () => new Promise((resolve) => setTimeout(resolve, 10)),
          )
        }
      }),
    )
    for (let kill = 0; kill < 12; kill++) {
      await new Promise((resolve) => setTimeout(resolve, 40 + 60 * Math.random()))
      await terminateAll(database.url)
    }
    stop.abort()
    await Promise.all(writers)
    const stored = (await psql(database.url, 'SELECT id, count(*)::int AS times FROM thing_row GROUP BY id')) as {
      id: string
      times: number
    }[]
    expect(stored.filter(({ times }) => times > 1)).toEqual([])
    const there = new Set(stored.map(({ id }) => id))
    expect(acknowledged.length).toBeGreaterThan(50)
    expect(acknowledged.filter((id) => !there.has(id))).toEqual([])
    await expect.poll(() => stores[0]?.commit({ changes: [insert('after')] }).then(() => 'stored', String)).toBe('stored')
    expect((await ids(stores[0] as Store)).length).toBe(there.size + 1)
  })

  test('of two replicas that spend one thing at the same time, one does', async () => {
    const [one, two] = [await open(), await open()]
    await one.commit({ changes: Array.from({ length: 20 }, (_, i) => insert(`t${i}`)) })
    const spend = (store: Store, i: number) =>
      store.commit({ changes: [{ sql: 'UPDATE thing_row SET n = n + 1 WHERE id = ? AND n = 0', params: [`t${i}`], rows: 1 }] })
    const results = await Promise.allSettled(Array.from({ length: 200 }, (_, i) => spend(i % 2 ? one : two, i % 20)))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(20)
    const rows = await one.reader<Tables>().selectFrom('thing_row').select('n').execute()
    expect(rows.every(({ n }) => n === 1)).toBe(true)
  })

  test('another replica’s unit is heard of within a second, one’s own is not', async () => {
    const [one, two] = [await open(), await open()]
    let [heard, own] = [0, 0]
    one.onForeign(() => void heard++)
    const end = two.onForeign(() => void own++)
    const started = performance.now()
    await two.commit({ changes: [insert('news')] })
    await expect.poll(() => heard, { interval: 10, timeout: 5000 }).toBe(1)
    expect(performance.now() - started).toBeLessThan(1000)
    await new Promise((resolve) => setTimeout(resolve, 700))
    expect([heard, own]).toEqual([1, 0])
    end()
    await one.commit({ changes: [insert('more')] })
    await new Promise((resolve) => setTimeout(resolve, 700))
    expect(own).toBe(0)
  })

  test('numbers, bytes and nothing come back as they went; what a number can’t hold is refused, not rounded', async () => {
    const store = await open()
    const sql = 'INSERT INTO thing_row (tenant, id, n, bytes) VALUES (@tenant, ?, ?, ?)'
    await store.commit({ changes: [{ sql, params: ["it's ? @tenant", Number.MAX_SAFE_INTEGER, Uint8Array.of(0, 255, 39)] }] })
    await store.commit({ changes: [{ sql: "INSERT INTO thing_row (tenant, id, n) VALUES (@tenant, 'what? @tenant', ?)", params: [-1] }] })
    const rows = await store.reader<Tables>().selectFrom('thing_row').select(['id', 'n', 'bytes']).orderBy('n', 'desc').execute()
    expect(rows.map(({ id, n }) => [id, n])).toEqual([
      ["it's ? @tenant", Number.MAX_SAFE_INTEGER],
      ['what? @tenant', -1],
    ])
    expect([...(rows[0]?.bytes ?? []), rows[1]?.bytes]).toEqual([0, 255, 39, null])
    await store.commit({ changes: [{ sql, params: ['large', 2n ** 60n, null] }] })
    await expect(ids(store)).resolves.toContain('large')
    await expect(store.reader<Tables>().selectFrom('thing_row').select('n').execute()).rejects.toThrow('beyond 2^53')
  })

  test('a text that PostgreSQL can’t store fails its own unit alone', async () => {
    const store = await open()
    const results = await Promise.allSettled([store.commit({ changes: [insert('a')] }), store.commit({ changes: [insert('b\0')] })])
    expect(results).toMatchObject([{ status: 'fulfilled' }, { reason: { code: 'REQUEST_INVALID' } }])
    expect(await ids(store)).toEqual(['a'])
  })

  test('a database that is told to acknowledge early is told otherwise', async () => {
    await psql(database.url, `ALTER DATABASE ${new URL(database.url).pathname.slice(1)} SET synchronous_commit = off`)
    const store = await open()
    await store.commit({
      changes: [{ sql: "INSERT INTO thing_row (tenant, id, n) SELECT @tenant, current_setting('synchronous_commit'), 0", params: [] }],
    })
    expect(await ids(store)).toEqual(['on'])
  })

  test('each way in which it can’t be opened has its name, and no message holds the password', async () => {
    const url = (change: Partial<Pick<URL, 'port' | 'pathname' | 'username'>>) =>
      Object.assign(new URL(database.url), { password: 'geheim' }, change).href
    await psql(database.url, 'CREATE ROLE ephor_test_poor LOGIN').catch(() => undefined)
    for (const [wrong, code] of [
      [{ port: '1' }, 'DATABASE_UNREACHABLE'],
      [{ pathname: '/nowhere' }, 'DATABASE_MISSING'],
      [{ username: 'ephor_test_nobody' }, 'DATABASE_SIGN_IN_REFUSED'],
    ] as const)
      await expect(open({ url: url(wrong) })).rejects.toThrow(withCode(code))
    const other = makeRoom({ '0001-other.sql': 'CREATE TABLE thing_other (tenant TEXT NOT NULL) STRICT;' })
    const refused = await open({ url: url({ username: 'ephor_test_poor' }), migrations: [{ ...other, room: 'other' }] }).catch(String)
    expect(refused).toMatch(/permission denied/)
    expect(refused).not.toContain('geheim')
  })
})
