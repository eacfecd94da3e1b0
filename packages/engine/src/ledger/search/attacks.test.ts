/** Who can deceive a search: agents by what they put into entries, writers of the index and of the store, callers by their cursors. */
import { copyFileSync, writeFileSync } from 'node:fs'
import { Fault } from '@ephor/contract'
import type { Principal } from '@ephor/contract'
import { sendFault } from '@ephor/engine/kernel'
import Database from 'better-sqlite3'
import { fastify } from 'fastify'
import { afterEach, expect, test } from 'vitest'
import { alter, scratch, testsPostgres } from '../ledger.fixture.ts'
import type { Filters } from './search-query.ts'
import { decisionBody, openSearchWorld } from './search.fixture.ts'
import type { SearchWorld } from './search.fixture.ts'
import { mountSearch } from './routes.ts'
import { indexFile } from './start-search.ts'
import { hashTerm, term } from './terms.ts'

const agent = 'agt_01k0000000000000000000aaaa'
const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function open(folder?: string): Promise<SearchWorld> {
  const world = await openSearchWorld(folder)
  let closed = false
  const close = async () => {
    if (!closed) await world.close()
    closed = true
  }
  closers.push(close)
  return { ...world, close }
}

async function append({ ledger }: SearchWorld, sessions: readonly string[], effect = 'permit'): Promise<number[]> {
  const entries = sessions.map((session) => ({ type: 'decision', body: decisionBody({ agent, effect, more: { session } }) }))
  return (await ledger.append({ changes: [], entries })).map(({ seq }) => seq)
}

const found = async ({ search }: SearchWorld, filters: Filters) =>
  (await search.search(filters, { order: 'oldest', limit: 100 })).items.map(({ seq }) => seq)

async function indexed({ search }: SearchWorld): Promise<void> {
  const isWhole = async () => {
    const { entries, indexed: done, counted } = await search.status()
    return done === entries && counted === entries
  }
  await expect.poll(isWhole, { timeout: 20_000, interval: 200 }).toBe(true)
}

const hostile = [
  '" OR "',
  'a" OR every OR "b',
  'every',
  '*',
  'x OR effect:deny',
  'x\0effect\0deny',
  'session\0y',
  'NEAR("a" "b", 10)',
  "'; DROP TABLE term; --",
  '{1,2}',
  '😀 Ünï‍cödé',
  '{terms} : x',
]

test.each(['before', 'after'])('what an agent puts into a session is a value and nothing else, %s it is indexed', async (when) => {
  const world = await open()
  const seqs = await append(world, hostile)
  if (when === 'after') await indexed(world)
  for (const [i, session] of hostile.entries()) expect(await found(world, { session })).toEqual([seqs[i]])
  expect(await found(world, { effect: 'deny' })).toEqual([])
  for (const text of ['" OR "every', 'permitted" OR "x', 'permitted*']) {
    const expected = text === 'permitted*' ? seqs : []
    expect(await found(world, { text })).toEqual(expected)
  }
  await expect(found(world, { text: '"*"' })).rejects.toMatchObject({ code: 'REQUEST_INVALID' })
})

test('an entry with thousands of words and ids costs no more than the limit', async () => {
  const world = await open()
  const words = Array.from({ length: 3000 }, (_, i) => `w${i}`)
  const parents = words.map((word) => `dec_${word}`)
  const body = { ...decisionBody({ agent }), detail: words.join(' '), parents }
  const [receipt] = await world.ledger.append({ changes: [], entries: [{ type: 'decision', body }] })
  await indexed(world)
  expect(await found(world, { tool: 'read_file', agent })).toEqual([receipt?.seq])
  expect(await found(world, { text: 'w2999' })).toEqual([])
})

/** Gives one entry what another is found by, and names one that there is not. */
async function invent({ folder, file }: SearchWorld, from: number, to: number): Promise<void> {
  if (testsPostgres) {
    await alter(folder, `UPDATE ledger_search SET terms = terms || (SELECT terms FROM ledger_search WHERE seq = ${from}) WHERE seq = ${to}`)
    await alter(folder, `INSERT INTO ledger_search SELECT tenant, 10000, at, terms FROM ledger_search WHERE seq = ${from}`)
    return
  }
  const db = new Database(indexFile(file, 'default'))
  const terms = ['every', hashTerm(term('session', 'one'))].join(' ')
  for (const seq of [to, 10_000]) db.prepare('INSERT INTO term (rowid, terms) VALUES (?, ?)').run(seq, terms)
  db.close()
}

async function empty({ folder, file }: SearchWorld): Promise<void> {
  if (testsPostgres) return void (await alter(folder, 'DELETE FROM ledger_search'))
  const db = new Database(indexFile(file, 'default'))
  db.exec("INSERT INTO term (term) VALUES ('delete-all')")
  db.close()
}

test('a changed index can hide an entry, but not invent one, and the comparison finds it', { timeout: 60_000 }, async () => {
  let world = await open()
  const [first = 0, second = 0] = await append(world, ['one', 'two'])
  await indexed(world)
  await world.close()
  await invent(world, first, second)
  world = await open(world.folder)
  expect(await found(world, { session: 'one' })).toEqual([first])
  expect((await world.search.status()).counted).not.toBe(2)
  await world.close()
  await empty(world)
  world = await open(world.folder)
  expect(await found(world, { session: 'one' })).toEqual([])
  expect(await world.search.status()).toMatchObject({ indexed: 2, counted: 0, sampled: 2, missing: 2 })
  await world.search.rebuild()
  await indexed(world)
  expect(await found(world, { session: 'one' })).toEqual([first])
  expect((await world.search.status()).missing).toBe(0)
})

test('a hit that was changed in the store is not shown', { timeout: 60_000 }, async () => {
  let world = await open()
  // The last tile of entries is checked at start, so the changed one lies before.
  const sessions = Array.from({ length: 300 }, (_, i) => `s${i}`)
  const [first = 0] = await append(world, sessions)
  await indexed(world)
  await world.close()
  await alter(world.folder, `UPDATE ledger_entry SET body = replace(body, '"effect":"permit"', '"effect":"deny"') WHERE seq = ${first}`)
  world = await open(world.folder)
  await expect(found(world, { session: 's0', effect: 'deny' })).resolves.toEqual([])
  await expect(found(world, { session: 's0' })).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  await world.search.rebuild()
  await indexed(world)
  await expect(found(world, { effect: 'deny' })).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
})

test('an index of another ledger, or no index at all under its name, is made again', { timeout: 60_000 }, async ({ skip }) => {
  const [mine, other] = [await open(), await open()]
  if (mine.store.kind !== 'sqlite') skip('the index is a file')
  const seqs = await append(mine, ['mine', 'mine'])
  await append(other, ['other'])
  await Promise.all([indexed(mine), indexed(other)])
  await Promise.all([mine.close(), other.close()])
  copyFileSync(indexFile(other.file, 'default'), indexFile(mine.file, 'default'))
  let again = await open(mine.folder)
  await indexed(again)
  expect(await found(again, { session: 'mine' })).toEqual(seqs)
  await again.close()
  writeFileSync(indexFile(mine.file, 'default'), 'this is no database, but it is long enough to be looked at as one'.repeat(100))
  again = await open(mine.folder)
  await indexed(again)
  expect(await found(again, { session: 'mine' })).toEqual(seqs)
})

test('an indexer that is cut off goes on where it was, and has nothing twice', { timeout: 60_000 }, async () => {
  const folder = scratch()
  let world = await open(folder)
  let last: number[] = []
  for (let i = 0; i < 2; i++) {
    last = await append(
      world,
      Array.from({ length: 700 }, (_, n) => `cut-${i}-${n}`),
    )
    await world.close()
    world = await open(folder)
  }
  await indexed(world)
  expect(await world.search.status()).toMatchObject({ entries: 1400, indexed: 1400, counted: 1400, missing: 0 })
  expect(await found(world, { session: 'cut-1-699' })).toEqual([last[699]])
})

test('over HTTP: people only, known filters, own cursors, bounded pages', async () => {
  const world = await open()
  const people: Record<string, Principal> = {
    person: { kind: 'person', id: 'per_1', session: 'ses_1' },
    agent: { kind: 'agent', id: 'agt_1', credential: 'crd_1' },
  }
  const app = fastify()
  app.setErrorHandler((error, _request, reply) => sendFault(reply, error))
  mountSearch(app, world.search, (request) => {
    const principal = people[request.headers.authorization ?? '']
    return principal ? Promise.resolve(principal) : Promise.reject(new Fault('UNAUTHENTICATED', 'nobody'))
  })
  closers.unshift(() => app.close())
  await append(world, ['a', 'a', 'a', 'b'])
  const get = async (query: string, authorization = 'person') => {
    const { statusCode, body } = await app.inject({ url: `/v1/ledger/search${query}`, headers: { authorization } })
    return { statusCode, body: JSON.parse(body) as { items: { seq: number }[]; next?: string; detail?: string; where?: string } }
  }
  expect((await get('?session=a', 'agent')).statusCode).toBe(403)
  expect((await get('/status', 'agent')).statusCode).toBe(403)
  expect((await get('?session=a', 'stranger')).statusCode).toBe(401)
  expect((await get('?sesion=a')).body).toMatchObject({ detail: expect.stringContaining('did you mean session?'), where: 'query/sesion' })
  for (const query of ['?limit=501', '?limit=0', '?limit=1e9', '?since=yesterday', '?order=best', `?agent=${'x'.repeat(301)}`, '?cursor=1'])
    expect((await get(query)).statusCode, query).toBe(400)
  const first = await get('?session=a&limit=2')
  expect(first.body.items).toHaveLength(2)
  const next = first.body.next ?? ''
  expect((await get(`?session=a&limit=2&cursor=${next}`)).body.items).toHaveLength(1)
  for (const query of ['session=b', 'session=a&order=oldest', 'session=a&effect=permit'])
    expect((await get(`?${query}&cursor=${next}`)).body.detail, query).toBe('the cursor belongs to another search')
  expect((await get('?session=a&session=b')).body.items).toHaveLength(4)
})
