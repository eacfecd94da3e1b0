/** Two replicas on one PostgreSQL: what is changed on one holds on the other, a call held on one is decided on the other, and one that dies takes nothing along. */
import { cpSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEphor } from '@ephor/testkit'
import type { EphorProcess } from '@ephor/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshDatabase, postgresAnswers } from '../../packages/engine/src/kernel/test-store.ts'
import { callTool } from './call-tool.ts'
import { readExport } from './read-export.ts'

const TIMEOUT = { timeout: 120_000 }
/** News of another replica comes within half a second or so; a loaded machine may take longer. */
const SOON = { timeout: 5000, interval: 25 }

const answers = await postgresAnswers()
if (!answers) console.warn('no PostgreSQL answers on loopback: the stories of replicas are skipped')

describe.skipIf(!answers)('two replicas', () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ephor-replicas-')))
  const homes = { one: join(folder, 'one'), two: join(folder, 'two') }
  let database: Awaited<ReturnType<typeof freshDatabase>>
  let one: EphorProcess
  let two: EphorProcess

  const start = (home: string) => startEphor({ home, environment: { EPHOR_STORE_URL: database.url } })

  beforeAll(async () => {
    database = await freshDatabase()
    one = await start(homes.one)
    // Replicas share their keys, as from one secret, and their policies.
    for (const shared of ['keys', 'policies']) cpSync(join(homes.one, shared), join(homes.two, shared), { recursive: true })
    two = await start(homes.two)
  }, 120_000)
  afterAll(async () => {
    await Promise.all([one?.stop(), two?.stop()])
    await database?.drop()
    rmSync(folder, { recursive: true, force: true })
  }, 60_000)

  const ask = (ephor: EphorProcess, credential: string) =>
    fetch(`${ephor.url}/v1/calls`, {
      method: 'POST',
      headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' },
      body: JSON.stringify({ tool: 'files/read_text_file', input: { path: join(homes.one, 'scratch', 'welcome.txt') } }),
    })
  const statusOn = async (ephor: EphorProcess, credential: string) => (await ask(ephor, credential)).status

  test('an agent that one registers may call through the other, and is stopped on both by either', TIMEOUT, async () => {
    const { id, credential } = await one.addAgent('replicated')
    await expect.poll(() => statusOn(two, credential), SOON).toBe(200)
    const { items } = await two.operator.listCredentials({ params: { id } })
    await two.operator.revokeCredential({ params: { id: items[0]?.id ?? '' } })
    expect(await statusOn(two, credential)).toBe(401)
    await expect.poll(() => statusOn(one, credential), SOON).toBe(401)
  })

  test('a call that waits on one goes on when a person decides on the other', TIMEOUT, async () => {
    const agent = await one.mcp(one.credential)
    const move = { source: join(homes.one, 'scratch', 'notes.md'), destination: join(homes.one, 'scratch', 'moved.md') }
    const held = await callTool(agent, 'files__move_file', move)
    expect(held).toMatchObject({ ok: false, code: 'APPROVAL_REQUIRED' })
    const id = held.approval ?? ''
    const waiting = callTool(agent, 'files__move_file', move, { 'dev.ephor/approval': id })
    const { digest } = await two.operator.showApproval({ params: { id } })
    await two.operator.decideApproval({ params: { id }, body: { verdict: 'approve', digest } })
    expect(await waiting).toMatchObject({ ok: true })
    // Spent on both.
    expect(await callTool(agent, 'files__move_file', move, { 'dev.ephor/approval': id })).toMatchObject({ ok: false })
    await agent.close()
  })

  test('a policy that becomes active on one decides on the other', TIMEOUT, async () => {
    const { credential } = await one.addAgent('frozen')
    await expect.poll(() => statusOn(two, credential), SOON).toBe(200)
    const rule = '@id("frozen")\n@reason("Nothing is read this week.")\nforbid (principal, action in Action::"read", resource);\n'
    writeFileSync(join(homes.one, 'policies', 'frozen.cedar'), rule)
    const faultOn = async (ephor: EphorProcess) => ((await (await ask(ephor, credential)).json()) as { fault?: string }).fault
    await expect.poll(() => faultOn(one), { timeout: 20_000, interval: 50 }).toBe('POLICY_DENIED')
    await expect.poll(() => faultOn(two), SOON).toBe('POLICY_DENIED')
    rmSync(join(homes.one, 'policies', 'frozen.cedar'))
    await expect.poll(() => faultOn(two), { timeout: 20_000, interval: 50 }).toBe(undefined)
  })

  test('one is killed under load: what it acknowledged is there once, and the other goes on', TIMEOUT, async () => {
    const { credential } = await one.addAgent('loaded')
    await expect.poll(() => statusOn(two, credential), SOON).toBe(200)
    const receipts: { seq: number; leafHash: string }[] = []
    const over = new AbortController()
    const load = async (ephor: EphorProcess) => {
      while (!over.signal.aborted) {
        const answer = await ask(ephor, credential).then(
          async (response) =>
            response.ok ? ((await response.json()) as { receipt: { seq: number; leafHash: string } }).receipt : undefined,
          () => undefined,
        )
        if (answer) receipts.push(answer)
        else await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    const loads = [one, one, one, one, two, two, two, two].map(load)
    await expect.poll(() => receipts.length, { timeout: 30_000 }).toBeGreaterThan(200)
    await one.kill()
    const before = receipts.length
    await expect.poll(() => receipts.length, { timeout: 30_000 }).toBeGreaterThan(before + 100)
    over.abort()
    await Promise.all(loads)
    one = await start(homes.one)
    const { entries } = await readExport(homes.one, join(folder, 'export'))
    expect(new Set(receipts.map(({ seq }) => seq)).size).toBe(receipts.length)
    expect(receipts.filter(({ seq, leafHash }) => entries[seq]?.leafHash !== leafHash)).toEqual([])
  })
})
