/** Tests of the event stream: resume, live entries, filters, people only, slow and signed-out readers dropped. */
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { Fault } from '@ephor/contract'
import type { Principal } from '@ephor/contract'
import { makeLog } from '@ephor/engine/kernel'
import type { Entry } from '@ephor/engine/ledger'
import { createApp } from '../http/create-app.ts'
import { mountEvents } from './mount-events.ts'

const person: Principal = { kind: 'person', id: 'per_1', session: 'ses_1' }
const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function world(start = 0, timing: { heartbeatMs?: number; slowMs?: number } = {}) {
  const entries: Entry[] = []
  const listeners = new Set<() => void>()
  let principal: Principal | undefined = person
  const add = (type: string, more: Record<string, string> = {}) => {
    entries.push({ seq: entries.length, leafHash: '', body: { type, at: '2026-01-01T00:00:00.000Z', ...more } })
    for (const listener of listeners) listener()
  }
  for (let i = 0; i < start; i++) add('decision')
  const app = createApp({
    log: makeLog('silent'),
    hosts: { host: '127.0.0.1', allowedHosts: [] },
    limits: { bodyBytes: 2048, bodyDepth: 8 },
  })
  const stop = mountEvents(app, {
    ledger: {
      list: async ({ after = -1, limit }) => entries.slice(after + 1, after + 1 + limit),
      head: async () => ({ size: entries.length, root: '', checkpoint: '' }),
    },
    onAppend: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    authenticate: async () => {
      if (!principal) throw new Fault('UNAUTHENTICATED', 'signed out')
      return principal
    },
    ...timing,
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const port = (app.server.address() as AddressInfo).port
  closers.push(async () => {
    stop()
    await app.close()
  })
  return {
    add,
    port,
    url: `http://127.0.0.1:${port}/v1/events`,
    listeners,
    stop,
    become: (next: Principal | undefined) => (principal = next),
  }
}

/** Reads until `done` says so, then hangs up. `opened` runs once the stream is there. */
async function read(
  url: string,
  done: (text: string) => boolean,
  { headers = {}, opened = () => {} }: { headers?: Record<string, string>; opened?: () => void } = {},
): Promise<string> {
  const abort = new AbortController()
  const response = await fetch(url, { headers, signal: abort.signal })
  opened()
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array)
    if (done(text)) break
  }
  abort.abort()
  return text
}
const ids = (text: string) => [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]))

test('a reader gets entries as they become durable, from the end of the ledger on', async () => {
  const { add, url } = await world(3)
  const opened = () => {
    add('decision', { effect: 'permit' })
    add('approval.opened')
  }
  const text = read(url, (t) => ids(t).length === 2, { opened })
  expect(await text).toMatch(/id: 3\nevent: decision\ndata: \{"seq":3,.*"effect":"permit".*\n\nid: 4\nevent: approval.opened/)
})

test('a reader that comes back goes on after the last entry it saw, over more than a page', async () => {
  const { url } = await world(450)
  expect(ids(await read(url, (t) => ids(t).length === 440, { headers: { 'last-event-id': '9' } }))).toEqual(
    Array.from({ length: 440 }, (_, i) => i + 10),
  )
  expect((await fetch(url, { headers: { 'last-event-id': 'x' } })).status).toBe(400)
})

test('a filter leaves other types out and still moves on', async () => {
  const { add, url } = await world(2)
  add('approval.opened')
  add('server.accepted')
  add('approval.decided')
  expect(ids(await read(`${url}?types=approval&after=-1`, (t) => ids(t).length === 2))).toEqual([2, 4])
})

test('agents and strangers get no stream', async () => {
  const { url, become } = await world()
  become({ kind: 'agent', id: 'agt_1', credential: 'crd_1' })
  expect((await fetch(url)).status).toBe(403)
  become(undefined)
  expect((await fetch(url)).status).toBe(401)
})

test('a reader whose session ends is cut off at the next heartbeat', async () => {
  const { url, become, listeners } = await world(0, { heartbeatMs: 30 })
  const over = read(url, (text) => (text.includes('\n: ') && become(undefined), false))
  expect(await over).toContain(': \n\n')
  expect(listeners.size).toBe(0)
})

test('a reader that takes nothing is dropped, and nothing piles up for it', async () => {
  const { add, port, listeners } = await world(0, { slowMs: 100 })
  const socket = connect(port, '127.0.0.1', () => socket.write('GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n'))
  socket.on('error', () => {})
  await new Promise((resolve) => socket.once('data', resolve))
  socket.pause()
  const filler = 'x'.repeat(50_000)
  for (let i = 0; i < 400; i++) add('decision', { filler })
  await expect.poll(() => listeners.size, { timeout: 5000 }).toBe(0)
  socket.destroy()
})

test('a stop ends the streams', async () => {
  const { url, stop } = await world()
  const over = read(url, () => false, { opened: stop })
  expect(await over).toBe('retry: 2000\n\n')
})
