/** Attacks on the door with bytes of our own over real sockets: nothing malformed, foreign or ambiguous gets to the broker. */
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '@ephor/engine/kernel'
import { ask, initialize, openDoor, openSession, parseAnswer, rawRequest, sendRaw, stateless, toolOf } from './door.fixture.ts'
import type { Door } from './door.fixture.ts'

let door: Door
beforeEach(async () => {
  door = await openDoor({
    servers: { files: { tools: [toolOf('files', 'read')] } },
    settings: { maxBodyBytes: 4096, allowedHosts: ['ephor.example'] },
  })
})
afterEach(() => door.close())

const call = (id: unknown, name = 'files__read') =>
  JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: {} } })

describe('the body', () => {
  test.each([
    ['a batch of one', `[${call(1)}]`],
    ['a batch that hides a call behind a list', `[{"jsonrpc":"2.0","id":1,"method":"tools/list"},${call(2)}]`],
    ['an empty batch', '[]'],
  ])('%s is refused whole with -32600', async (_, body) => {
    const headers = await openSession(door)
    for (const request of [{ headers, body }, { body }, { headers: stateless('tools/call', { name: 'files__read' }).headers, body }]) {
      const answer = await ask(door, request)
      expect(answer.status).toBe(400)
      expect(answer.messages[0]).toMatchObject({ id: null, error: { code: -32600 } })
    }
    expect(door.calls).toEqual([])
  })

  test.each([
    ['a duplicate key', '{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"files__read"}}', -32700],
    [
      'a duplicate key behind an escape',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"files__read","n\\u0061me":"files__write"}}',
      -32700,
    ],
    ['two values', `${call(1)}${call(2)}`, -32700],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), -32700],
    ['a __proto__ key', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"files__read","__proto__":{}}}', -32700],
    ['nothing', '', -32700],
    [
      'nesting deeper than the limit',
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${'{"a":'.repeat(80)}1${'}'.repeat(80)}}`,
      -32600,
    ],
    ['a string', '"tools/call"', -32600],
    ['a stray member', '{"jsonrpc":"2.0","id":1,"method":"tools/call","Method":"tools/list","params":{"name":"files__read"}}', -32600],
    ['another JSON-RPC version', '{"jsonrpc":"1.0","id":1,"method":"tools/list"}', -32600],
    ['a request that is also a response', '{"jsonrpc":"2.0","id":1,"method":"tools/list","result":{}}', -32600],
    ['params that are a list', '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[]}', -32600],
    ['a null id', call(null), -32600],
    ['a fractional id', call(1.5), -32600],
    ['an id that is an object', call({ a: 1 }), -32600],
    ['neither method nor id', '{"jsonrpc":"2.0"}', -32600],
  ])('%s does not get to the broker', async (_, body, code) => {
    const headers = await openSession(door)
    const answer = await ask(door, { headers, body })
    expect(answer.status).toBe(400)
    expect(answer.messages[0]).toMatchObject({ error: { code } })
    expect(door.calls).toEqual([])
  })

  test('the depth that an operator sets is the depth that counts', async () => {
    await door.close()
    door = await openDoor({ servers: { files: { tools: [toolOf('files', 'read')] } }, settings: { maxBodyDepth: 6 } })
    const nested = (depth: number) => {
      const value = `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
      return ask(door, { body: `{"jsonrpc":"2.0","id":1,"method":"initialize","params":${value}}` })
    }
    expect((await nested(5)).messages[0]).toMatchObject({ error: { code: -32602 } })
    expect((await nested(6)).messages[0]).toMatchObject({ error: { code: -32600, data: { code: 'BODY_TOO_DEEP' } } })
  })

  test('a body over the limit is refused by its declared length, and by its real one when it declares none', async () => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { padding: 'x'.repeat(5000) } })
    const declared = await ask(door, { body })
    expect(declared.status).toBe(413)
    expect(declared.messages[0]).toMatchObject({ error: { data: { code: 'BODY_TOO_LARGE' } } })
    const chunk = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
    const head = rawRequest({ headers: { 'content-length': undefined, 'transfer-encoding': 'chunked' } })
    const chunked = parseAnswer(await sendRaw(door.port, Buffer.concat([head, Buffer.from(chunk)])))
    expect(chunked.status).toBe(413)
  })

  test.each([
    ['text/plain', { 'content-type': 'text/plain' }],
    ['none', { 'content-type': undefined }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['a name that only starts like JSON', { 'content-type': 'application/jsonp' }],
    ['a compressed body', { 'content-encoding': 'gzip' }],
  ])('content type: %s is 415', async (_, headers) => {
    const body = 'content-encoding' in headers ? gzipSync(initialize()) : initialize()
    const answer = await ask(door, { headers: { ...headers, 'content-length': String(body.length) }, body })
    expect(answer.status).toBe(415)
  })

  test('a client that does not accept both kinds of answer is told so before anything is done', async () => {
    for (const accept of [undefined, 'application/json', 'text/event-stream', 'text/html'])
      expect((await ask(door, { headers: { accept }, body: initialize() })).status).toBe(406)
    const headers = await openSession(door)
    expect((await ask(door, { method: 'GET', headers: { ...headers, accept: 'application/json' } })).status).toBe(406)
  })
})

describe('where it comes from', () => {
  test.each(['POST', 'GET', 'DELETE', 'OPTIONS'])('a foreign Host or Origin is refused on %s', async (method) => {
    const headers = await openSession(door)
    const body = method === 'POST' ? call(1) : ''
    for (const foreign of [
      { host: 'evil.example' },
      { host: '127.0.0.1.evil.example:7373' },
      { origin: 'http://evil.example' },
      { origin: 'null' },
      { origin: 'http://localhost.evil.example' },
    ]) {
      const answer = await ask(door, { method, headers: { ...headers, ...foreign }, body })
      expect(answer.status).toBe(403)
      expect(answer.messages[0]).toMatchObject({ error: { data: { code: 'HOST_REFUSED' } } })
    }
    expect(door.calls).toEqual([])
    // The session that the foreign DELETE named is still there.
    expect((await ask(door, { headers, body: call(2) })).messages.at(-1)).toMatchObject({ id: 2, result: {} })
  })

  test('loopback names and names in the settings are welcome, with any port', async () => {
    for (const host of ['localhost:7373', '127.0.0.1', '[::1]:7373', 'ephor.example:8443'])
      expect((await ask(door, { headers: { host, origin: `https://${host}` }, body: initialize() })).status).toBe(200)
  })

  test('a header that decides something may stand only once', async () => {
    const headers = await openSession(door)
    for (const line of [
      'authorization: Bearer bob',
      'host: localhost',
      'mcp-session-id: other',
      'origin: http://localhost',
      'content-type: text/plain',
    ]) {
      const lines = line.startsWith('origin') ? [line, line] : [line]
      const answer = await ask(door, { headers, lines, body: call(1) })
      expect(answer.status).toBe(400)
    }
    expect(door.calls).toEqual([])
  })

  test('without a credential, or with one that opens nothing, the answer is 401 with a challenge', async () => {
    for (const authorization of [undefined, 'Basic YWxpY2U6', 'Bearer', 'Bearer mallory', 'Bearer alice bob']) {
      const answer = await ask(door, { headers: { authorization }, body: initialize() })
      expect(answer.status).toBe(401)
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer /)
    }
    expect((await ask(door, { method: 'PUT' })).status).toBe(405)
  })
})

describe('sessions', () => {
  test("another agent's session is not found, whatever is done with it", async () => {
    const headers = await openSession(door, 'alice')
    for (const method of ['POST', 'GET', 'DELETE']) {
      const answer = await ask(door, {
        method,
        headers: { ...headers, authorization: 'Bearer bob' },
        body: method === 'POST' ? call(1) : '',
      })
      expect(answer.status).toBe(404)
    }
    expect(door.calls).toEqual([])
    expect((await ask(door, { headers, body: call(1) })).messages.at(-1)).toMatchObject({ result: {} })
  })

  test('guessed, malformed and ended session ids are not found, and no id is a bad request', async () => {
    const headers = await openSession(door)
    const known = headers['mcp-session-id'] ?? ''
    for (const id of ['ses_01k9v3aaaaaaaaaaaaaaaaaaaa', known.slice(0, -1), `${known}a`, known.toUpperCase(), '../', ''])
      expect((await ask(door, { headers: { ...headers, 'mcp-session-id': id }, body: call(1) })).status).toBe(404)
    expect((await ask(door, { body: call(1) })).status).toBe(400)
    expect((await ask(door, { method: 'DELETE', headers })).status).toBe(200)
    expect((await ask(door, { headers, body: call(1) })).status).toBe(404)
    expect(door.calls).toEqual([])
  })

  test('session ids are long and never repeat', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, async () => (await openSession(door))['mcp-session-id'] ?? ''))
    expect(new Set(ids.map((id) => id.slice(-16))).size).toBe(20)
    for (const id of ids) expect(id).toMatch(/^ses_[0-9a-z]{26}$/)
  })

  test('a credential revoked in the middle of a session opens nothing more', async () => {
    const headers = await openSession(door)
    door.credentials.delete('alice')
    expect((await ask(door, { headers, body: call(1) })).status).toBe(401)
    expect(door.calls).toEqual([])
  })

  test('an answer to a request that was never made is refused', async () => {
    const headers = await openSession(door)
    for (const id of [0, 1, 'q1', '0']) {
      const answer = await ask(door, { headers, body: JSON.stringify({ jsonrpc: '2.0', id, result: { action: 'accept' } }) })
      expect(answer.status).toBe(400)
      expect(answer.messages[0]).toMatchObject({ error: { code: -32600 } })
    }
  })

  test('method names count with their case', async () => {
    const headers = await openSession(door)
    for (const method of ['Tools/Call', 'TOOLS/CALL', 'tools/call ', 'tools//call', 'tools\u2215call', 'constructor', '__proto__']) {
      const params = { name: 'files__read', arguments: {} }
      const answer = await ask(door, { headers, body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }) })
      expect(answer.messages.at(-1)).toMatchObject({ error: { code: -32601 } })
    }
    const odd = stateless('tools/call', { name: 'files__read' })
    const body = odd.body.replace('tools/call', 'Tools/Call')
    expect((await ask(door, { headers: { ...odd.headers, 'mcp-method': 'Tools/Call' }, body })).status).toBe(404)
    expect(door.calls).toEqual([])
  })
})

describe('headers against the body (2026-07-28)', () => {
  const good = stateless('tools/call', { name: 'files__read', arguments: {} })

  test('what agrees is served', async () => {
    const answer = await ask(door, good)
    expect(answer.status).toBe(200)
    expect(answer.messages[0]).toMatchObject({ result: { resultType: 'complete' } })
  })

  test.each([
    ['another method', { 'mcp-method': 'tools/list' }],
    ['another name', { 'mcp-name': 'files__write' }],
    ['a name in another case', { 'mcp-name': 'Files__read' }],
    ['an encoded other name', { 'mcp-name': `=?base64?${Buffer.from('files__write').toString('base64')}?=` }],
    ['another revision', { 'mcp-protocol-version': '2025-11-25' }],
    ['no revision', { 'mcp-protocol-version': undefined }],
    ['no method', { 'mcp-method': undefined }],
    ['no name', { 'mcp-name': undefined }],
  ])('%s in the header is HTTP 400 with -32020', async (_, headers) => {
    const answer = await ask(door, { ...good, headers: { ...good.headers, ...headers } })
    expect(answer.status).toBe(400)
    expect(answer.messages[0]).toMatchObject({ id: 1, error: { code: -32020 } })
    expect(door.calls).toEqual([])
  })

  test('a revision that nobody knows is refused', async () => {
    const body = good.body.replace('2026-07-28', '2099-01-01')
    const answer = await ask(door, { headers: { ...good.headers, 'mcp-protocol-version': '2099-01-01' }, body })
    expect(answer.status).toBe(400)
    expect(door.calls).toEqual([])
  })

  test('a stateless header without the envelope does not fall back to a session', async () => {
    const session = await openSession(door)
    const answer = await ask(door, { headers: { ...session, ...good.headers }, body: call(1) })
    expect(answer.status).toBe(400)
    expect(door.calls).toEqual([])
  })
})

describe('arguments that a tool wants repeated in headers (2026-07-28)', () => {
  const property = (name: string, type: string) => ({ type, 'x-mcp-header': name })
  const schema = { type: 'object', properties: { region: property('Region', 'string'), count: property('Count', 'integer') } }
  const route = (args: JsonObject, headers: Record<string, string> = {}, name = 'files__route') => {
    const request = stateless('tools/call', { name, arguments: args })
    return ask(door, { ...request, headers: { ...request.headers, ...headers } })
  }
  const encoded = (text: string) => `=?base64?${Buffer.from(text).toString('base64')}?=`

  beforeEach(async () => {
    await door.close()
    const tools = [toolOf('files', 'route', { inputSchema: schema })]
    door = await openDoor({
      servers: { files: { tools }, hidden: { tools: [toolOf('hidden', 'route', { inputSchema: schema })] } },
      visible: (_, server) => server === 'files',
    })
  })

  test('what agrees is served: encoded or plain, numbers by their value, and nothing for what is absent', async () => {
    const args = { region: 'Zürich', count: 42 }
    for (const headers of [
      { 'mcp-param-region': encoded('Zürich'), 'mcp-param-count': '42' },
      { 'Mcp-Param-Region': encoded('Zürich'), 'mcp-param-count': '42.0' },
    ])
      expect((await route(args, headers)).messages[0]).toMatchObject({ result: { resultType: 'complete' } })
    expect((await route({}, { 'mcp-param-region': 'ignored' })).messages[0]).toMatchObject({ result: {} })
    expect(door.calls).toHaveLength(3)
  })

  test.each<[string, JsonObject, Record<string, string>]>([
    ['a missing header', { region: 'eu' }, {}],
    ['another value', { region: 'eu' }, { 'mcp-param-region': 'us' }],
    ['another case', { region: 'eu' }, { 'mcp-param-region': 'EU' }],
    ['another number', { count: 42 }, { 'mcp-param-count': '43' }],
    ['a number in words of its own', { count: 16 }, { 'mcp-param-count': '0x10' }],
    ['broken base64', { region: 'eu' }, { 'mcp-param-region': '=?base64?ZX?=' }],
    ['bytes that are not UTF-8', { region: 'eu' }, { 'mcp-param-region': '=?base64?/w==?=' }],
    ['one of two that says something else', { region: 'eu', count: 1 }, { 'mcp-param-region': 'eu', 'mcp-param-count': '2' }],
  ])('%s is HTTP 400 with -32020, and nothing is called', async (_, args, headers) => {
    const answer = await route(args, headers)
    expect(answer.status).toBe(400)
    expect(answer.messages[0]).toMatchObject({ id: 1, error: { code: -32020 } })
    expect(door.calls).toEqual([])
  })

  test('the header twice is refused, whatever it says', async () => {
    const request = stateless('tools/call', { name: 'files__route', arguments: { region: 'eu' } })
    const answer = await ask(door, { ...request, lines: ['mcp-param-region: eu', 'Mcp-Param-Region: us'] })
    expect(answer.status).toBe(400)
    expect(door.calls).toEqual([])
  })

  test('a tool that the agent may not see says nothing about its headers', async () => {
    const answer = await route({ region: 'eu' }, {}, 'hidden__route')
    expect(JSON.stringify(answer.messages)).not.toContain('Region')
    expect(door.calls).toHaveLength(1)
  })
})

describe('names that deceive', () => {
  test.each([
    ['a Cyrillic look-alike', 'files__re\u0430d'],
    ['a zero-width space', 'files__re\u200bad'],
    ['a bidi override', 'files__\u202eread'],
    ['a full-width letter', 'files__\uff52ead'],
    ['a combining mark', 'files__re\u0301ad'],
    ['a soft hyphen', 'fi\u00adles__read'],
    ['a variation selector', 'files__read\ufe0f'],
    ['a tag character', 'files__read\u{e0061}'],
    ['a no-break space', 'files__read\u00a0'],
  ])('%s is refused as suspicious, and on record', async (_, name) => {
    const headers = await openSession(door)
    const answer = await ask(door, { headers, body: call(1, name) })
    expect(answer.messages.at(-1)).toMatchObject({ error: { code: -32602, data: { code: 'TOOL_NAME_SUSPICIOUS' } } })
    expect(door.calls).toHaveLength(1)
    expect((await door.upstreamOf('files')).requests).toEqual([])
  })
})
