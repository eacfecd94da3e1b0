/** Tests of idempotency keys: once means once, for whoever sent it, also across a restart. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { Fault } from '@ephor/contract'
import { makeLog, systemClock } from '@ephor/engine/kernel'
import { openTestStore, readStored, tamperColumns } from '@ephor/engine/kernel/testing'
import { createApp } from '../http/create-app.ts'
import { answersProjector } from './projector.ts'
import { rememberAnswers } from './remember-answers.ts'

const KEK = new Uint8Array(32).fill(7)
const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

async function world(folder = mkdtempSync(join(tmpdir(), 'ephor-idempotency-'))) {
  const store = await openTestStore({ folder, migrations: [{ room: 'server', folder: new URL('./migrations/', import.meta.url) }] })
  const app = createApp({
    log: makeLog('silent'),
    hosts: { host: '127.0.0.1', allowedHosts: [] },
    limits: { bodyBytes: 2048, bodyDepth: 8 },
  })
  const clock = { ...systemClock, now: () => time }
  let time = 1_000_000_000_000
  let runs = 0
  let gate = Promise.resolve()
  rememberAnswers(app, {
    store,
    kek: KEK,
    clock,
    authenticate: async ({ headers }) => {
      if (!headers.authorization) throw new Fault('UNAUTHENTICATED', 'nobody')
      return { kind: 'person', id: headers.authorization, session: 'ses_1' }
    },
  })
  app.post('/v1/things', async (request, reply) => {
    runs++
    await gate
    const body = request.body as { refuse?: boolean; crash?: boolean }
    if (body.refuse) throw new Fault('FORBIDDEN', 'no')
    if (body.crash) return new Promise(() => {})
    return reply.status(201).send({ run: runs, secret: 'hunter2' })
  })
  await app.ready()
  const close = async () => {
    await app.close()
    await store.close()
  }
  closers.push(close)
  const post = (body: unknown, key: string, who = 'per_1') =>
    app.inject({
      method: 'POST',
      url: '/v1/things',
      headers: { host: 'localhost', 'content-type': 'application/json', 'idempotency-key': key, ...(who ? { authorization: who } : {}) },
      body: JSON.stringify(body),
    })
  return { post, store, folder, close, runs: () => runs, hold: (until: Promise<void>) => (gate = until), at: (t: number) => (time = t) }
}

test('the same request with the same key runs once and gets the same answer', async () => {
  const { post, runs } = await world()
  const [first, second] = [await post({ a: 1 }, 'k1'), await post({ a: 1 }, 'k1')]
  expect([first.statusCode, second.statusCode, runs()]).toEqual([201, 201, 1])
  expect(second.body).toBe(first.body)
  expect(second.headers['idempotency-replayed']).toBe('true')
})

test('another request with the same key is refused', async () => {
  const { post, runs } = await world()
  await post({ a: 1 }, 'k1')
  const other = await post({ a: 2 }, 'k1')
  expect([other.statusCode, other.json().code, runs()]).toEqual([422, 'IDEMPOTENCY_MISMATCH', 1])
})

test("one's key says nothing about another's, and nobody's key is remembered", async () => {
  const { post, runs } = await world()
  await post({ a: 1 }, 'k1', 'per_1')
  expect((await post({ a: 1 }, 'k1', 'per_2')).headers['idempotency-replayed']).toBeUndefined()
  await post({ a: 1 }, 'k1', '')
  await post({ a: 1 }, 'k1', '')
  expect(runs()).toBe(4)
})

test('two at once run once', async () => {
  const { post, runs, hold } = await world()
  let open = () => {}
  void hold(new Promise((resolve) => (open = resolve)))
  const first = post({ a: 1 }, 'k1')
  await expect.poll(runs).toBe(1)
  expect((await post({ a: 1 }, 'k1')).json()).toMatchObject({ code: 'CONFLICT', detail: expect.stringContaining('still running') })
  open()
  expect((await first).statusCode).toBe(201)
  expect(runs()).toBe(1)
})

test('a refusal changed nothing, so the key is free again', async () => {
  const { post, runs } = await world()
  expect((await post({ refuse: true }, 'k1')).statusCode).toBe(403)
  expect((await post({ refuse: true }, 'k1')).statusCode).toBe(403)
  expect(runs()).toBe(2)
})

test('answers survive a restart; a request that a crash interrupted is not run again', async () => {
  const before = await world()
  const first = await before.post({ a: 1 }, 'k1')
  void before.post({ crash: true }, 'k2')
  await expect.poll(before.runs).toBe(2)
  await before.close()
  closers.pop()
  const after = await world(before.folder)
  expect((await after.post({ a: 1 }, 'k1')).body).toBe(first.body)
  expect((await after.post({ crash: true }, 'k2')).json()).toMatchObject({
    code: 'CONFLICT',
    detail: expect.stringContaining('interrupted'),
  })
  expect(after.runs()).toBe(0)
})

test('a secret in an answer is not readable in the database', async () => {
  const { post, folder, close } = await world()
  await post({ a: 1 }, 'k1')
  await close()
  closers.pop()
  expect(await readStored(folder)).not.toContain('hunter2')
})

test('a key that is no key is refused', async () => {
  const { post } = await world()
  expect((await post({ a: 1 }, 'x'.repeat(201))).json()).toMatchObject({ code: 'REQUEST_INVALID' })
})

test('a remembered answer that somebody changed in the database is found by its column, and answers nothing', async () => {
  const { post, store } = await world()
  await post({ a: 1 }, 'k1')
  await post({ b: 1 }, 'k2')
  const check = async () => (await answersProjector(store, KEK).finish()).differences
  expect(await check()).toEqual([])
  const [table, key] = ['server_answer', { owner: 'per_1', key: 'k1' }]
  const found: unknown[] = []
  await tamperColumns(store, { table, key, values: { macs: 'x' } }, async (field) => {
    const answer = field === '' ? undefined : (await post({ a: 1 }, 'k1')).json<{ code: string; detail: string }>()
    found.push([field, (await check())[0], answer?.code, answer?.detail.includes(field)])
  })
  const changed = (field: string) => [
    field,
    { table, key: 'per_1/k1', field, detail: `its ${field} is not what Ephor wrote` },
    'STORE_CORRUPT',
    true,
  ]
  // A row that is gone is as good as never remembered, as all are after a day.
  expect(found).toEqual([...['request', 'sealed', 'started_at', 'macs'].map(changed), ['', undefined, undefined, undefined]])
  // The answer to one request in the place of another's.
  const sql = `UPDATE server_answer SET sealed = (SELECT sealed FROM server_answer WHERE key = 'k2') WHERE key = 'k1'`
  await store.commit({ changes: [{ sql, params: [] }] })
  expect((await post({ a: 1 }, 'k1')).json()).toMatchObject({ code: 'STORE_CORRUPT' })
})
