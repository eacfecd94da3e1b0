/** People say what did harm; what is suggested becomes a proposal only when somebody hands it in, weighed by a backtest. */
import { startEphor } from '@ephor/testkit'
import type { EphorProcess } from '@ephor/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ephorIn } from '../../apps/cli/src/run.fixture.ts'

let ephor: EphorProcess
beforeAll(async () => {
  ephor = await startEphor()
}, 60_000)
afterAll(() => ephor.stop())

const cli = (...argv: string[]) => ephorIn(ephor.home, { EPHOR_HOME: ephor.home })(...argv)

async function asAgent(method: string, path: string, body?: object): Promise<number> {
  const headers = { authorization: `Bearer ${ephor.credential}`, 'content-type': 'application/json' }
  return (await fetch(`${ephor.url}${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) })).status
}

test('from a report of harm to a proposal with its backtest, in which nothing changes by itself', { timeout: 120_000 }, async () => {
  const client = await ephor.mcp(ephor.credential)
  for (const path of ['a.txt', 'b.txt', 'c.txt']) await client.callTool({ name: 'files__write_file', arguments: { path, content: 'x' } })
  await client.callTool({ name: 'files__read_text_file', arguments: { path: '/etc/passwd' } })
  await client.close()
  const { items } = await ephor.operator.listDecisions({ query: {} })
  const writes = items.filter(({ tool, effect }) => tool === 'write_file' && effect === 'permit')
  expect(writes).toHaveLength(3)
  const denied = items.find(({ effect }) => effect === 'deny')?.id ?? ''

  for (const { id } of writes.slice(0, 2))
    expect(await cli('decisions', 'report', id, '--harmful', 'It overwrote the list.')).toMatchObject({ code: 0, err: '' })
  expect(await cli('decisions', 'report', denied, '--harmful')).toMatchObject({ code: 1, err: expect.stringContaining('not permitted') })
  expect((await cli('decisions', 'report', writes[0]?.id ?? '')).err).toContain('--harmless')

  const health = await cli('policy', 'health', '--since', '1h')
  expect(health).toMatchObject({ code: 0, err: '' })
  expect(health.out).toMatch(/files\/write_file +2 +3/)
  expect(health.out).toContain('ephor policy health --propose files/write_file')
  expect(health.out).not.toContain('overwrote')

  const before = (await ephor.operator.showPolicy()).version
  const proposed = JSON.parse((await cli('policy', 'health', '--propose', 'files/write_file', '--json')).out) as {
    id: string
    version: string
  }
  const backtest = await cli('policy', 'backtest', proposed.id, '--since', '1h')
  expect(backtest).toMatchObject({ code: 0, err: '' })
  expect(backtest.out).toMatch(/files\/write_file +permit→hold 3/)
  const shown = await ephor.operator.showProposal({ params: { id: proposed.id } })
  expect(shown).toMatchObject({
    state: 'open',
    ownBacktest: { version: proposed.version, replayed: 4, same: 1, transitions: { 'permit→hold': 3 } },
  })
  expect((await ephor.operator.showPolicy()).version).toBe(before)
  expect(await cli('policy', 'health', '--propose', 'files/none')).toMatchObject({
    code: expect.any(Number),
    err: expect.stringContaining('no texts suggested'),
  })
})

test('an agent neither reports, nor replays, nor reads what people make of it', async () => {
  const [own] = (await ephor.operator.listDecisions({ query: {} })).items
  expect(await asAgent('POST', `/v1/decisions/${own?.id}/reports`, { harmful: false })).toBe(403)
  expect(await asAgent('POST', '/v1/policy/backtests', { drift: true })).toBe(403)
  expect(await asAgent('GET', '/v1/policy/backtests')).toBe(403)
  expect(await asAgent('GET', '/v1/policy/threshold-health')).toBe(403)
})

test('what is no backtest is refused with words', async () => {
  expect(await cli('policy', 'backtest', '--drift', '--since', '1h')).toMatchObject({
    code: 2,
    err: expect.stringContaining('leave the rest out'),
  })
  expect((await cli('policy', 'backtest', '--since', 'soon')).err).toContain('90m, 24h or 7d')
  expect((await cli('policy', 'backtest', '--limit', '0')).err).toContain('whole number')
  expect((await cli('policy', 'backtest', `sha256:${'0'.repeat(64)}`)).err).toContain('no policies are kept')
  expect((await cli('policy', 'backtests', 'btr_none')).err).toContain('no backtest')
  expect((await cli('policy', 'backtests')).out).toMatch(/^btr_.*candidate +done/)
})
