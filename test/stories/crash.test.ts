/** kill -9 at each step of a call: nothing acknowledged is lost, nothing runs without a record, nothing runs twice. */
import { cpSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEphor } from '@ephor/testkit'
import type { EphorProcess } from '@ephor/testkit'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

const PRELOAD = ['--import', join(import.meta.dirname, 'crash-at.ts')]
const INTERRUPTED = 90_000

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ephor-crash-')))
const [file, killFile] = [join(folder, 'lines'), join(folder, 'kill')]
/** A data folder with the server accepted and one call done, stopped again. */
const first = join(folder, 'first')
let copies = 0

beforeAll(async () => {
  writeFileSync(killFile, '')
  const ephor = await startEphor({ home: first })
  await addAppendServer(ephor)
  const agent = await ephor.mcp(ephor.credential)
  await agent.callTool({ name: 'append__append', arguments: { line: 'first' } })
  await agent.close()
  await ephor.stop({ keep: true })
}, 90_000)
beforeEach(() => {
  writeFileSync(file, 'first\n')
  writeFileSync(killFile, '')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function prepared(): string {
  const home = join(folder, `copy-${++copies}`)
  cpSync(first, home, { recursive: true })
  return home
}

const lines = () => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [])

async function addAppendServer(ephor: EphorProcess): Promise<void> {
  const args = [join(import.meta.dirname, 'append-server.ts'), file, killFile]
  await ephor.addServer(
    { name: 'append', transport: { type: 'stdio', command: process.execPath, args, env: {} }, folders: [] },
    { append: { kind: 'read', risk: 'low' } },
  )
}

async function callAndDie(ephor: EphorProcess): Promise<'answered' | 'died'> {
  const agent = await ephor.mcp(ephor.credential)
  const answered = agent.callTool({ name: 'append__append', arguments: { line: 'second' } }).then(
    () => 'answered' as const,
    () => 'died' as const,
  )
  const outcome = await Promise.race([answered, ephor.exited.then(() => 'died' as const)])
  await agent.close().catch(() => undefined)
  return outcome
}

/** What the ledger says after recovery of each `append` call: its effect and its outcome. */
async function story(ephor: EphorProcess): Promise<{ effect: string; outcome: string | undefined }[]> {
  const { items } = await ephor.operator.listDecisions({ query: { server: 'append' } })
  return items.toReversed().map(({ effect, outcome }) => ({ effect, outcome }))
}

test.each([
  { at: 'before-intent', ran: 1, told: [] },
  { at: 'after-intent', ran: 1, told: [{ effect: 'permit', outcome: 'unknown' }] },
  { at: 'during-run', ran: 2, told: [{ effect: 'permit', outcome: 'unknown' }] },
  { at: 'before-outcome', ran: 2, told: [{ effect: 'permit', outcome: 'unknown' }] },
  { at: 'after-outcome', ran: 2, told: [{ effect: 'permit', outcome: 'succeeded' }] },
])('killed $at', { timeout: INTERRUPTED }, async ({ at, ran, told }) => {
  const home = prepared()
  const doomed = await startEphor({ home, node: PRELOAD, environment: at === 'during-run' ? {} : { CRASH_AT: at } })
  if (at === 'during-run') writeFileSync(killFile, String(doomed.pid))
  expect(await callAndDie(doomed)).toBe('died')
  await doomed.exited
  writeFileSync(killFile, '')

  const recovered = await startEphor({ home })
  expect(await story(recovered)).toEqual([{ effect: 'permit', outcome: 'succeeded' }, ...told])
  // The action ran exactly as often as the ledger has an intent that reached it; restarting ran nothing again.
  expect(lines()).toHaveLength(ran)
  const { size } = await recovered.operator.getLedgerHead()
  expect(size).toBeGreaterThan(0)
  await recovered.stop()
})

test('killed again and again under load, every answer that an agent got is in the ledger', { timeout: 180_000 }, async () => {
  const home = prepared()
  const acknowledged: { decision: string; seq: number }[] = []
  for (let round = 0; round < 3; round++) {
    const ephor = await startEphor({ home })
    const agents = await Promise.all(Array.from({ length: 4 }, () => ephor.mcp(ephor.credential)))
    // A client whose server died in the middle of an answer would wait for it until its own time-out.
    const dead = ephor.exited.then(() => undefined)
    const loops = agents.map(async (agent, i) => {
      for (let turn = 0; ; turn++) {
        const call = agent.callTool({ name: 'append__append', arguments: { line: `${round}-${i}-${turn}` } }).catch(() => undefined)
        const answer = await Promise.race([call, dead])
        const receipt = answer?._meta?.['dev.ephor/receipt'] as { decision: string; seq: number } | undefined
        if (receipt) acknowledged.push(receipt)
        if (!answer) return
      }
    })
    await new Promise((resolve) => setTimeout(resolve, 700))
    await ephor.kill()
    await Promise.all(loops)
    await Promise.all(agents.map((agent) => agent.close().catch(() => undefined)))
  }
  expect(acknowledged.length).toBeGreaterThan(20)

  const after = await startEphor({ home })
  for (const { decision, seq } of acknowledged) {
    const shown = await after.operator.showDecision({ params: { id: decision } })
    expect(shown).toMatchObject({ effect: 'permit', outcome: 'succeeded', receipt: { seq } })
  }
  // No action without a record, none twice.
  const ran = lines()
  expect(new Set(ran).size).toBe(ran.length)
  let recorded = 0
  for (let cursor: string | undefined; ;) {
    const page = await after.operator.listDecisions({
      query: { server: 'append', limit: 500, ...(cursor === undefined ? {} : { cursor }) },
    })
    recorded += page.items.length
    for (const { outcome } of page.items) expect(outcome).toBeDefined()
    if (page.next === undefined) break
    cursor = page.next
  }
  expect(ran.length).toBeLessThanOrEqual(recorded)
  await after.stop()
})
