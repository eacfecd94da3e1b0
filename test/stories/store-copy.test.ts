/** An installation outgrows its embedded store: copied to PostgreSQL it is the same installation, with the same ledger. */
import { cpSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEphor } from '@ephor/testkit'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshDatabase, postgresAnswers } from '../../packages/engine/src/kernel/test-store.ts'
import { callTool } from './call-tool.ts'
import { runCli, runVerifier } from './programs.ts'
import type { Ended } from './programs.ts'
import { readExport } from './read-export.ts'

const TIMEOUT = { timeout: 120_000 }

const answers = await postgresAnswers()
if (!answers) console.warn('no PostgreSQL answers on loopback: the story of moving to it is skipped')

describe.skipIf(!answers)('moving to PostgreSQL', () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ephor-copy-')))
  const home = join(folder, 'home')
  /** The data folder as it was when it was copied. */
  const earlier = join(folder, 'earlier')
  let database: Awaited<ReturnType<typeof freshDatabase>>
  let busy: Ended

  beforeAll(async () => {
    database = await freshDatabase()
    const ephor = await startEphor({ home })
    const agent = await ephor.mcp(ephor.credential)
    const scratch = (name: string) => join(home, 'scratch', name)
    await callTool(agent, 'files__write_file', { path: scratch('a.txt'), content: 'one' })
    await callTool(agent, 'files__move_file', { source: scratch('a.txt'), destination: scratch('b.txt') })
    busy = await runCli(home, 'store', 'copy', '--to', database.url)
    await agent.close()
    await ephor.stop({ keep: true })
  }, 120_000)
  afterAll(async () => {
    await database.drop()
    rmSync(folder, { recursive: true, force: true })
  })

  test('nothing is copied while a server runs on the store', () => {
    expect(busy.code).not.toBe(0)
    expect(busy.err).toContain('Another Ephor runs on this data folder')
  })

  test('every row arrives, the ledger verifies there, and work goes on where it was', TIMEOUT, async () => {
    cpSync(home, earlier, { recursive: true })
    const copied = await runCli(home, 'store', 'copy', '--to', database.url)
    expect(copied).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/Copied\. The ledger verifies there/) })
    expect(copied.out).not.toContain(new URL(database.url).password || '\0')

    const ephor = await startEphor({ home, environment: { EPHOR_STORE_URL: database.url } })
    try {
      const { items } = await ephor.operator.listApprovals({ query: { state: 'pending' } })
      expect(items).toHaveLength(1)
      const agent = await ephor.mcp(ephor.credential)
      expect(await callTool(agent, 'files__read_text_file', { path: join(home, 'scratch', 'a.txt') })).toMatchObject({
        ok: true,
        text: 'one',
      })
      await agent.close()
      const { entries } = await readExport(home, join(folder, 'export'))
      expect(entries.map(({ body }) => body.type)).toContain('approval.opened')
      expect(await runVerifier(join(folder, 'export'), '--earlier', join(earlier, 'checkpoint'))).toMatchObject({ code: 0 })
    } finally {
      await ephor.stop({ keep: true })
    }
  })

  test('the embedded store that was left behind is refused: its ledger went on elsewhere', TIMEOUT, async () => {
    const stale = await runCli(home, 'store', 'copy', '--to', database.url)
    expect(stale).toMatchObject({ code: expect.not.toBeOneOf([0]), err: expect.stringMatching(/but \d+ were signed/) })
  })

  test('a database that has rows of this tenant takes no second copy, and keeps what it has', TIMEOUT, async () => {
    const client = new Client({ connectionString: database.url })
    await client.connect()
    const count = async () => (await client.query<{ n: string }>('SELECT count(*) AS n FROM ledger_entry')).rows[0]?.n
    try {
      const before = await count()
      const again = await runCli(earlier, 'store', 'copy', '--to', database.url)
      expect(again).toMatchObject({ code: expect.not.toBeOneOf([0]), err: expect.stringContaining('has rows of the tenant default') })
      expect(await count()).toBe(before)
    } finally {
      await client.end()
    }
  })
})
