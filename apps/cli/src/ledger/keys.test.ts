/** Keys of the ledger by command line, on a real server that is killed and started again. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readRunFile } from '@ephor/server'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { EXIT } from '../exit-codes.ts'
import { ephorIn } from '../run.fixture.ts'

const PROGRAM = fileURLToPath(new URL('../../bin/ephor.mjs', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'ephor-keys-cli-'))
const home = join(folder, '.ephor')
const ephor = ephorIn(folder)
let server: ChildProcess

async function start(environment: Record<string, string> = {}): Promise<string> {
  rmSync(join(home, 'running.json'), { force: true })
  server = spawn(process.execPath, [PROGRAM, 'up', '--port', '0', '--demo', 'false'], {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', ...environment },
    stdio: 'ignore',
  })
  return vi.waitUntil(() => readRunFile(home)?.url, { timeout: 50_000, interval: 100 })
}

async function end(signal: NodeJS.Signals): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const over = once(server, 'exit')
  server.kill(signal)
  await over
}

beforeAll(() => start(), 60_000)
afterAll(() => end('SIGTERM'), 20_000)

type Keys = { items: { key: string; state: string; since?: number }[] }

async function keys(): Promise<Keys['items']> {
  const { code, out, err } = await ephor('ledger', 'keys', '--json')
  expect([code, err]).toEqual([0, ''])
  return (JSON.parse(out) as Keys).items
}

test(
  'a key is rotated, the server killed, and the ledger goes on with the new key; the old one leads to it',
  { timeout: 90_000 },
  async () => {
    const [first] = await keys()
    expect(first?.state).toBe('current')
    const { code, out } = await ephor('ledger', 'rotate-key')
    expect(code).toBe(0)
    await end('SIGKILL')
    const url = await start({ EPHOR_LEDGER_PUBLIC: 'true' })
    const [old, now] = await keys()
    expect([old?.state, now?.state, old?.key]).toEqual(['replaced', 'current', first?.key])
    expect(out).toContain(now?.key)
    for (const key of [old?.key ?? '', now?.key ?? '']) {
      const verified = await ephor('ledger', 'verify', '--key', key)
      expect([verified.code, verified.err]).toEqual([0, ''])
    }
    // Public by the setting: nobody signed in.
    const checkpoint = await fetch(`${url}/ledger/checkpoint`)
    expect([checkpoint.status, checkpoint.headers.get('cache-control')]).toEqual([200, 'no-cache'])
    expect((await fetch(`${url}/v1/ledger/entries`)).status).toBe(401)

    await expect(ephor('ledger', 'revoke-key', now?.key ?? '', '--size', '1', '--reason', 'lost')).resolves.toMatchObject({
      code: EXIT.failed,
    })
    await expect(ephor('ledger', 'revoke-key', old?.key ?? '', '--size', 'many', '--reason', 'lost')).resolves.not.toMatchObject({
      code: 0,
    })
    const revoked = await ephor('ledger', 'revoke-key', old?.key ?? '', '--size', String(now?.since), '--reason', 'compromised')
    expect(revoked).toMatchObject({ code: 0, out: expect.stringContaining(`above ${now?.since} entries`) as string })
    expect((await ephor('ledger', 'keys')).out).toMatch(/revoked.*compromised/)
  },
)
