/** A policy file that is broken while Ephor runs: the last good one stays in force, everyone who looks is told where the mistake is, and it heals. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startEphor } from '@ephor/testkit'
import type { EphorProcess } from '@ephor/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { callTool } from './call-tool.ts'
import { runCli } from './programs.ts'

const SOON = { timeout: 10_000, interval: 100 }

let ephor: EphorProcess
let good: string
let place: { file: string; line: number; column: number }
beforeAll(async () => {
  ephor = await startEphor()
}, 90_000)
afterAll(() => ephor?.stop(), 30_000)

const reads = () => join(ephor.home, 'policies', 'reads.cedar')
const shown = () => ephor.operator.showPolicy()

async function look(): Promise<string | true> {
  const agent = await ephor.mcp(ephor.credential)
  const { ok, code } = await callTool(agent, 'files__read_text_file', { path: join(ephor.home, 'scratch', 'welcome.txt') })
  await agent.close()
  return ok || (code ?? 'nothing')
}

test('the last good policy stays, and the finding names file, line and column', { timeout: 60_000 }, async () => {
  const { version } = await shown()
  expect(await look()).toBe(true)
  good = readFileSync(reads(), 'utf8')
  // What stands there would forbid every read, were it not for the misspelt attribute.
  appendFileSync(
    reads(),
    '\n@id("none")\n@reason("Nobody reads.")\nforbid (principal, action in Action::"read", resource)\nwhen { principal.nmae != "" };\n',
  )
  const line = good.split('\n').length + 4
  place = { file: 'reads.cedar', line, column: expect.any(Number) as number }

  await expect
    .poll(async () => (await shown()).refused?.findings[0], SOON)
    .toMatchObject({ ...place, code: 'ATTRIBUTE_UNKNOWN', severity: 'error' })
  const now = await shown()
  expect(now.version).toBe(version)
  expect(now.files.find(({ name }) => name === 'reads.cedar')?.text).toBe(good)
  expect(await look()).toBe(true)
})

test('ephor policy check says the same, and fails', { timeout: 60_000 }, async () => {
  const { code, out } = await runCli(ephor.home, 'policy', 'check')
  expect(code).toBe(1)
  expect(out).toMatch(new RegExp(`reads\\.cedar:${place.line}:\\d+: error ATTRIBUTE_UNKNOWN: .*nmae`))
  expect(out).toContain('As it is, the folder would not become active.')
})

test('the ledger knows what was refused, once, and what stayed', { timeout: 60_000 }, async () => {
  const { items } = await ephor.operator.listLedgerEntries({ query: { limit: 500 } })
  const refused = items.filter(({ body }) => body['type'] === 'policy.refused')
  const { version, refused: folder } = await shown()
  expect(refused.map(({ body }) => body)).toMatchObject([{ active: version, version: folder?.version, errors: 1, findings: [place] }])
})

test('a restart on the broken folder keeps the last good policy', { timeout: 90_000 }, async () => {
  const { version } = await shown()
  await ephor.stop({ keep: true })
  ephor = await startEphor({ home: ephor.home })
  const now = await shown()
  expect(now.version).toBe(version)
  expect(now.refused?.findings).toMatchObject([place])
  expect(await look()).toBe(true)
})

test('mended, it is active within seconds', { timeout: 60_000 }, async () => {
  const { version } = await shown()
  writeFileSync(reads(), readFileSync(reads(), 'utf8').replace('nmae', 'name'))
  await expect.poll(look, SOON).toBe('POLICY_DENIED')
  const mended = await shown()
  expect(mended.refused).toBeUndefined()
  expect(mended.version).not.toBe(version)
  expect((await runCli(ephor.home, 'policy', 'check')).code).toBe(0)
  writeFileSync(reads(), good)
  await expect.poll(look, SOON).toBe(true)
  expect((await shown()).version).toBe(version)
})

test('an unreadable file, or none at all, changes nothing either', { timeout: 60_000 }, async () => {
  const { version } = await shown()
  writeFileSync(reads(), Buffer.from([0xff, 0xfe, 0x00]))
  await expect.poll(async () => (await shown()).refused?.findings[0]?.code, SOON).toBe('FILE_UNREADABLE')
  expect(await look()).toBe(true)
  writeFileSync(reads(), good)
  await expect.poll(async () => (await shown()).refused, SOON).toBeUndefined()
  expect((await shown()).version).toBe(version)
})
