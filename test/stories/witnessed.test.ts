/** Two witnesses in processes of their own see the record of a critical call before it runs; without one of them it does not, and a store that is put back is found out. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { countCosignatures, parseCosignerKey } from '@ephor/proof'
import { startEphor } from '@ephor/testkit'
import type { EphorProcess } from '@ephor/testkit'
import { afterAll, expect, test, vi } from 'vitest'
import { callTool } from './call-tool.ts'
import { ephorIn } from '../../apps/cli/src/run.fixture.ts'
import { runUp } from './programs.ts'

const CLI = join(import.meta.dirname, '../../apps/cli/bin/ephor.mjs')
const POLICY = `
@id("critical") @reason("Others see it first.") @obligation("witnessed; timeout:4s")
permit (principal, action in Action::"write", resource);
`
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ephor-witnessed-')))
const home = join(folder, 'home')
const [file, killFile] = [join(folder, 'lines'), join(folder, 'kill')]
const children: ChildProcess[] = []
const cli = ephorIn(folder, { HOME: home, EPHOR_HOME: home })

afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

type WitnessProcess = { child: ChildProcess; url: string; verifierKey: string }

async function startWitness(name: string, vkey: string): Promise<WitnessProcess> {
  const args = [CLI, 'witness', '--name', name, '--home', join(folder, name), '--listen', '127.0.0.1:0', '--log', vkey, '--json']
  const env = { PATH: process.env['PATH'] ?? '', NODE_COMPILE_CACHE: join(tmpdir(), 'ephor-test-compiled') }
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  let text = ''
  for await (const line of createInterface({ input: child.stdout })) {
    text += line
    if (line === '}') break
  }
  return { child, ...(JSON.parse(text) as { url: string; verifierKey: string }) }
}

const lines = () => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [])

async function call(ephor: EphorProcess, credential: string, line: string) {
  const agent = await ephor.mcp(credential)
  try {
    return await callTool(agent, 'append__append', { line })
  } finally {
    await agent.close()
  }
}

async function missing(ephor: EphorProcess): Promise<unknown[]> {
  const { items } = await ephor.operator.listLedgerEntries({ query: { limit: '200' } })
  return items.map(({ body }) => body).filter((body) => body['type'] === 'ledger.witness.missing')
}
const healthOf = async ({ url }: EphorProcess) => {
  const answer = await fetch(`${url}/v1/health`)
  return { status: answer.status, ...((await answer.json()) as { ready: boolean; reasons: string[]; warnings: string[] }) }
}

/** The first start, without witnesses: they need the ledger's key, which is made by it. */
async function prepare(): Promise<{ vkey: string; credential: string }> {
  mkdirSync(join(home, 'policies'), { recursive: true })
  writeFileSync(join(home, 'policies', 'critical.cedar'), POLICY)
  writeFileSync(killFile, '')
  const ephor = await startEphor({ home, environment: { EPHOR_DEMO: 'false' } })
  const args = [join(import.meta.dirname, 'append-server.ts'), file, killFile]
  await ephor.addServer(
    { name: 'append', transport: { type: 'stdio', command: process.execPath, args, env: {} }, folders: [] },
    { append: { kind: 'write', risk: 'low' } },
  )
  const { credential } = await ephor.addAgent('writer')
  expect(await call(ephor, credential, 'unseen')).toMatchObject({ ok: false, code: 'OBLIGATION_UNMET' })
  const { verifierKey } = await ephor.operator.getLedgerHead()
  await ephor.stop({ keep: true })
  return { vkey: verifierKey, credential }
}

test('a critical call runs once both have cosigned; with one of them dead it is an alarm, and the call does not run', async () => {
  const { vkey, credential } = await prepare()
  const witnesses = [await startWitness('w1.test', vkey), await startWitness('w2.test', vkey)]
  const environment = {
    EPHOR_DEMO: 'false',
    EPHOR_LEDGER_WITNESSES: witnesses.map(({ verifierKey, url }) => `${verifierKey} ${url}`).join(', '),
    EPHOR_LEDGER_WITNESS_QUORUM: '2',
    EPHOR_LEDGER_WITNESS_DEADLINE: '6s',
  }
  const ephor = await startEphor({ home, environment })
  expect(await call(ephor, credential, 'seen')).toMatchObject({ ok: true })
  const { checkpoint } = await ephor.operator.getLedgerHead()
  const keys = witnesses.map(({ verifierKey }) => parseCosignerKey(verifierKey))
  await vi.waitFor(async () => {
    const head = await ephor.operator.getLedgerHead()
    expect((await countCosignatures(head.checkpoint, keys)).cosigned).toHaveLength(2)
  }, 5000)
  const seen = join(folder, 'seen')
  writeFileSync(seen, checkpoint)
  expect(await cli('ledger', 'compare', seen)).toMatchObject({ code: 0, out: expect.stringContaining('begins with') })

  witnesses[1]?.child.kill('SIGKILL')
  expect(await call(ephor, credential, 'never')).toMatchObject({ ok: false, code: 'WITNESS_MISSING' })
  expect(lines()).toEqual(['seen'])
  await vi.waitFor(async () => expect((await missing(ephor)).at(-1)).toMatchObject({ state: 'began', silent: ['w2.test'] }), 20_000)
  expect(await healthOf(ephor)).toMatchObject({ status: 200, warnings: [expect.stringContaining('signed in')] })
  expect((await cli('doctor')).out).toContain('too few witnesses')
  expect((await cli('ledger', 'witnesses')).out).toMatch(/w2\.test .*ECONNREFUSED/)
  // The database as it is now is kept, without what comes after it.
  await ephor.stop({ keep: true })
  copyFileSync(join(home, 'store.db'), join(folder, 'kept.db'))
  const again = await startEphor({ home, environment })
  await again.addAgent('another')
  await vi.waitFor(async () => expect((await again.operator.listWitnesses()).items[0]?.at).toBeDefined(), 5000)
  await again.stop({ keep: true })

  // Put back, it does not start until the operator accepts exactly what there is.
  copyFileSync(join(folder, 'kept.db'), join(home, 'store.db'))
  const refused = await runUp(home, [], environment)
  expect(refused.code).toBe(5)
  const [, size = '', root = ''] = /ends at (\d+) entries \(root ([0-9a-f]{64})\)/.exec(refused.out + refused.err) ?? []
  const resolve = (...words: string[]) => cli('ledger', 'resolve-fork', '--reason', 'the last backup', ...words)
  expect((await resolve('--accept', `${Number(size) + 1}/${root}`)).code).toBe(1)
  expect(await resolve('--accept', `${size}/${root}`)).toMatchObject({ code: 0, out: expect.stringContaining('Resolved and recorded') })
  const third = await startEphor({ home, environment: { EPHOR_DEMO: 'false' } })
  expect((await third.operator.listForks()).items).toMatchObject([{ source: 'start', resolvedAt: expect.any(String) }])
  expect((await healthOf(third)).ready).toBe(true)
  await third.stop({ keep: true })
}, 180_000)
