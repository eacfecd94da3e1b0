/** Decisions of a real server come out the same again, through a kill in the middle; a changed world or text is noticed, and a candidate is weighed. */
import { appendFileSync, cpSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Client } from '@modelcontextprotocol/client'
import { startEphor } from '@ephor/testkit'
import type { EphorProcess } from '@ephor/testkit'
import { afterAll, expect, test } from 'vitest'
import { ephorIn } from '../../apps/cli/src/run.fixture.ts'

let ephor: EphorProcess
afterAll(() => ephor.stop())

const cli = (...argv: string[]) => ephorIn(ephor.home, { EPHOR_HOME: ephor.home })(...argv)

const drift = async () => {
  const { code, out } = await cli('policy', 'backtest', '--drift', '--json')
  return { code, ...(JSON.parse(out) as { id: string; seen: number; replayed: number; same: number; state: string }) }
}

/** Paths inside and outside, arguments that fit and that don't, tools that are there and that aren't, moves that are held. */
async function workOf(client: Client, turn: number): Promise<void> {
  const calls: [string, Record<string, unknown>][] = [
    ['files__read_text_file', { path: `none-${turn}.txt` }],
    ['files__read_text_file', { path: '/etc/passwd' }],
    ['files__read_text_file', { path: turn }],
    ['files__write_file', { path: `a-${turn}.txt`, content: 'x'.repeat(turn) }],
    ['files__list_directory', { path: '.' }],
    ['files__none_such', {}],
  ]
  for (const [name, args] of calls) await client.callTool({ name, arguments: args }).catch(() => undefined)
}

test(
  'a few hundred decisions of every kind drift nowhere, and what somebody changes in the store is found',
  { timeout: 300_000 },
  async () => {
    ephor = await startEphor()
    // Limits and budgets refuse what policy permits: its own word is what has to come out again.
    appendFileSync(
      join(ephor.home, 'policies', 'limits.cedar'),
      '\n@id("few-writes")\n@reason("A few an hour.")\n@obligation("limit:20/hour")\npermit (principal is Agent, action in Action::"write", resource);\n',
    )
    writeFileSync(
      join(ephor.home, 'policies', 'charter.yaml'),
      'budgets: { looks: { measure: calls, per: agent, period: day, limit: 50, covers: [read] } }\n',
    )
    await expect.poll(async () => (await cli('policy', 'show', '--json')).out, { timeout: 30_000 }).toContain('few-writes')

    const client = await ephor.mcp(ephor.credential)
    for (let turn = 0; turn < 30; turn++) await workOf(client, turn)
    const { credential } = await ephor.addAgent('second')
    const second = await ephor.mcp(credential)
    for (let turn = 0; turn < 20; turn++) await workOf(second, turn)
    const moved = client.callTool({ name: 'files__move_file', arguments: { source: 'a-1.txt', destination: 'b-1.txt' } })
    await expect.poll(async () => (await ephor.operator.listApprovals({ query: {} })).items.length, { timeout: 20_000 }).toBeGreaterThan(0)
    for (const { id, digest } of (await ephor.operator.listApprovals({ query: {} })).items)
      await ephor.operator.decideApproval({ params: { id }, body: { verdict: 'approve', digest } })
    await moved
    await client.close()
    await second.close()

    const { items } = await ephor.operator.listDecisions({ query: { limit: '500' } })
    const kinds = new Set(items.map(({ effect, fault }) => fault ?? effect))
    for (const kind of ['permit', 'hold', 'POLICY_DENIED', 'INPUT_INVALID', 'OBLIGATION_UNMET', 'BUDGET_EXHAUSTED', 'TOOL_UNKNOWN'])
      expect([...kinds]).toContain(kind)
    expect(items.length).toBeGreaterThan(290)

    // Killed in the middle of a check, it goes on at the next start.
    const { id } = await ephor.operator.startBacktest({ body: { drift: true } })
    await ephor.kill()
    ephor = await startEphor({ home: ephor.home })
    await expect.poll(async () => (await ephor.operator.showBacktest({ params: { id } })).state, { timeout: 60_000 }).toBe('done')
    const whole = await ephor.operator.showBacktest({ params: { id } })
    expect(whole.seen).toBe(items.length)
    expect(whole.same).toBe(whole.replayed)
    expect(whole.skipped).toEqual({ unasked: items.filter(({ policy }) => policy === undefined).length })
    expect((await cli('doctor')).out).not.toContain('do not come out')

    const candidate = mkdtempSync(join(tmpdir(), 'ephor-candidate-'))
    cpSync(join(ephor.home, 'policies'), candidate, { recursive: true })
    writeFileSync(join(candidate, 'frozen.cedar'), '@id("frozen") forbid (principal, action in Action::"write", resource);\n')
    const weighed = await cli('policy', 'backtest', candidate, '--since', '1h')
    expect(weighed).toMatchObject({ code: 0, err: '' })
    expect(weighed.out).toMatch(/permit→deny 50/)
    expect(weighed.out).toMatch(/files\/write_file +permit→deny 50/)

    // Somebody changes a world that decisions were made in.
    const again = await ephor.mcp(ephor.credential)
    await workOf(again, 1)
    await again.close()
    await ephor.stop({ keep: true })
    const store = new DatabaseSync(join(ephor.home, 'store.db'))
    store.exec(`UPDATE policy_world_part SET content = replace(content, '"destructive"', '"read"')`)
    store.close()
    ephor = await startEphor({ home: ephor.home })
    const found = await drift()
    expect(found).toMatchObject({ code: 1, state: 'done', same: 0 })
    expect((await cli('doctor')).out).toContain('do not come out again as they were made')
    expect(ephor.output()).toContain('recorded decisions do not come out again')
  },
)
