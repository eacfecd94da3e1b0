/** The official conformance suite through a whole running Ephor, under a policy folder that permits its tool server: nothing is lost on the way. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { httpServer, runConformance, startEphor, withCredential } from '@ephor/testkit'
import type { EphorProcess, HttpServer } from '@ephor/testkit'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'

let ephor: EphorProcess
let suite: HttpServer
let door: Awaited<ReturnType<typeof withCredential>>

/** One server only, so that its tools go by the names that the suite knows. */
const rights = (agent: string) => `@id("suite")
@reason("The suite may do everything on its server.")
permit (principal == Agent::"${agent}", action, resource == ToolServer::"suite");

@id("questions")
@reason("Its server may ask back.")
permit (principal == ToolServer::"suite", action, resource);
`

beforeAll(async () => {
  suite = await httpServer('conformant')
  ephor = await startEphor({ environment: { EPHOR_MCP_PLAIN_NAMES: 'true' } })
  await ephor.addServer({ name: 'suite', transport: { type: 'http', url: suite.url, headers: {} }, folders: [] }, {})
  const agent = await ephor.addAgent('suite')
  const policies = join(ephor.home, 'policies')
  for (const name of ['folders', 'reads', 'sensitive', 'writes']) rmSync(join(policies, `${name}.cedar`), { force: true })
  writeFileSync(join(policies, 'suite.cedar'), rights(agent.id))
  await vi.waitUntil(
    async () => {
      const ids = (await ephor.operator.showPolicy()).policies.map(({ id }) => id)
      return ids.includes('suite/suite') && ids.length === 2
    },
    { timeout: 20_000, interval: 100 },
  )
  door = await withCredential(`${ephor.url}/mcp`, agent.credential)
}, 120_000)

afterAll(async () => {
  await door?.close()
  await ephor?.stop()
  await suite?.close()
}, 30_000)

test.each([
  ['2025-11-25', 60],
  ['2026-07-28', 40],
] as const)('revision %s', { timeout: 180_000 }, async (revision, atLeast) => {
  const report = await runConformance(door.url, revision)
  expect(report.failing).toEqual([])
  expect(report.passed).toBeGreaterThan(atLeast)
})
