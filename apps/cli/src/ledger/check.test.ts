/** `ephor ledger check` on a real server with the demo in it: all rooms' tables agree, and a changed one is named. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { alterStore } from '@ephor/engine/kernel/testing'
import { readRunFile } from '@ephor/server'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { EXIT } from '../exit-codes.ts'
import { ephorIn } from '../run.fixture.ts'

const PROGRAM = fileURLToPath(new URL('../../bin/ephor.mjs', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'ephor-check-cli-'))
const home = join(folder, '.ephor')
const ephor = ephorIn(folder)
let server: ChildProcess

async function start(): Promise<string> {
  rmSync(join(home, 'running.json'), { force: true })
  server = spawn(process.execPath, [PROGRAM, 'up', '--port', '0'], {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '' },
    stdio: 'ignore',
  })
  return vi.waitUntil(() => readRunFile(home)?.url, { timeout: 50_000, interval: 100 })
}

async function end(): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const over = once(server, 'exit')
  server.kill('SIGTERM')
  await over
}

beforeAll(() => start(), 60_000)
afterAll(async () => {
  await end()
  rmSync(folder, { recursive: true, force: true })
}, 20_000)

test(
  'all tables agree with the ledger; a changed credential opens nothing and is named with its column',
  { timeout: 120_000 },
  async () => {
    const credential = readFileSync(join(home, 'demo-agent.credential'), 'utf8').trim()
    const call = (path: string) =>
      fetch(`${readRunFile(home)?.url}/v1/calls`, {
        method: 'POST',
        headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json', 'idempotency-key': path },
        body: JSON.stringify({ tool: 'files/read_file', input: { path } }),
      })
    for (const path of [join(home, 'scratch', 'welcome.txt'), '/etc/passwd']) expect((await call(path)).status).toBeLessThan(500)
    expect((await ephor('agents', 'add', 'invoices', '--purpose', 'files invoices')).code).toBe(0)
    const whole = await ephor('ledger', 'check')
    expect(whole).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+ rows are what \d+ entries say\.$/m) })
    expect((await ephor('doctor')).out).toMatch(/^ok +tables +\d+ rows/m)

    await end()
    await alterStore(home, "UPDATE identity_credential SET on_behalf_of = 'per_x'")
    await start()
    expect((await call('x')).status).toBe(401)
    const { code, out } = await ephor('ledger', 'check')
    expect(code).toBe(EXIT.failed)
    expect(out).toMatch(/^identity_credential crd_\w+ on_behalf_of: its on_behalf_of is not what the ledger says$/m)
    const doctor = await ephor('doctor')
    expect(doctor.code).toBe(EXIT.failed)
    expect(doctor.out).toMatch(/^PROBLEM +tables +STORE_CORRUPT: identity_credential crd_/m)
    expect(doctor.out).toContain('rows of people, credentials or sessions are not what the ledger says')
  },
)
