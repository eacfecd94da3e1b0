/** Stopping and starting: a stop loses nothing in flight, and what keeps Ephor from starting is one clear sentence with what to do. */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { FAULTS } from '@ephor/contract'
import type { FaultCode } from '@ephor/contract'
import { startEphor, stdioServer } from '@ephor/testkit'
import type { EphorProcess } from '@ephor/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { callTool } from './call-tool.ts'
import { runUp } from './programs.ts'
import type { Ended } from './programs.ts'
import { readExport } from './read-export.ts'

const TIMEOUT = { timeout: 90_000 }
/** As documented in `ephor --help`. */
const [USAGE, MACHINE] = [2, 5]

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ephor-restart-')))
const home = join(folder, 'home')
/** The data folder as it was when it was first stopped. */
const earlier = join(folder, 'earlier')

beforeAll(async () => {
  const ephor = await startEphor({ home })
  const transport = { type: 'stdio' as const, ...stdioServer('hostile', '--mode', 'honest'), env: {} }
  await ephor.addServer({ name: 'slow', transport, folders: [] }, { slow: { kind: 'read', risk: 'low' } })
  await ephor.stop({ keep: true })
  cpSync(home, earlier, { recursive: true })
}, 90_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Begins a call that takes a while, and resolves once it is running. */
async function begin(ephor: EphorProcess, ms: number) {
  const agent = await ephor.mcp(ephor.credential)
  const answer = callTool(agent, 'slow__slow', { ms })
  const running = async () =>
    (await ephor.operator.listDecisions({ query: { server: 'slow' } })).items.some((decision) => decision.outcome === undefined)
  await expect.poll(running, { timeout: 10_000, interval: 50 }).toBe(true)
  return { agent, answer }
}

test('SIGTERM: a call in flight is answered and sealed, no new one is taken, and the exit code is 0', TIMEOUT, async () => {
  const ephor = await startEphor({ home })
  const { answer } = await begin(ephor, 3000)
  process.kill(ephor.pid, 'SIGTERM')
  await expect
    .poll(
      () =>
        fetch(`${ephor.url}/v1/health`).then(
          ({ status }) => status,
          () => 'closed',
        ),
      { timeout: 2500 },
    )
    .toBe('closed')
  const answered = await answer
  expect(answered).toMatchObject({ ok: true, text: 'late' })
  expect(await ephor.exited).toBe(0)

  const { entries } = await readExport(home, join(folder, 'export'))
  const outcome = entries.map(({ body }) => body).find((body) => body.type === 'outcome' && body['decision'] === answered.receipt?.decision)
  expect(outcome).toMatchObject({ status: 'succeeded' })
  expect(existsSync(join(home, 'running.json'))).toBe(false)
})

test('a second signal stops at once; the next start says what it does not know, and runs nothing again', TIMEOUT, async () => {
  const ephor = await startEphor({ home })
  const { answer } = await begin(ephor, 60_000)
  process.kill(ephor.pid, 'SIGTERM')
  // Two signals at once are one: a terminal and a supervisor both pass it on.
  await pause(1000)
  const asked = Date.now()
  process.kill(ephor.pid, 'SIGINT')
  expect(await ephor.exited).toBe(128 + 2)
  expect(Date.now() - asked).toBeLessThan(3000)
  void answer.catch(() => undefined)

  const again = await startEphor({ home })
  const { items } = await again.operator.listDecisions({ query: { server: 'slow' } })
  expect(items.map(({ effect, outcome }) => [effect, outcome])).toEqual([
    ['permit', 'unknown'],
    ['permit', 'succeeded'],
  ])
  // While it runs: nobody else on its folder, nobody else on its port.
  expectFault(await runUp(home), 'STORE_LOCKED', MACHINE)
  expectFault(await runUp(join(folder, 'other'), ['--no-demo', '--port', String(again.port)]), 'PORT_TAKEN', MACHINE)
  expect((await fetch(`${again.url}/v1/health`)).status).toBe(200)
  expect(await again.stop({ keep: true })).toBe(0)
})

/** One sentence for people on stderr, with what to do, and nothing that only its programmers can read. */
function expectFault({ code, out, err }: Ended, fault: FaultCode, exitCode: number, names = ''): void {
  const { title, advice } = FAULTS[fault]
  expect(err).toMatch(/^ephor: [^\n]+\n$/)
  expect(err.startsWith(`ephor: ${title}`), err).toBe(true)
  expect(err.endsWith(`${advice}\n`), err).toBe(true)
  expect(out + err).not.toMatch(/^\s+at |\.ts:\d+|node:internal|Error:/m)
  expect(err).toContain(names)
  expect(code).toBe(exitCode)
}

/** A copy of the data folder as it was first stopped, for something to be wrong with it. */
function copy(name: string): string {
  const to = join(folder, name)
  cpSync(earlier, to, { recursive: true })
  return to
}

test('a port that another program has', TIMEOUT, async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as AddressInfo
  expectFault(await runUp(join(folder, 'port'), ['--no-demo', '--port', String(port)]), 'PORT_TAKEN', MACHINE, String(port))
  other.close()
})

test('a data folder that can’t be written, or is none', TIMEOUT, async () => {
  writeFileSync(join(folder, 'a-file'), '')
  const closed = join(folder, 'closed')
  mkdirSync(closed, { mode: 0o500 })
  // What root may not write depends on more than modes.
  const nowheres = [
    join(folder, 'a-file'),
    join(folder, 'a-file', 'home'),
    '/proc/ephor',
    ...(process.getuid?.() === 0 ? [] : [join(closed, 'home')]),
  ]
  for (const nowhere of nowheres) expectFault(await runUp(nowhere), 'HOME_UNWRITABLE', MACHINE, nowhere)
})

test('a store file that is damaged, or is none', TIMEOUT, async () => {
  const garbage = copy('garbage')
  writeFileSync(join(garbage, 'store.db'), 'this is no database '.repeat(1000))
  expectFault(await runUp(garbage), 'STORE_CORRUPT', MACHINE)
  const half = copy('half')
  truncateSync(join(half, 'store.db'), readFileSync(join(half, 'store.db')).length >> 1)
  expectFault(await runUp(half), 'STORE_CORRUPT', MACHINE)
})

test('a setting that does not exist, in the environment, as a flag or in the file', TIMEOUT, async () => {
  const none = join(folder, 'none')
  expectFault(await runUp(none, [], { EPHOR_PROT: '1' }), 'SETTINGS_INVALID', USAGE, 'did you mean "EPHOR_PORT"?')
  const file = join(folder, 'ephor.yaml')
  writeFileSync(file, 'approvals:\n  tll: 5m\n')
  expectFault(await runUp(none, ['--config', file]), 'SETTINGS_INVALID', USAGE, 'approvals.t')
  const flag = await runUp(none, ['--prot', '1'])
  expect(flag).toMatchObject({ code: USAGE, err: expect.stringContaining("unknown option '--prot'") })
  expect(existsSync(none)).toBe(false)
})

test('a key that others can read', TIMEOUT, async () => {
  const open = copy('open')
  chmodSync(join(open, 'keys', 'ledger.key'), 0o644)
  expectFault(await runUp(open), 'KEY_UNSAFE', MACHINE, 'ledger.key')
})

test('a store that was put back to an older copy, whose missing entries somebody has receipts for', TIMEOUT, async () => {
  const rolledBack = join(folder, 'rolled-back')
  cpSync(home, rolledBack, { recursive: true })
  for (const name of ['store.db-wal', 'store.db-shm']) rmSync(join(rolledBack, name), { force: true })
  copyFileSync(join(earlier, 'store.db'), join(rolledBack, 'store.db'))
  expectFault(await runUp(rolledBack), 'LEDGER_FORKED', MACHINE)
})
