/** Tests of the HTTP shell: every way a request can be malformed or foreign is answered with a problem, never by a route. */
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeLog } from '@ephor/engine/kernel'
import { createApp } from './create-app.ts'

const app = createApp({
  log: makeLog('silent'),
  hosts: { host: '127.0.0.1', allowedHosts: ['ephor.example', 'inspector.example:8080'], publicUrl: 'https://ephor.acme.example' },
  limits: { bodyBytes: 2048, bodyDepth: 8 },
})
const reached: unknown[] = []
app.post('/v1/things/:id', async (request) => {
  reached.push(request.body)
  return { ok: true }
})
app.get('/v1/things/:id', async () => ({ ok: true }))
app.get('/fails', async () => {
  throw new Error('a secret inside')
})
let port = 0

beforeAll(async () => {
  await app.listen({ host: '127.0.0.1', port: 0 })
  port = (app.server.address() as AddressInfo).port
})
afterAll(() => app.close())

const post = (body: string | Buffer, headers: Record<string, string> = {}) =>
  app.inject({ method: 'POST', url: '/v1/things/1', headers: { host: 'localhost', 'content-type': 'application/json', ...headers }, body })

async function raw(text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    socket.on('data', (data) => (answer += data.toString()))
    socket.on('close', () => resolve(answer))
  })
}

test.each([
  ['duplicate keys', '{"a":1,"a":2}', {}, 400, 'JSON_INVALID'],
  ['not JSON', '{', {}, 400, 'JSON_INVALID'],
  ['too deep', '['.repeat(9) + ']'.repeat(9), {}, 400, 'BODY_TOO_DEEP'],
  ['too large', `"${'x'.repeat(3000)}"`, {}, 413, 'BODY_TOO_LARGE'],
  ['a form', 'a=1', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'CONTENT_TYPE_UNSUPPORTED'],
  ['text', '{}', { 'content-type': 'text/plain' }, 415, 'CONTENT_TYPE_UNSUPPORTED'],
  ['another character set', '{}', { 'content-type': 'application/json; charset=utf-16' }, 415, 'CONTENT_TYPE_UNSUPPORTED'],
  ['a foreign host', '{}', { host: 'evil.example' }, 403, 'HOST_REFUSED'],
  ['a host that hides another', '{}', { host: 'localhost@evil.example' }, 403, 'HOST_REFUSED'],
  ['a foreign origin', '{}', { origin: 'https://evil.example' }, 403, 'HOST_REFUSED'],
  ['an opaque origin', '{}', { origin: 'null' }, 403, 'HOST_REFUSED'],
  ['a page on another port of this machine', '{}', { host: 'localhost:7373', origin: 'http://localhost:3000' }, 403, 'HOST_REFUSED'],
])('%s is refused before any route sees it', async (_name, body, headers, status, code) => {
  reached.length = 0
  const answer = await post(body, headers)
  expect(answer.statusCode).toBe(status)
  expect(answer.headers['content-type']).toMatch('application/problem+json')
  expect(answer.json()).toMatchObject({ code, status })
  expect(reached).toEqual([])
})

test.each([
  [{ host: 'localhost:7373', origin: 'http://localhost:7373' }],
  [{ host: '[::1]:7373' }],
  [{ host: 'ephor.example' }],
  [{ host: 'localhost', origin: 'http://inspector.example:8080' }],
  [{ host: 'ephor.acme.example', origin: 'https://ephor.acme.example' }],
])('our own hosts and origins are served: %o', async (headers) => {
  expect((await post('{"a":1}', headers)).statusCode).toBe(200)
})

test('a path that takes other methods says which; an unknown one is not found', async () => {
  const other = await app.inject({ method: 'DELETE', url: '/v1/things/1', headers: { host: 'localhost' } })
  expect(other.statusCode).toBe(405)
  expect(other.headers['allow']).toBe('GET, HEAD, POST')
  expect(other.json()).toMatchObject({ code: 'METHOD_NOT_ALLOWED' })
  const none = await app.inject({ url: '/v1/none', headers: { host: 'localhost' } })
  expect(none.json()).toMatchObject({ code: 'NOT_FOUND', status: 404 })
})

test('an unexpected error says nothing about the inside', async () => {
  const answer = await app.inject({ url: '/fails', headers: { host: 'localhost' } })
  expect(answer.statusCode).toBe(500)
  expect(answer.body).not.toContain('secret')
})

test('every answer has the security headers, no-store and a request id, and the server sets that id itself', async () => {
  const answer = await app.inject({ url: '/v1/things/1', headers: { host: 'localhost', 'x-request-id': 'mine' } })
  expect(answer.headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY', 'cache-control': 'no-store' })
  expect(answer.headers['content-security-policy']).toContain("default-src 'none'")
  expect(answer.headers['x-request-id']).toMatch(/^req_[0-9a-f]{16}$/)
})

test('bytes that are not HTTP and a Host sent twice are refused', async () => {
  expect(await raw('NONSENSE\r\n\r\n')).toMatch(/^HTTP\/1\.1 400[\s\S]*REQUEST_INVALID/)
  const twice = await raw('GET /v1/things/1 HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n')
  expect(twice).toMatch(/^HTTP\/1\.1 4/)
})
