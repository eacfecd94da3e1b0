/** Tests of the SDK against a small HTTP server that answers as Ephor does: waiting, running, reporting, verifying. */
import { hash } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterEach, expect, test } from 'vitest'
import { Fault, toProblem } from '@ephor/contract'
import { agentKeyBearer, openEphor, OutcomeUnknown, readEvents, verifyWarrant } from './index.ts'
import type { RunPermit } from './index.ts'

type Seen = { method: string; url: string; headers: IncomingMessage['headers']; body: Record<string, unknown> }
type Answer = { status?: number; body?: unknown; drop?: true; text?: string }

const keys = await generateKeyPair('Ed25519', { extractable: true })
const jwks = { keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'EdDSA', use: 'sig' }] }
const receipt = { origin: 'log.example', seq: 1, leafHash: '00' }
const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

/** SHA-256 of `{"to":"a@example.com"}`. */
const INPUT_DIGEST = `sha256:${hash('sha256', '{"to":"a@example.com"}', 'hex')}`

function warrant(claims: Record<string, unknown> = {}, { typ = 'ephor-warrant+jwt', expires = '5m' } = {}): Promise<string> {
  return new SignJWT({ dig: 'sha256:ab', inp: INPUT_DIGEST, srv: 'mail', tool: 'send', ...claims })
    .setProtectedHeader({ alg: 'EdDSA', typ, kid: 'k1' })
    .setSubject('agt_1')
    .setJti('dec_1')
    .setIssuedAt()
    .setExpirationTime(expires)
    .sign(keys.privateKey)
}

async function permitted(more: Record<string, unknown> = {}) {
  const deadline = new Date(Date.now() + 60_000).toISOString()
  return { kind: 'permitted', decision: 'dec_1', receipt, reasons: [], obligations: [], warrant: await warrant(), deadline, ...more }
}
const held = {
  kind: 'held',
  decision: 'dec_0',
  receipt,
  reasons: [],
  approval: { id: 'apr_1', expiresAt: new Date(Date.now() + 60_000).toISOString() },
}
const reported = (status: string) => ({ decision: 'dec_1', status, receipt: { ...receipt, seq: 2 } })

/** `answers` by path, taken one after another; the last one stays. */
async function world(answers: Record<string, Answer[]>) {
  const seen: Seen[] = []
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = ''
    for await (const chunk of request) text += String(chunk)
    const path = (request.url ?? '').split('?')[0] ?? ''
    const body = text === '' ? {} : (JSON.parse(text) as Seen['body'])
    seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body })
    const queue = path === '/.well-known/jwks.json' ? [{ body: jwks }] : (answers[path] ?? [])
    const next = (queue.length > 1 ? queue.shift() : queue[0]) ?? { status: 404, body: toProblem(new Fault('NOT_FOUND', path)) }
    if (next.drop) {
      request.socket.destroy()
      return
    }
    const type =
      next.text !== undefined ? 'text/event-stream' : (next.status ?? 200) >= 400 ? 'application/problem+json' : 'application/json'
    response.writeHead(next.status ?? 200, { 'content-type': type }).end(next.text ?? JSON.stringify(next.body))
  }
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    seen,
    at: (path: string) => seen.filter((request) => request.url.startsWith(path)),
    ephor: openEphor({ url, credential: 'eph_1' }),
  }
}
const CALLS = '/v1/calls'
const OUTCOME = '/v1/calls/dec_1/outcome'
const call = { tool: 'mail/send', input: { to: 'a@example.com' } }

test('a permitted action runs and its result is reported', async () => {
  const { ephor, at } = await world({ [CALLS]: [{ body: await permitted() }], [OUTCOME]: [{ body: reported('succeeded') }] })
  const result = await ephor.call(call, async ({ decision }) => ({ sent: decision }))
  expect(result).toMatchObject({ kind: 'done', value: { sent: 'dec_1' }, outcomeReceipt: { seq: 2 } })
  expect(at(OUTCOME)[0]?.body).toEqual({ status: 'succeeded', result: { sent: 'dec_1' } })
  expect(at(CALLS)[0]?.headers.authorization).toBe('Bearer eph_1')
})

test('a refused action never runs', async () => {
  const { ephor, at } = await world({
    [CALLS]: [{ body: { kind: 'refused', decision: 'dec_1', receipt, reasons: [], fault: 'POLICY_DENIED', detail: 'no' } }],
  })
  let ran = false
  expect(await ephor.call(call, async () => (ran = true))).toMatchObject({ kind: 'refused', fault: 'POLICY_DENIED' })
  expect([ran, at(OUTCOME).length]).toEqual([false, 0])
})

test('a held action is repeated with its handle until a person has decided', async () => {
  const { ephor, at } = await world({
    [CALLS]: [{ body: held }, { body: held }, { body: await permitted() }],
    [OUTCOME]: [{ body: reported('succeeded') }],
  })
  const told: string[] = []
  expect(await ephor.call({ ...call, onHeld: ({ id }) => told.push(id) }, async () => 1)).toMatchObject({ kind: 'done' })
  expect(told).toEqual(['apr_1'])
  const asks = at(CALLS).filter(({ url }) => url === CALLS)
  expect(asks.map(({ body }) => body['approval'])).toEqual([undefined, 'apr_1', 'apr_1'])
  expect(new Set(asks.map(({ headers }) => headers['idempotency-key'])).size).toBe(3)
})

test('without patience the hold is handed back', async () => {
  const { url } = await world({ [CALLS]: [{ body: held }] })
  const ephor = openEphor({ url, credential: 'eph_1', approvalWaitMs: 0 })
  expect(await ephor.call(call, async () => 1)).toMatchObject({ kind: 'held', approval: { id: 'apr_1' } })
})

test.each([
  ['an error is a failure', () => Promise.reject(new Error('550 no such user')), 'failed'],
  ['what nobody can say is unknown', () => Promise.reject(new OutcomeUnknown('the connection broke')), 'unknown'],
])('%s, is reported as that, and thrown again', async (_name, run, status) => {
  const { ephor, at } = await world({ [CALLS]: [{ body: await permitted() }], [OUTCOME]: [{ body: reported(status) }] })
  await expect(ephor.call(call, run)).rejects.toThrow(/no such user|connection broke/)
  expect(at(OUTCOME)[0]?.body).toMatchObject({ status })
})

test('a time-out obligation ends the action, and what it did is unknown', async () => {
  const obligations = [{ kind: 'timeout', ms: 50, policy: 'p' }]
  const { ephor, at } = await world({ [CALLS]: [{ body: await permitted({ obligations }) }], [OUTCOME]: [{ body: reported('unknown') }] })
  const run = ({ signal }: { signal: AbortSignal }) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))))
  await expect(ephor.call(call, run)).rejects.toThrow('stopped')
  expect(at(OUTCOME)[0]?.body).toMatchObject({ status: 'unknown' })
})

test.each([
  [{ kind: 'redact', category: 'ssn', policy: 'p' }, 'p demands that ssn is redacted; nothing was run'],
  [{ kind: 'sandbox', profile: 'gvisor', policy: 'p' }, 'p demands the sandbox gvisor; nothing was run'],
])('a permit that demands what the program does not do is not run, and that is reported', async (obligation, message) => {
  const { ephor, at } = await world({
    [CALLS]: [{ body: await permitted({ obligations: [obligation] }) }],
    [OUTCOME]: [{ body: reported('failed') }],
  })
  let ran = false
  await expect(ephor.call(call, async () => (ran = true))).rejects.toMatchObject({ code: 'OBLIGATION_UNMET', message })
  expect([ran, at(OUTCOME)[0]?.body]).toEqual([false, { status: 'failed', result: { error: message } }])
})

test('a permit that demands what this version does not know is not run', async () => {
  const { ephor } = await world({ [CALLS]: [{ body: await permitted({ obligations: [{ kind: 'escrow', policy: 'p' }] }) }] })
  let ran = false
  await expect(ephor.call(call, async () => (ran = true))).rejects.toMatchObject({
    code: 'OBLIGATION_UNKNOWN',
    where: '/obligations/0/kind',
  })
  expect(ran).toBe(false)
})

test('what the program keeps itself is handed to it', async () => {
  const obligations = [
    { kind: 'redact', category: 'ssn', policy: 'p' },
    { kind: 'log', level: 'full', policy: 'p' },
    { kind: 'limit', count: 1, per: 'hour', policy: 'p' },
  ]
  const { url } = await world({ [CALLS]: [{ body: await permitted({ obligations }) }], [OUTCOME]: [{ body: reported('succeeded') }] })
  const ephor = openEphor({ url, credential: 'eph_1', keeps: { redact: ['ssn'] } })
  expect(await ephor.call(call, async (permit) => permit.obligations)).toMatchObject({ kind: 'done', value: obligations })
})

test('tokens that the action says it used are added up and reported, however it ends', async () => {
  const answers = async () => ({ [CALLS]: [{ body: await permitted() }], [OUTCOME]: [{ body: reported('succeeded') }] })
  const done = await world(await answers())
  await done.ephor.call(call, async ({ usedTokens }) => {
    usedTokens(1200)
    usedTokens(34)
    return 'ok'
  })
  expect(done.at(OUTCOME)[0]?.body).toEqual({ status: 'succeeded', result: 'ok', tokens: 1234 })
  const failed = await world(await answers())
  const run = async ({ usedTokens }: RunPermit) => {
    usedTokens(7)
    throw new Error('no more')
  }
  await expect(failed.ephor.call(call, run)).rejects.toThrow('no more')
  expect(failed.at(OUTCOME)[0]?.body).toEqual({ status: 'failed', result: { error: 'no more' }, tokens: 7 })
})

test.each([-1, 0.5, NaN, Infinity, 2 ** 53, '5'])('%s is no count of tokens: what was counted before is reported', async (count) => {
  const { ephor, at } = await world({ [CALLS]: [{ body: await permitted() }], [OUTCOME]: [{ body: reported('failed') }] })
  const run = async ({ usedTokens }: RunPermit) => {
    usedTokens(10)
    usedTokens(count as number)
  }
  await expect(ephor.call(call, run)).rejects.toMatchObject({ code: 'REQUEST_INVALID', where: 'usedTokens' })
  expect(at(OUTCOME)[0]?.body).toMatchObject({ status: 'failed', tokens: 10 })
})

test('a lost answer is asked for again under the same key; a lost report is repeated', async () => {
  const { ephor, at } = await world({
    [CALLS]: [{ drop: true }, { body: await permitted() }],
    [OUTCOME]: [{ drop: true }, { body: reported('succeeded') }],
  })
  let runs = 0
  await ephor.call(call, async () => ++runs)
  const asks = at(CALLS).filter(({ url }) => url === CALLS)
  expect(new Set(asks.map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
  expect([asks.length, at(OUTCOME).length, runs]).toEqual([2, 2, 1])
})

test('a warrant for another tool or decision runs nothing', async () => {
  for (const claims of [{ tool: 'delete' }, { jti: 'dec_2' }]) {
    const { ephor } = await world({
      [CALLS]: [{ body: { ...(await permitted()), decision: 'jti' in claims ? 'dec_9' : 'dec_1', warrant: await warrant(claims) } }],
    })
    let ran = false
    await expect(ephor.call(call, async () => (ran = true))).rejects.toMatchObject({ code: 'WARRANT_INVALID' })
    expect(ran).toBe(false)
  }
})

test('a problem becomes the fault it names; silence becomes SERVER_UNREACHABLE', async () => {
  const { ephor, url } = await world({ [CALLS]: [{ status: 401, body: toProblem(new Fault('CREDENTIAL_REVOKED', 'gone')) }] })
  await expect(ephor.call(call, async () => 1)).rejects.toMatchObject({ code: 'CREDENTIAL_REVOKED', message: 'gone' })
  await expect(ephor.client.showPrincipal()).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(openEphor({ url: url.replace(/\d+$/, '1'), credential: 'x' }).client.listPeople()).rejects.toMatchObject({
    code: 'SERVER_UNREACHABLE',
  })
})

test('a warrant verifies offline for exactly its call, and only while it lasts', async () => {
  const expected = { tool: 'mail/send', input: call.input, digest: 'sha256:ab', agent: 'agt_1' }
  expect(await verifyWarrant(await warrant({ obo: 'per_1' }), jwks, expected)).toMatchObject({
    decision: 'dec_1',
    agent: 'agt_1',
    onBehalfOf: 'per_1',
  })
  const refused = { code: 'WARRANT_INVALID' }
  await expect(verifyWarrant(await warrant(), jwks, { ...expected, digest: 'sha256:cd' })).rejects.toMatchObject(refused)
  await expect(verifyWarrant(await warrant(), jwks, { ...expected, tool: 'mail/delete' })).rejects.toMatchObject(refused)
  await expect(verifyWarrant(await warrant(), jwks, { ...expected, input: { to: 'mallory' } })).rejects.toMatchObject(refused)
  await expect(verifyWarrant(await warrant(), jwks, { ...expected, agent: 'agt_2' })).rejects.toMatchObject(refused)
  await expect(verifyWarrant(await warrant({}, { typ: 'at+jwt' }), jwks, expected)).rejects.toMatchObject(refused)
  await expect(verifyWarrant(`${(await warrant()).slice(0, -6)}AAAAAA`, jwks, expected)).rejects.toMatchObject(refused)
  const later = new Date(Date.now() + 600_000)
  await expect(verifyWarrant(await warrant(), jwks, expected, later)).rejects.toMatchObject({ code: 'TOKEN_EXPIRED' })
  const none = `${btoa('{"alg":"none","typ":"ephor-warrant+jwt"}')}.${btoa('{"jti":"dec_1"}')}.`
  await expect(verifyWarrant(none, jwks, expected)).rejects.toMatchObject(refused)
})

test('an agent key is changed for a token, which is used until shortly before it ends', async () => {
  const token = (name: string, ms: number) => ({
    body: { token: name, tokenType: 'Bearer', expiresAt: new Date(Date.now() + ms).toISOString() },
  })
  const { url, at } = await world({ '/v1/tokens': [token('short', 10_000), token('long', 300_000)] })
  const bearer = agentKeyBearer({ url }, { agent: 'agt_1', credential: 'crd_1', jwk: await exportJWK(keys.privateKey) })
  expect(await Promise.all([bearer(), bearer()])).toEqual(['short', 'short'])
  expect([await bearer(), await bearer()]).toEqual(['long', 'long'])
  expect(at('/v1/tokens')).toHaveLength(2)
})

test('events are resumed after the last one seen', async () => {
  const event = (seq: number) =>
    `id: ${seq}\nevent: decision\ndata: ${JSON.stringify({ seq, type: 'decision', at: '2026-01-01T00:00:00Z', body: {} })}\n\n`
  const { url, seen } = await world({ '/v1/events': [{ text: event(4) + event(5) }, { text: event(6) }] })
  const stop = new AbortController()
  const got: number[] = []
  for await (const { seq } of readEvents({ url, bearer: () => 'eps_1' }, { after: 3, signal: stop.signal })) {
    got.push(seq)
    if (seq === 6) stop.abort()
  }
  expect(got).toEqual([4, 5, 6])
  expect(seen.map((request) => request.url)).toEqual(['/v1/events?after=3', '/v1/events?after=5'])
})
