/** Two tenants on one PostgreSQL: each has its own ledger, origin and key, and nothing of the other's, also where a role may see every row. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatVerifierKey } from '@ephor/proof'
import { startEphor } from '@ephor/testkit'
import type { EphorProcess } from '@ephor/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshDatabase, postgresAnswers } from '../../packages/engine/src/kernel/test-store.ts'
import { callTool } from './call-tool.ts'
import { readExport } from './read-export.ts'

const TIMEOUT = { timeout: 120_000 }

const answers = await postgresAnswers()
if (!answers) console.warn('no PostgreSQL answers on loopback: the story of two tenants is skipped')

describe.skipIf(!answers)('two tenants', () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ephor-tenants-')))
  let database: Awaited<ReturnType<typeof freshDatabase>>
  let acme: EphorProcess
  let umbrella: EphorProcess

  const start = (tenant: string) =>
    startEphor({ home: join(folder, tenant), environment: { EPHOR_STORE_URL: database.url, EPHOR_TENANT: tenant } })

  beforeAll(async () => {
    database = await freshDatabase()
    acme = await start('acme')
    umbrella = await start('umbrella')
  }, 120_000)
  afterAll(async () => {
    await Promise.all([acme?.stop(), umbrella?.stop()])
    await database?.drop()
    rmSync(folder, { recursive: true, force: true })
  }, 60_000)

  test('what one does is in its own ledger, under its own name and key', TIMEOUT, async () => {
    const agent = await acme.mcp(acme.credential)
    const read = await callTool(agent, 'files__read_text_file', { path: join(folder, 'acme', 'scratch', 'welcome.txt') })
    expect(read).toMatchObject({ ok: true })
    await agent.close()
    const [ours, theirs] = [
      await readExport(join(folder, 'acme'), join(folder, 'export-acme')),
      await readExport(join(folder, 'umbrella'), join(folder, 'export-umbrella')),
    ]
    expect(formatVerifierKey(ours.key)).not.toBe(formatVerifierKey(theirs.key))
    expect(ours.key.name).not.toBe(theirs.key.name)
    expect(new Set(ours.entries.map(({ body }) => body['tenant']))).toEqual(new Set(['acme']))
    expect(new Set(theirs.entries.map(({ body }) => body['tenant']))).toEqual(new Set(['umbrella']))
    expect(ours.entries.some(({ body }) => body.type === 'outcome')).toBe(true)
    expect(theirs.entries.some(({ body }) => body.type === 'outcome')).toBe(false)
  })

  test('credentials, agents and decisions of one are nothing to the other', TIMEOUT, async () => {
    const asked = await fetch(`${umbrella.url}/v1/calls`, {
      method: 'POST',
      headers: { authorization: `Bearer ${acme.credential}`, 'content-type': 'application/json' },
      body: JSON.stringify({ tool: 'files/read_text_file', input: { path: 'welcome.txt' } }),
    })
    expect(asked.status).toBe(401)
    const ids = async (ephor: EphorProcess) => (await ephor.operator.listAgents({ query: {} })).items.map(({ id }) => id)
    const [ours, theirs] = [await ids(acme), await ids(umbrella)]
    expect(ours).toHaveLength(1)
    expect(theirs).toHaveLength(1)
    expect(ours).not.toEqual(theirs)
    expect((await umbrella.operator.listDecisions({ query: {} })).items).toEqual([])
  })

  test('keys of one tenant do not open the ledger of another', TIMEOUT, async () => {
    await expect(
      startEphor({ home: join(folder, 'intruder'), environment: { EPHOR_STORE_URL: database.url, EPHOR_TENANT: 'acme' } }),
    ).rejects.toThrow(/keys are of another installation|does not match/)
  })
})
