/** Searching and exporting by command line: from a running server, and what of it works without one. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { verifyEvidence } from '@ephor/proof'
import { readRunFile } from '@ephor/server'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { EXIT } from '../exit-codes.ts'
import { ephorIn } from '../run.fixture.ts'

const PROGRAM = fileURLToPath(new URL('../../bin/ephor.mjs', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'ephor-search-cli-'))
const home = join(folder, '.ephor')
const ephor = ephorIn(folder)
let server: ChildProcess
let key = ''
let denied = ''

async function stop(): Promise<void> {
  if (server.exitCode !== null) return
  const over = new Promise((resolve) => server.once('exit', resolve))
  server.kill('SIGTERM')
  await over
}

async function json<T>(...argv: string[]): Promise<T> {
  const { code, out, err } = await ephor(...argv, '--json')
  expect([code, err]).toEqual([0, ''])
  return JSON.parse(out) as T
}

async function call(tool: string, input: unknown): Promise<string> {
  const response = await fetch(`${readRunFile(home)?.url}/v1/calls`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${readFileSync(join(home, 'demo-agent.credential'), 'utf8').trim()}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ tool, input }),
  })
  return ((await response.json()) as { decision: string }).decision
}

beforeAll(async () => {
  server = spawn(process.execPath, [PROGRAM, 'up', '--port', '0'], {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '' },
    stdio: 'ignore',
  })
  await vi.waitUntil(() => readRunFile(home), { timeout: 50_000, interval: 100 })
  key = (await json<{ verifierKey: string }>('ledger', 'head')).verifierKey
  denied = await call('files/read_text_file', { path: '/etc/passwd' })
  await call('files/read_text_file', { path: join(home, 'scratch', 'welcome.txt') })
}, 60_000)
afterAll(stop, 20_000)

type Page = { items: { seq: number; body: { id: string; type: string } }[] }

test('a refusal is found by the words of its reason and everything else that it is about', async () => {
  const words = ['--text', 'outside folder', '--effect', 'deny', '--server', 'files', '--tool', 'read_text_file', '--since', '1h']
  const { items } = await json<Page>('ledger', 'search', ...words, '--type', 'decision')
  expect(items.map(({ body }) => body.id)).toEqual([denied])
  const { out } = await ephor('ledger', 'search', '--about', denied, '--oldest')
  expect(out).toMatch(/^ENTRY +WHEN +TYPE/)
  expect(out).toMatch(new RegExp(`decision +deny +${denied} .*files/read_text_file`))
  expect((await ephor('ledger', 'search', '--effect', 'deny', '--until', '24h')).out).toBe('Nothing is found.\n')
})

test('pages end with the cursor of the next one, and --all has them all', async () => {
  const { err } = await ephor('ledger', 'search', '--limit', '2')
  const cursor = /^More: --cursor (\S+)\n$/.exec(err)?.[1] ?? ''
  expect((await ephor('ledger', 'search', '--limit', '2', '--cursor', cursor)).code).toBe(0)
  expect(await ephor('ledger', 'search', '--effect', 'deny', '--cursor', cursor)).toMatchObject({
    code: EXIT.usage,
    err: expect.stringContaining('belongs to another search'),
  })
  const all = (await ephor('ledger', 'search', '--all', '--oldest', '--json')).out.trim().split('\n')
  expect(all.map((line) => (JSON.parse(line) as { seq: number }).seq)).toEqual(all.map((_, i) => i))
})

test('a filter that nobody knows is refused with the one that was meant', async () => {
  expect(await ephor('ledger', 'search', '--agnet', 'x')).toMatchObject({ code: EXIT.usage, err: expect.stringContaining('--agent') })
  expect(await ephor('ledger', 'search', '--since', 'yesterday')).toMatchObject({ code: EXIT.usage })
})

test('decisions are listed by the same filters', async () => {
  const { out } = await ephor('decisions', 'list', '--tool', 'read_text_file', '--text', 'outside folder')
  expect(out).toContain(denied)
  expect(out.trim().split('\n')).toHaveLength(2)
})

test('an export goes into a file of its format, and who made it is on record', async () => {
  const file = join(folder, 'refused.csv')
  expect(await ephor('ledger', 'export', '--format', 'csv', '--effect', 'deny', '--out', 'refused.csv')).toMatchObject({ code: 0 })
  expect(readFileSync(file, 'utf8').split('\r\n')).toHaveLength(3)
  expect(existsSync(`${file}.part`)).toBe(false)
  const { items } = await json<Page>('ledger', 'search', '--type', 'ledger.exported')
  expect(items[0]?.body).toMatchObject({ by: expect.stringMatching(/^per_/), format: 'csv', filters: ['effect'] })
  const bundle = await ephor('ledger', 'export', '--format', 'bundle', '--since', '1h')
  expect(await verifyEvidence(bundle.out, { vkey: key })).toMatchObject({ ok: true, complete: true })
  for (const wrong of [
    ['x', '--format', 'csv'],
    ['x', '--effect', 'deny'],
    ['--out', 'x'],
    ['--format', 'xml'],
    ['--format', 'csv', '--after', 'x'],
  ])
    expect(await ephor('ledger', 'export', ...wrong), wrong.join(' ')).toMatchObject({ code: EXIT.usage })
})

test('the doctor compares the index with the ledger, and it is built again when somebody wants', async () => {
  const { checks } = JSON.parse((await ephor('doctor', '--json')).out) as { checks: { name: string; state: string }[] }
  expect(checks).toContainEqual(expect.objectContaining({ name: 'search', state: 'ok' }))
  expect(await ephor('ledger', 'reindex')).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^The index of \d+ entries is built again/),
  })
  expect((await json<Page>('ledger', 'search', '--about', denied)).items).not.toEqual([])
})

test('without a server, entries are exported all the same, and the index is removed', async () => {
  await stop()
  const { code, out } = await ephor('ledger', 'export', '--format', 'jsonl', '--text', 'outside folder')
  expect(code).toBe(0)
  expect(out).toContain(denied)
  expect(await ephor('ledger', 'search')).toMatchObject({ code: EXIT.unreachable })
  expect(await ephor('ledger', 'reindex')).toMatchObject({ code: 0, out: expect.stringContaining('the next ephor up') })
})
