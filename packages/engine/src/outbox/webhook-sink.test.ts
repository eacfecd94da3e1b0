/** Webhooks: signatures that others verify, answers of hostile receivers, and addresses that are refused. */
import { createPublicKey, generateKeyPairSync, randomBytes, verify } from 'node:crypto'
import type { LookupAddress } from 'node:dns'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { systemClock } from '@ephor/engine/kernel'
import type { CloudEvent } from '@ephor/engine/ledger'
import { Webhook } from 'standardwebhooks'
import { afterEach, expect, test } from 'vitest'
import { SOON, openWorld, range } from './outbox.fixture.ts'
import { isPublic } from './public-address.ts'
import type { WebhookOptions } from './types.ts'
import { publicLookup, retryAfterMs, webhookSink } from './webhook-sink.ts'

const SECRET = `whsec_${randomBytes(32).toString('base64')}`
const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

type Got = { headers: Record<string, string>; body: string; path: string }

/** A receiver that answers as told; 204 unless told. */
async function receiver(
  answer: (response: ServerResponse, request: IncomingMessage) => void = (response) => response.writeHead(204).end(),
) {
  const got: Got[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      got.push({ headers: request.headers as Record<string, string>, body, path: request.url ?? '' })
      answer(response, request)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(async () => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, got }
}

const event: CloudEvent = {
  specversion: '1.0',
  id: 'a.b/c#7',
  source: 'a.b/c',
  type: 'ephor.decision',
  time: '2026-01-01T00:00:00.000Z',
  sequence: '7',
  datacontenttype: 'application/json',
  data: { seq: 7, leafHash: '00', body: {} },
}
function sinkTo(url: string, more: Partial<WebhookOptions> = {}) {
  const sink = webhookSink({ url, secrets: [SECRET], allowPrivate: true, timeoutMs: 500, ...more }, (text) => text, systemClock)
  closers.push(() => sink.close())
  return (signal = new AbortController().signal) => sink.send(event, signal)
}

test('a receiver verifies v1 with the package of the specification, and v1a with the public key', async () => {
  const { url, got } = await receiver()
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const seed = privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(-32)
  const whsk = `whsk_${Buffer.concat([seed, publicKey.export({ type: 'spki', format: 'der' }).subarray(-32)]).toString('base64')}`
  await sinkTo(url, { secrets: [SECRET, whsk] })()
  const [{ headers, body }] = got as [Got]
  expect(new Webhook(SECRET).verify(body, headers)).toEqual(event)
  expect(() => new Webhook(SECRET).verify(body.replace('decision', 'approval'), headers)).toThrow('No matching signature')
  expect(headers['webhook-id']).toMatch(/^evt_[0-9a-f]{16}_7$/)
  expect(headers['content-type']).toBe('application/cloudevents+json; charset=utf-8')
  const [, v1a = ''] = (headers['webhook-signature'] ?? '').split(' ')
  const content = Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`)
  expect(verify(null, content, createPublicKey(privateKey), Buffer.from(v1a.replace('v1a,', ''), 'base64'))).toBe(true)
})

test('a ledger is delivered one event at a time, and an event that is refused comes again before the next', async () => {
  let refusals = 3
  const { url, got } = await receiver((response) => response.writeHead(refusals-- > 0 ? 503 : 200).end())
  const world = await openWorld()
  closers.push(world.close)
  const webhook = { url, secrets: [SECRET], allowPrivate: true, timeoutMs: 1000 }
  const box = world.outbox([{ name: 'siem', types: [], from: 'start', webhook }])
  await world.append(...range(10).map(() => 'decision'))
  await expect.poll(() => got.length, SOON).toBe(13)
  expect(got.map(({ body }) => (JSON.parse(body) as CloudEvent).data.seq)).toEqual([0, 0, 0, ...range(10)])
  expect(new Set(got.slice(0, 4).map(({ headers }) => headers['webhook-id'])).size).toBe(1)
  await expect.poll(async () => (await box.sinks())[0], SOON).toMatchObject({ lag: 0, failures: 0, position: 10 })
})

test.each<[string, (response: ServerResponse) => void, object]>([
  ['an error', (response) => response.writeHead(500).end('secret inside'), { message: 'the receiver answered 500', hint: {} }],
  ['busy', (response) => response.writeHead(429, { 'retry-after': '120' }).end(), { hint: { retryAfterMs: 120_000 } }],
  ['gone', (response) => response.writeHead(410).end(), { hint: { gone: true } }],
  [
    'elsewhere',
    (response) => response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(),
    { message: expect.stringContaining('redirects') },
  ],
  ['nothing', () => {}, { message: 'the receiver did not answer within 500 ms' }],
  ['rubbish', (response) => response.socket?.end('rubbish\r\n\r\n'), { message: expect.stringContaining('HTTPParserError') }],
  [
    'endless headers',
    (response) => response.writeHead(200, { x: 'x'.repeat(64 * 1024) }).end(),
    { message: expect.stringMatching(/HEADERS/) },
  ],
])('a receiver that answers %s has not taken the event', async (_, answer, failure) => {
  const { url } = await receiver(answer)
  await expect(sinkTo(url)()).rejects.toMatchObject(failure)
})

test('an answer without end is not read, and the event counts as taken', async () => {
  let written = 0
  const { url } = await receiver((response) => {
    response.writeHead(200)
    const pour = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536))) written += 65_536
    }
    response.on('drain', pour)
    pour()
  })
  await sinkTo(url)()
  expect(written).toBeLessThan(32 * 1024 * 1024)
})

test('a stop breaks off a send that hangs', async () => {
  const { url } = await receiver(() => {})
  const stop = new AbortController()
  const sending = sinkTo(url, { timeoutMs: 10_000 })(stop.signal)
  setTimeout(() => stop.abort(), 50)
  await expect(sending).rejects.toThrow('aborted')
})

test.each([
  ['http://example.com/', 'over https'],
  ['https://user:secret@example.com/', 'must not carry'],
  ['https://10.1.2.3/', 'public internet'],
  ['https://[::ffff:10.0.0.1]/', 'public internet'],
  ['https://2130706433/', 'public internet'],
  ['https://localhost/', 'public internet'],
  ['http://127.0.0.1:8080/', 'public internet'],
])('%s is refused unless the settings permit it', (url, why) => {
  const make = () => webhookSink({ url, secrets: [SECRET], allowPrivate: false, timeoutMs: 500 }, (text) => text, systemClock)
  expect(make).toThrow(why)
  expect(make).not.toThrow('secret@')
})

test('a name that leads to a private address is refused when it is resolved, so that it can’t be moved after a check', async () => {
  const answers = (...addresses: string[]) => {
    const resolved = addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 }))
    const system = (_host: string, _options: object, done: (error: null, found: LookupAddress[]) => void) => done(null, resolved)
    return new Promise((resolve, reject) =>
      publicLookup(system as never)('hook.example', { all: true }, (error, found) => (error ? reject(error) : resolve(found))),
    )
  }
  await expect(answers('93.184.215.14')).resolves.toEqual([{ address: '93.184.215.14', family: 4 }])
  await expect(answers('93.184.215.14', '169.254.169.254')).rejects.toThrow('private address')
  await expect(answers('::1')).rejects.toThrow('private address')
  await expect(answers()).rejects.toThrow('private address')
})

test('addresses of private networks, of this machine and of translators are not public', () => {
  const hidden = [
    '10.0.0.1',
    '127.0.0.1',
    '169.254.169.254',
    '172.31.0.1',
    '192.168.1.1',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
  ]
  const hidden6 = ['::1', '::', 'fe80::1', 'fd00::1', '::ffff:8.8.8.8', '64:ff9b::a00:1', '2002:a00:1::', '2001:0:1::', 'ff02::1', 'name']
  expect([...hidden, ...hidden6].filter(isPublic)).toEqual([])
  expect(['8.8.8.8', '1.1.1.1', '2606:4700::1111', '2a00:1450:4001::1'].every(isPublic)).toBe(true)
})

test('a secret that is none is refused without being shown', async () => {
  const { url, got } = await receiver()
  for (const secret of ['whsec_c2hvcnQ=', 'plain-secret', 'whsk_AAAA'])
    await expect(sinkTo(url, { secrets: [secret] })()).rejects.toThrow(/^(?!.*(c2hvcnQ|plain-secret|AAAA))the secret of a webhook/)
  expect(got).toEqual([])
})

test('Retry-After is seconds or a date', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  expect(retryAfterMs('30', now)).toBe(30_000)
  expect(retryAfterMs('Thu, 01 Jan 2026 00:01:00 GMT', now)).toBe(60_000)
  expect(retryAfterMs('Wed, 31 Dec 2025 00:00:00 GMT', now)).toBe(0)
  expect(retryAfterMs('soon', now)).toBeUndefined()
})
