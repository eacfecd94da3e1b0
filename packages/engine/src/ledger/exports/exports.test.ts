/** Exports: each format to the letter of its specification, evidence that verifies, and what attackers put into entries stays text. */
import { Fault } from '@ephor/contract'
import type { Principal } from '@ephor/contract'
import { sendFault } from '@ephor/engine/kernel'
import type { JsonObject } from '@ephor/engine/kernel'
import { canonicalize, fromBase64, fromUtf8, leafHash, toBase64, toHex, utf8, verifyEvidence } from '@ephor/proof'
import { fastify } from 'fastify'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { alter } from '../ledger.fixture.ts'
import { decisionBody, openSearchWorld } from '../search/search.fixture.ts'
import type { SearchWorld } from '../search/search.fixture.ts'
import { openExports } from './open-exports.ts'
import type { ExportRequest } from './open-exports.ts'
import { mountExports } from './routes.ts'

const agent = 'agt_01k0000000000000000000aaaa'
let world: SearchWorld
let app: FastifyInstance
/** Of the entries of the fixture. */
let size = 0

const people: Record<string, Principal> = {
  person: { kind: 'person', id: 'per_1', session: 'ses_1' },
  agent: { kind: 'agent', id: 'agt_1', credential: 'crd_1' },
}

beforeAll(async () => {
  world = await openSearchWorld()
  const formulas = ['=cmd|calc', '+1', '-1+2', '@SUM(A1)', '\t=1', '\r=1', '  =1', '＝1', 'plain, "quoted"\nline', "'already"]
  const entries = [
    { type: 'decision', id: 'dec_01k0000000000000000000dddd', body: decisionBody({ agent, effect: 'deny', tool: 'write_file' }) },
    { type: 'decision', id: 'dec_01k0000000000000000000eeee', body: decisionBody({ agent, more: { onBehalfOf: 'per_2' } }) },
    { type: 'decision', id: 'dec_01k0000000000000000000ffff', body: decisionBody({ agent, effect: 'hold' }) },
    {
      type: 'outcome',
      id: 'dec_01k0000000000000000000eeee/outcome',
      body: { decision: 'dec_01k0000000000000000000eeee', status: 'failed', by: 'broker' },
    },
    { type: 'server.accepted', body: { server: 'files', by: 'per_1' } },
    ...formulas.map((session) => ({ type: 'decision', body: decisionBody({ agent, more: { session, '10': 1, '9': 2 } }) })),
    ...Array.from({ length: 300 }, (_, n) => ({ type: 'filler', body: { n } })),
  ]
  size = (await world.ledger.append({ changes: [], entries })).length
  app = fastify()
  app.setErrorHandler((error, _request, reply) => sendFault(reply, error))
  mountExports(app, { ledger: world.ledger, exports: openExports(world) }, (request) => {
    const principal = people[request.headers.authorization ?? '']
    return principal ? Promise.resolve(principal) : Promise.reject(new Fault('UNAUTHENTICATED', 'nobody'))
  })
})

afterAll(async () => {
  await app.close()
  await world.close()
})

async function text(format: ExportRequest['format'], filters: ExportRequest['filters'] = {}, after?: number): Promise<string> {
  const { chunks } = await openExports(world).start({ format, filters, after })
  let all = ''
  for await (const chunk of chunks) all += chunk
  return all
}

const lines = async (...request: Parameters<typeof text>) =>
  (await text(...request))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as JsonObject)

test('JSON Lines have each entry once, in order, with the very body that was hashed', async () => {
  const exported = (await text('jsonl', {}, -1)).trim().split('\n')
  expect(exported.length).toBeGreaterThanOrEqual(size)
  for (const [i, line] of exported.entries()) {
    const { seq, leafHash: hash } = JSON.parse(line) as { seq: number; leafHash: string }
    const body = line.slice(line.indexOf('"body":') + '"body":'.length, -1)
    expect(seq).toBe(i)
    expect(toHex(leafHash(utf8(body)))).toBe(hash)
  }
})

test('filters choose as a search does, and an export goes on where the last one ended', async () => {
  const denied = await lines('jsonl', { effect: 'deny' })
  expect(denied.map(({ seq }) => seq)).toEqual([0])
  expect((await lines('jsonl', { text: 'outside folder' })).map(({ seq }) => seq)).toEqual([0, 2])
  expect((await lines('jsonl', { type: 'decision' }, 3)).map(({ seq }) => seq)).toEqual(Array.from({ length: 10 }, (_, i) => i + 5))
  expect(await text('jsonl', { since: '2099-01-01T00:00:00Z' })).toBe('')
})

test('a CloudEvent has what CloudEvents 1.0 demands, and a type of ours', async () => {
  const [event = {}] = await lines('cloudevents', { effect: 'deny' })
  expect(event).toMatchObject({ specversion: '1.0', id: `${world.ledger.origin}#0`, source: world.ledger.origin })
  for (const name of ['id', 'source', 'specversion', 'type'] as const) expect(event[name]).toEqual(expect.any(String))
  for (const name of Object.keys(event)) expect(name).toMatch(/^[a-z0-9]+$/)
  expect(Date.parse(event['time'] as string)).not.toBeNaN()
})

/** RFC 4180, section 2: a reader that knows nothing of how it was written. */
function readCsv(csv: string): string[][] {
  const rows: string[][] = []
  let [row, value, quoted] = [[] as string[], '', false]
  for (let i = 0; i < csv.length; i++) {
    const c = csv[i] ?? ''
    if (quoted && c === '"' && csv[i + 1] === '"') value += csv[++i] ?? ''
    else if (c === '"') quoted = !quoted
    else if (!quoted && c === ',') {
      row.push(value)
      value = ''
    } else if (!quoted && c === '\r' && csv[i + 1] === '\n') {
      rows.push([...row, value])
      ;[row, value] = [[], '']
      i++
    } else value += c
  }
  expect([quoted, row, value]).toEqual([false, [], ''])
  return rows
}

test('no cell of a CSV is a formula, and a reader of CSV gets every value back', async () => {
  const [header = [], ...rows] = readCsv(await text('csv', { type: 'decision' }))
  expect(rows).toHaveLength(13)
  const column = (name: string) => rows.map((row) => row[header.indexOf(name)])
  for (const row of rows) {
    expect(row).toHaveLength(header.length)
    for (const value of row) expect(value).not.toMatch(/^\s*[=+\-@＝＋－＠\t\r]/u)
  }
  expect(column('session').slice(3)).toEqual([
    "'=cmd|calc",
    "'+1",
    "'-1+2",
    "'@SUM(A1)",
    "'\t=1",
    "'\r=1",
    "'  =1",
    "'＝1",
    'plain, "quoted"\nline',
    "'already",
  ])
  for (const [i, body] of column('body').entries()) expect(toHex(leafHash(utf8(body ?? '')))).toBe(column('leafHash')[i])
})

test('evidence of everything, of a time and of a choice verifies, and says which it is', async () => {
  const vkey = world.ledger.verifierKey
  const all = await verifyEvidence(await text('bundle'), { vkey })
  expect(all).toMatchObject({ ok: true, complete: true, range: { first: 0 } })
  const since = (await world.ledger.read(0))?.body['at'] as string
  expect(await verifyEvidence(await text('bundle', { since }), { vkey })).toMatchObject({ ok: true, complete: true, range: { since } })
  const denied = await verifyEvidence(await text('bundle', { effect: 'deny', agent }), { vkey })
  expect(denied).toMatchObject({ ok: true, complete: false, entries: 1, filter: { effect: 'deny', agent } })
  const none = await verifyEvidence(await text('bundle', { since: '2099-01-01T00:00:00Z' }), { vkey })
  expect(none).toMatchObject({ ok: true, complete: true, entries: 0 })
})

/** Every value in it, changed one at a time. */
function mutations(value: unknown): unknown[] {
  if (typeof value === 'string') return [`${value}x`, value.slice(1)]
  if (typeof value === 'number') return [value + 1]
  if (Array.isArray(value))
    return [
      ...value.map((_, i) => value.toSpliced(i, 1)),
      ...value.flatMap((one, i) => mutations(one).map((changed) => value.with(i, changed))),
    ]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, one]) => [
    Object.fromEntries(Object.entries(value).filter(([other]) => other !== name)),
    ...mutations(one).map((changed) => ({ ...value, [name]: changed })),
  ])
}

test('no mutation of evidence verifies', async () => {
  const vkey = world.ledger.verifierKey
  const envelope = JSON.parse(await text('bundle', { type: 'outcome' })) as {
    payload: string
    payloadType: string
    signatures: { sig: string }[]
  }
  const { payload, payloadType, signatures } = envelope
  const statement = JSON.parse(fromUtf8(fromBase64(payload))) as unknown
  const changed = mutations(statement).map((one) => ({ ...envelope, payload: toBase64(utf8(canonicalize(one))) }))
  expect(changed.length).toBeGreaterThan(40)
  const wrapped = [
    { payload, payloadType, signatures: [] },
    { payload, payloadType: 'text/plain', signatures },
    { payload, payloadType, signatures: signatures.map(({ sig }) => ({ sig: `${sig.startsWith('A') ? 'B' : 'A'}${sig.slice(1)}` })) },
  ]
  for (const one of [...changed, ...wrapped]) expect(await verifyEvidence(JSON.stringify(one), { vkey })).toMatchObject({ ok: false })
})

test('over HTTP an export is for people, by known filters, and leaves an entry of who took what', async () => {
  const get = (query: string, authorization = 'person') => app.inject({ url: `/v1/ledger/export?${query}`, headers: { authorization } })
  expect((await get('format=jsonl', 'agent')).statusCode).toBe(403)
  expect((await get('format=jsonl', 'stranger')).statusCode).toBe(401)
  for (const query of ['format=xml', '', 'format=csv&agnet=x', 'format=csv&after=-2', 'format=csv&text=%22'])
    expect((await get(query)).statusCode, query).toBe(400)
  const before = (await world.ledger.head()).size
  const { statusCode, headers, body } = await get('format=csv&type=decision&text=Maria&since=2020-01-01T00:00:00Z')
  expect([statusCode, headers['content-type'], headers['cache-control']]).toEqual([
    200,
    'text/csv; charset=utf-8; header=present',
    'no-store',
  ])
  expect(body).toMatch(/^seq,at,/)
  const entry = await world.ledger.read(before)
  expect(entry?.body).toMatchObject({
    type: 'ledger.exported',
    by: 'per_1',
    format: 'csv',
    size: before,
    since: '2020-01-01T00:00:00Z',
    filters: ['type', 'text'],
  })
  expect(JSON.stringify(entry?.body)).not.toContain('Maria')
  expect(await world.ledger.payload(before, 'filters')).toEqual({ type: 'decision', text: 'Maria' })
})

test('an export breaks off at an entry that was changed', async () => {
  await alter(world.folder, `UPDATE ledger_entry SET body = replace(body, '"n":', '"m":') WHERE seq = 100`)
  await expect(text('jsonl')).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  await expect(text('jsonl', { type: 'nothing' })).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  await alter(world.folder, `UPDATE ledger_entry SET body = replace(body, '"m":', '"n":') WHERE seq = 100`)
  await expect(text('jsonl')).resolves.toContain('"seq":100')
})
