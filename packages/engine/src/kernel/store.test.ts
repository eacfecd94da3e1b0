/** The promises of both stores: units whole or not at all, grouped but apart, durable before acknowledged. */
import { copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Change, Migrations, Store } from './index.ts'
import { openTestStore } from './test-store.ts'

type Tables = { thing: { id: string; n: number } }

let folder: string
let migrations: Migrations
let store: Store

function writeFiles(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ephor-store-'))
  mkdirSync(join(folder, 'migrations'))
  writeFiles({ 'migrations/0001-thing.sql': 'CREATE TABLE thing (id TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT;' })
  migrations = { room: 'thing', folder: pathToFileURL(`${folder}/migrations/`) }
  store = await openTestStore({ folder, migrations: [migrations] })
})

afterEach(() => store.close())

function insert(id: string, n = 0): Change {
  return { sql: 'INSERT INTO thing (id, n) VALUES (?, ?)', params: [id, n] }
}

async function ids(): Promise<string[]> {
  const rows = await store.reader<Tables>().selectFrom('thing').select('id').orderBy('id').execute()
  return rows.map(({ id }) => id)
}

function withCode(code: string): Error {
  return expect.objectContaining({ code }) as Error
}

test('what is acknowledged can be read at once, and after a restart', async () => {
  await store.commit({ changes: [insert('a')] })
  expect(await ids()).toEqual(['a'])
  await store.close()
  store = await openTestStore({ folder, migrations: [migrations] })
  expect(await ids()).toEqual(['a'])
})

test('a unit that fails is rolled back whole, and its neighbours in the batch are not', async () => {
  const results = await Promise.allSettled([
    store.commit({ changes: [insert('a')] }),
    store.commit({ changes: [insert('b'), insert('a')] }),
    store.commit({ changes: [insert('c')] }),
  ])
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(results[1]).toMatchObject({ reason: { code: 'CONFLICT' } })
  expect(await ids()).toEqual(['a', 'c'])
})

test('a guarded change that meets another state answers with its own fault', async () => {
  const guarded: Change = { sql: 'UPDATE thing SET n = 1 WHERE id = ? AND n = 0', params: ['a'], rows: 1, fault: 'APPROVAL_SPENT' }
  await store.commit({ changes: [insert('a'), guarded] })
  await expect(store.commit({ changes: [insert('b'), guarded] })).rejects.toThrow(withCode('APPROVAL_SPENT'))
  await expect(store.commit({ changes: [{ sql: 'DELETE FROM thing WHERE n = 9', params: [], rows: 1 }] })).rejects.toThrow(
    withCode('CONFLICT'),
  )
  expect(await ids()).toEqual(['a'])
})

test('of many callers who spend one thing, one does', async () => {
  await store.commit({ changes: [insert('one')] })
  const spend: Change = { sql: "UPDATE thing SET n = 1 WHERE id = 'one' AND n = 0", params: [], rows: 1 }
  const results = await Promise.allSettled(Array.from({ length: 500 }, () => store.commit({ changes: [spend] })))
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
})

test('thousands of units at once all arrive, in the order they were given', async () => {
  const order = await Promise.all(
    Array.from({ length: 2000 }, async (_, i) => {
      await store.commit({ changes: [insert(`u${i}`, i)] })
      return i
    }),
  )
  expect(order).toHaveLength(2000)
  const rows = await store
    .reader<Tables>()
    .selectFrom('thing')
    .select('n')
    .orderBy((store.kind === 'sqlite' ? 'rowid' : 'ctid') as 'n')
    .execute()
  expect(rows.map(({ n }) => n)).toEqual(order)
})

test('closing waits for what was given before, and then refuses', async () => {
  const given = Array.from({ length: 600 }, (_, i) => store.commit({ changes: [insert(`u${i}`)] }))
  await store.close()
  await Promise.all(given)
  await expect(store.commit({ changes: [] })).rejects.toThrow(withCode('STORE_UNAVAILABLE'))
  await expect(store.call('x', 1)).rejects.toThrow(withCode('STORE_UNAVAILABLE'))
  store = await openTestStore({ folder, migrations: [migrations] })
  expect(await ids()).toHaveLength(600)
})

test('texts name the tenant as @tenant, and a name that could say more in SQL is refused', async () => {
  await store.commit({ changes: [{ sql: 'INSERT INTO thing (id, n) VALUES (@tenant, ?)', params: [1] }] })
  expect([store.tenant, await ids()]).toEqual(['default', ['default']])
  for (const tenant of ['', 'A', "x' OR 'x", '-a', 'a'.repeat(41)])
    await expect(openTestStore({ folder, tenant, migrations: [migrations] })).rejects.toThrow(withCode('TENANT_INVALID'))
  await store.close()
  store = await openTestStore({ folder, tenant: 'acme-2', migrations: [migrations] })
  await store.commit({ changes: [{ sql: 'UPDATE thing SET id = @tenant', params: [] }] })
  expect([store.tenant, await ids()]).toEqual(['acme-2', ['acme-2']])
})

test('wrong SQL is denied and the store goes on', async () => {
  await expect(store.commit({ changes: [{ sql: 'INSERT INTO nowhere VALUES (1)', params: [] }] })).rejects.toThrow(
    withCode('STORE_UNAVAILABLE'),
  )
  await store.commit({ changes: [insert('a')] })
  expect(await ids()).toEqual(['a'])
})

test('the reader can’t write', async () => {
  await expect(store.reader<Tables>().insertInto('thing').values({ id: 'x', n: 1 }).execute()).rejects.toThrow(/read-?only/)
})

test('an older store is migrated or refused, one that a newer or another program made is refused', async () => {
  const older = { ...migrations, folder: pathToFileURL(`${folder}/older/`) }
  mkdirSync(join(folder, 'older'))
  copyFileSync(join(folder, 'migrations/0001-thing.sql'), join(folder, 'older/0001-thing.sql'))
  await store.close()
  writeFiles({ 'migrations/0002-other.sql': 'CREATE TABLE other (id TEXT) STRICT;' })
  await expect(openTestStore({ folder, migrations: [migrations], migrate: false })).rejects.toThrow(withCode('SCHEMA_OLDER'))
  store = await openTestStore({ folder, migrations: [migrations] })
  await store.commit({ changes: [{ sql: "INSERT INTO other VALUES ('x')", params: [] }] })
  await store.close()
  await expect(openTestStore({ folder, migrations: [older] })).rejects.toThrow(withCode('SCHEMA_NEWER'))
  writeFiles({ 'migrations/0001-thing.sql': 'CREATE TABLE thing (id TEXT) STRICT;' })
  await expect(openTestStore({ folder, migrations: [migrations] })).rejects.toThrow(withCode('SCHEMA_DIFFERS'))
})

const EXTENSION = `
function refuse(attachment) {
  if (attachment === 'refuse') throw Object.assign(new Error('refused'), { code: 'NOT_FOUND' })
}
export function install(db, options) {
  const log = []
  return {
    begin() { log.push('begin') },
    apply(attachment) {
      log.push(attachment)
      refuse(attachment)
      return attachment + options.suffix
    },
    committed() { log.push('committed') },
    call(method) { if (method === 'log') return log; throw new Error('what?') },
  }
}
export function installPostgres(options) {
  const one = install(undefined, options)
  return {
    ...one,
    begin: async () => one.begin(),
    apply: (attachments) => ({ statements: [], answers: attachments.map(one.apply) }),
    call: async (method) => one.call(method),
  }
}`

test('an extension works inside the unit, can refuse it alone, and hears of the commit', async () => {
  await store.close()
  writeFiles({ 'extension.mjs': EXTENSION })
  const module = pathToFileURL(join(folder, 'extension.mjs'))
  const extension = { module, postgres: module, options: { suffix: '!' } }
  store = await openTestStore({ folder, migrations: [migrations], extension })
  const results = await Promise.allSettled([
    store.commit({ changes: [insert('a')], attachment: 'x' }),
    store.commit({ changes: [insert('b')], attachment: 'refuse' }),
  ])
  expect(results).toMatchObject([{ value: 'x!' }, { reason: { code: 'NOT_FOUND' } }])
  expect(await ids()).toEqual(['a'])
  await expect(store.call('log', undefined)).resolves.toEqual([
    'begin',
    'x',
    'refuse',
    // A batch with a refusal in it is done over, unit by unit.
    'begin',
    'x',
    'refuse',
    'committed',
  ])
  await expect(store.call('other', undefined)).rejects.toThrow(withCode('INTERNAL'))
})
