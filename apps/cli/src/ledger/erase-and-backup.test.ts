/** Erasure, holds, retention, backup and restore from the command line, against a server and without one. */
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeLog } from '@ephor/engine/kernel'
import { loadSettings, startServer } from '@ephor/server'
import type { RunningServer } from '@ephor/server'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ephorIn } from '../run.fixture.ts'

const ANNA = 'agt_0000000000000000000000000a'
const folder = mkdtempSync(join(tmpdir(), 'ephor-erase-'))
const ephor = ephorIn(folder)
let server: RunningServer
let seq: number

const read = () => server.rooms.ledger.payload(seq, 'input')

beforeAll(async () => {
  const { settings } = loadSettings({ folder, environment: {}, flags: { port: 0, demo: false } })
  server = await startServer({ settings }, makeLog('silent'))
  const payloads = [{ name: 'input', subject: ANNA, value: 'said' }]
  const [receipt] = await server.rooms.ledger.append({ changes: [], entries: [{ type: 'note', body: {}, payloads }] })
  seq = receipt?.seq ?? -1
}, 60_000)
afterAll(() => server.stop())

test('what would go is shown first, and nothing goes without a yes', async () => {
  for (const flags of [[], ['--dry-run'], ['--yes', '--dry-run']]) {
    const { code, out } = await ephor('ledger', 'erase', '--subject', ANNA, ...flags)
    expect(code).toBe(0)
    expect(out).toContain('1 input')
    expect(out).toContain('Nothing was erased')
  }
  await expect(read()).resolves.toBe('said')
})

test('what is held is refused, until it is released', async () => {
  const placed = await ephor('ledger', 'hold', 'place', '--subject', ANNA, '--reason', 'case 7', '--json')
  const { id } = JSON.parse(placed.out) as { id: string }
  const refused = await ephor('ledger', 'erase', '--subject', ANNA, '--yes')
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('A legal hold keeps this')])
  await expect(read()).resolves.toBe('said')
  expect((await ephor('ledger', 'hold', 'list')).out).toContain('case 7')
  expect((await ephor('ledger', 'hold', 'release', id)).code).toBe(0)
  expect((await ephor('ledger', 'hold', 'place', '--reason', 'of nothing')).code).toBe(2)
})

test('rules come from a file, and what is wrong in it is named', async () => {
  writeFileSync(join(folder, 'retention.yaml'), 'classes:\n  content: [input]\nrules:\n  - { class: content, keep: 90d }\n')
  expect((await ephor('ledger', 'retention', 'set', 'retention.yaml')).out).toContain('in force')
  expect((await ephor('ledger', 'retention', 'show')).out).toMatch(/content +every +90d/)
  writeFileSync(join(folder, 'wrong.yaml'), 'rules:\n  - { class: nope, keep: 90d }\n')
  expect((await ephor('ledger', 'retention', 'set', 'wrong.yaml')).err).toContain('the class "nope", which is not declared')
  expect((await ephor('ledger', 'retention', 'sweep')).out).toContain('Nothing is past')
})

test('a name goes with the rest once its agent is retired, and not before', async () => {
  const { registry, identity } = server.rooms
  const { id } = await registry.registerAgent({ name: 'zephyr-quux', owner: 'ops', purpose: 'testing' }, identity.operator)
  const early = await ephor('ledger', 'erase', '--subject', id, '--yes')
  expect([early.code, early.err]).toEqual([1, expect.stringContaining('retire it first')])
  expect((await ephor('agents', 'retire', id)).code).toBe(0)
  const shown = await ephor('ledger', 'erase', '--subject', id)
  expect(shown.out).toMatch(/Goes[^]*zephyr-quux[^]*Stays:[^]*the owner/)
  const erased = await ephor('ledger', 'erase', '--subject', id, '--yes')
  expect([erased.code, erased.out]).toEqual([0, expect.stringMatching(/Erased: 0 keys; the name “zephyr-quux”.*Recorded as retention/)])
  expect((await ephor('agents', 'list')).out).not.toContain('zephyr-quux')
  expect((await ephor('ledger', 'erase', '--subject', id, '--yes')).out).toContain('nothing to erase')
})

test('a backup of a running server restores without one, behind nothing that was signed since', async () => {
  const made = await ephor('backup', 'saved')
  expect([made.code, made.err]).toEqual([0, ''])
  expect(readdirSync(join(folder, 'saved'))).toContain('manifest.sig')
  expect((await ephor('backup', 'saved')).err).toContain('not empty')
  expect((await ephor('restore', 'saved')).err).toContain('Another Ephor runs')
  const erased = await ephor('ledger', 'erase', '--subject', ANNA, '--yes')
  expect([erased.code, erased.out]).toEqual([0, expect.stringContaining('Erased: 1 keys')])
  await expect(read()).resolves.toBeUndefined()
  expect((await ephor('ledger', 'erasures')).out).toContain('subject-request')
  await server.stop()
  expect((await ephor('restore', 'saved')).err).toContain('does not match its last known checkpoint')
  expect((await ephor('restore', 'saved', '--accept-rollback')).err).toContain('--reason')
  const restored = await ephor('restore', 'saved', '--accept-rollback', '--reason', 'a test')
  expect([restored.code, restored.out]).toEqual([0, expect.stringContaining('erased again')])
  expect((await ephor('ledger', 'verify')).out).toContain('ledger.restored')
  expect((await ephor('backup', 'again')).out).toContain('Private keys are not in it')
}, 60_000)
