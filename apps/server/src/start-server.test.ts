/** Tests of the whole server on a data folder: first run, API description, sign-in, faults at the start, restart, stop. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { allOperations } from '@ephor/contract'
import { signOperatorAssertion } from '@ephor/engine/identity'
import { loadKeys, makeLog } from '@ephor/engine/kernel'
import { readRunFile } from './run-file.ts'
import { loadSettings } from './settings/load-settings.ts'
import { startServer } from './start-server.ts'
import type { RunningServer } from './start-server.ts'

const log = makeLog('silent')
const settingsIn = (folder: string, flags: Record<string, unknown> = {}) =>
  loadSettings({ folder, environment: {}, flags: { port: 0, ...flags } })
const newFolder = () => mkdtempSync(join(tmpdir(), 'ephor-server-'))
const start = (folder: string, flags?: Record<string, unknown>) => startServer(settingsIn(folder, flags), log)

const folder = newFolder()
const home = join(folder, '.ephor')
let running: RunningServer

beforeAll(async () => {
  running = await start(folder)
}, 60_000)
afterAll(() => running.stop())

async function asOperator(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const bearer = await signOperatorAssertion(loadKeys(join(home, 'keys')).operator, Date.now())
  return fetch(running.url + path, {
    method,
    headers: { authorization: `Bearer ${bearer}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

test('the first run makes a private folder, keys, policies, and a demo that is accepted as confirmed', () => {
  expect(statSync(home).mode & 0o777).toBe(0o700)
  for (const name of ['keys/ledger.key', 'keys/operator.key', 'store.db', 'demo-agent.credential'])
    expect(statSync(join(home, name)).mode & 0o077).toBe(0)
  expect(existsSync(join(home, 'policies', 'reads.cedar'))).toBe(true)
  const { registry } = running.rooms
  expect(registry.server('files')).toMatchObject({ state: 'accepted', folders: [join(home, 'scratch')] })
  expect(registry.tool('files', 'move_file')).toMatchObject({ state: 'accepted', kind: 'destructive', paths: ['/source', '/destination'] })
  expect(registry.tool('files', 'read_file')).toMatchObject({ state: 'accepted', kind: 'read' })
  // A tool that a new version of the demo server brings would be proposed as destructive: then classify it.
  expect(
    registry
      .tools('files')
      .filter(({ kind }) => kind === 'destructive')
      .map(({ name }) => name),
  ).toEqual(['move_file'])
})

test('the API is described by a valid OpenAPI document that has every operation', async () => {
  const response = await fetch(`${running.url}/openapi.json`)
  const document = (await response.json()) as { openapi: string; paths: Record<string, Record<string, { operationId: string }>> }
  const result = await new Validator().validate(structuredClone(document))
  expect(result.errors ?? []).toEqual([])
  expect(result.valid).toBe(true)
  const described = Object.values(document.paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId))
  expect(described.toSorted()).toEqual(Object.keys(allOperations).toSorted())
  const again = await fetch(`${running.url}/openapi.json`, { headers: { 'if-none-match': response.headers.get('etag') ?? '' } })
  expect(again.status).toBe(304)
})

test('every described operation is mounted, and none that needs somebody answers nobody', async () => {
  const answers: { name: string; status: number; who: string }[] = []
  for (const [name, { method, path, who }] of Object.entries(allOperations)) {
    const response = await fetch(running.url + path.replaceAll(/\{\w+\}/g, '1'), {
      method,
      ...(method === 'GET' ? {} : { headers: { 'content-type': 'application/json' }, body: '{}' }),
    })
    await response.body?.cancel()
    answers.push({ name, status: response.status, who })
  }
  expect(answers.filter(({ status }) => [404, 405, 500].includes(status))).toEqual([])
  expect(answers.filter(({ status, who }) => who !== 'anyone' && status !== 401)).toEqual([])
})

test('a link signs in once, by POST, into a cookie that only our own pages can use', async () => {
  const link = new URL(await running.signInLink())
  const code = link.hash.slice('#code='.length)
  const signIn = (origin: string) =>
    fetch(`${running.url}/v1/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin },
      body: JSON.stringify({ code }),
    })
  expect((await signIn('https://evil.example')).status).toBe(403)
  const signedIn = await signIn(link.origin)
  expect(signedIn.status).toBe(201)
  const cookie = signedIn.headers.get('set-cookie') ?? ''
  expect(cookie).toMatch(/HttpOnly; SameSite=Strict/)
  expect((await signIn(link.origin)).status).toBe(410)
  const headers = { cookie: cookie.split(';')[0] ?? '' }
  expect(await (await fetch(`${running.url}/v1/principal`, { headers })).json()).toMatchObject({ kind: 'person' })
  expect(
    (await fetch(`${running.url}/v1/links`, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: '{}' }))
      .status,
  ).toBe(403)
})

test('the console is served whole, and its policy lets nothing in from elsewhere', async () => {
  for (const path of ['/', '/app.js', '/elements.js', '/style.css', '/icon.svg']) {
    const response = await fetch(running.url + path)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
  }
  expect(await (await fetch(running.url)).text()).not.toMatch(/<script(?! type="module" src="\/app.js")|<style|https?:/)
})

test('an idempotent write through the whole server happens once', async () => {
  const body = { name: 'invoices', purpose: 'files invoices' }
  const [first, second] = [
    await asOperator('POST', '/v1/agents', body, { 'idempotency-key': 'k1' }),
    await asOperator('POST', '/v1/agents', body, { 'idempotency-key': 'k1' }),
  ]
  expect([first.status, second.status]).toEqual([201, 201])
  expect(await second.json()).toEqual(await first.json())
  expect(running.rooms.registry.agents().filter(({ name }) => name === 'invoices')).toHaveLength(1)
})

test('a call through the API is streamed to people as it happens', async () => {
  const credential = readFileSync(join(home, 'demo-agent.credential'), 'utf8').trim()
  const stream = await asOperator('GET', '/v1/events?types=decision')
  const reader = (stream.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader()
  await reader.read()
  const input = { path: join(home, 'scratch', 'welcome.txt') }
  const asked = await fetch(`${running.url}/v1/calls`, {
    method: 'POST',
    headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' },
    body: JSON.stringify({ tool: 'files/read_file', input }),
  })
  const { decision } = (await asked.json()) as { decision: string }
  let text = ''
  while (!text.includes('\n\n')) text += (await reader.read()).value ?? ''
  expect(text).toMatch(/^id: \d+\nevent: decision\ndata: /)
  expect(text).toContain(decision)
  await reader.cancel()
})

test('a second Ephor on the same folder, a taken port, unsafe keys and a damaged store are each one clear fault', async () => {
  await expect(start(folder)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  await expect(start(newFolder(), { port: (taken.address() as AddressInfo).port, demo: false })).rejects.toMatchObject({
    code: 'PORT_TAKEN',
  })
  taken.close()

  const unsafe = newFolder()
  mkdirSync(join(unsafe, '.ephor'))
  loadKeys(join(unsafe, '.ephor', 'keys'))
  chmodSync(join(unsafe, '.ephor', 'keys', 'token.key'), 0o644)
  await expect(start(unsafe)).rejects.toMatchObject({ code: 'KEY_UNSAFE' })

  const damaged = newFolder()
  mkdirSync(join(damaged, '.ephor'))
  writeFileSync(join(damaged, '.ephor', 'store.db'), 'not a database, however long this text is: '.repeat(200))
  await expect(start(damaged)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })

  const file = newFolder()
  writeFileSync(join(file, 'home'), '')
  await expect(start(file, { home: 'home' })).rejects.toMatchObject({ code: 'HOME_UNWRITABLE' })
})

test('a stop ends streams and cleans up; a restart keeps everything and sets up nothing twice', async () => {
  const other = newFolder()
  const first = await start(other)
  const before = first.rooms.registry.agents()
  await first.stop()
  expect(readRunFile(join(other, '.ephor'))).toBeUndefined()
  const second = await start(other)
  expect(second.rooms.registry.agents()).toEqual(before)
  expect(second.rooms.registry.servers()).toHaveLength(1)
  await second.rooms.registry.removeServer('files', 'system')
  await second.stop()
  const third = await start(other)
  expect(third.rooms.registry.servers()).toEqual([])
  await third.stop()
})
