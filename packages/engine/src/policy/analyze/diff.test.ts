/** Two versions: which requests they decide differently, what is proven to be the same, and that each example holds. */
import { afterEach, expect, test, vi } from 'vitest'
import { openGoodRoom, world } from '../policy.fixture.ts'
import { diff } from './diff-policies.ts'

vi.setConfig({ testTimeout: 120_000 })
const LIMITS = { questionMs: 60_000, totalMs: 100_000 }

const READ = '@id("read") @reason("r") permit (principal is Agent, action in Action::"read", resource);'
const write = (condition: string, id = 'write') =>
  `@id("${id}") @reason("r") permit (principal is Agent, action == Action::"fs/write", resource) when { ${condition} };`
const PAY = '@id("pay") @reason("r") permit (principal is Agent, action in Action::"money", resource);'
const ask = (condition: string) =>
  `@id("ask") @reason("r") @approval("") forbid (principal is Agent, action in Action::"money", resource) when { context.input has amount && ${condition} };`
const SRV = 'context.input.path like "/srv/*"'

async function differences(from: readonly string[], to: readonly string[]) {
  const found = await diff({ 'a.cedar': from.join('\n') }, { 'a.cedar': to.join('\n') }, world, LIMITS)
  expect(found.broken).toBeUndefined()
  expect(found.undecided).toEqual([])
  return found
}

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

test('what a wider condition opens is told as a class, with a request that is in it', async () => {
  const found = await differences([READ, write(SRV)], [READ, write(`${SRV} || context.input.path like "/tmp/*"`)])
  expect(found.differences).toEqual([
    {
      from: 'deny',
      to: 'permit',
      principal: 'any agent',
      actions: ['fs/write'],
      because: [
        { policy: 'a/write', version: 'to', holds: true, condition: `${SRV} || context.input.path like "/tmp/*"` },
        { policy: 'a/write', version: 'from', holds: false, condition: SRV },
      ],
      text: expect.stringMatching(
        /^newly permitted: any agent, action fs\/write; .*for example: Agent agt_1 on ToolServer fs with input/,
      ) as string,
      witness: expect.objectContaining({
        context: expect.objectContaining({ input: { path: expect.stringMatching(/^\/tmp\//) as string } }) as object,
      }) as object,
    },
  ])
  expect(found.same.flatMap(({ actions }) => actions)).toContain('fs/read')
  expect(found.same.every(({ basis }) => basis === 'text')).toBe(true)
})

test('a limit that moves: who is asked, and who no more', async () => {
  const found = await differences(
    [PAY, ask('context.input.amount > 100')],
    [PAY, ask('(context.input.amount > 200 || context.input.amount < 0)')],
  )
  expect(found.differences.map(({ from, to, witness }) => [from, to, (witness.context['input'] as { amount: number }).amount])).toEqual([
    ['hold', 'permit', expect.toSatisfy((amount: number) => amount > 100 && amount <= 200)],
    ['permit', 'hold', expect.toSatisfy((amount: number) => amount < 0)],
  ])
})

test('a forbid for a team closes every action that it covers, told once for each kind of change', async () => {
  const forbid = '@id("no") @reason("r") forbid (principal in Team::"interns", action, resource) unless { context has onBehalfOf };'
  const found = await differences([READ, PAY, ask('context.input.amount > 9')], [READ, PAY, ask('context.input.amount > 9'), forbid])
  expect(found.differences.map(({ from, to, actions }) => [from, to, actions.toSorted()])).toEqual([
    ['permit', 'deny', ['completion/complete', 'fs/read', 'mail/pay', 'prompts/get', 'resources/read']],
    ['hold', 'deny', ['mail/pay']],
  ])
  expect(found.differences[0]?.witness.entities[0]).toMatchObject({ parents: [{ type: 'Team', id: 'interns' }] })
})

test('other words for the same are proven to be the same; other names are not even asked about', async () => {
  const before = [READ, write(SRV), PAY, ask('context.input.amount > 100')]
  const reworded = [READ, write(`!(!(${SRV}))`), PAY, ask('!(context.input.amount <= 100)')]
  const proven = await differences(before, reworded)
  expect(proven.differences).toEqual([])
  expect(proven.same.filter(({ basis }) => basis === 'proven').flatMap(({ actions }) => actions)).toEqual(['fs/write', 'mail/pay'])
  const renamed = await differences(before, [write(SRV, 'other'), PAY, ask('context.input.amount > 100'), READ])
  expect(renamed).toMatchObject({ differences: [], work: { questions: 0 } })
})

test('one permit split into two, with a gap between them', async () => {
  const amount = 'context.input has amount && context.input.amount'
  const permit = (id: string, condition: string) =>
    `@id("${id}") @reason("r") permit (principal, action == Action::"mail/pay", resource) when { ${condition} };`
  const whole = [permit('a', `${amount} < 1000`)]
  expect(
    (await differences(whole, [permit('b', `${amount} < 500`), permit('c', `${amount} >= 500 && context.input.amount < 1000`)]))
      .differences,
  ).toEqual([])
  const [gap, ...more] = (
    await differences(whole, [permit('b', `${amount} < 500`), permit('c', `${amount} > 500 && context.input.amount < 1000`)])
  ).differences
  expect(more).toEqual([])
  expect(gap).toMatchObject({ from: 'permit', to: 'deny', witness: { context: { input: { amount: 500 } } } })
})

test('a condition that can overflow refuses what it used to permit', async () => {
  const twice =
    '@id("x") @reason("r") forbid (principal, action == Action::"mail/pay", resource) when { context.input has amount && context.input.amount * 2048 == 7 };'
  const { differences: found } = await differences([PAY], [PAY, twice])
  expect(found).toMatchObject([{ from: 'permit', to: 'deny', actions: ['mail/pay'] }])
})

test('a version with errors is compared with nothing', async () => {
  const found = await diff({ 'a.cedar': READ }, { 'a.cedar': 'permit (principal, action, resource) when { context.nothing };' }, world)
  expect(found).toMatchObject({ differences: [], same: [], broken: { version: 'to' } })
})

test('a changed charter is said to be outside of what was compared', async () => {
  const found = await diff({ 'a.cedar': READ }, { 'a.cedar': READ, 'charter.yaml': 'appetite: { refuse: critical }' }, world)
  expect(found).toMatchObject({ differences: [], charter: true })
})

test('without time nothing is claimed', async () => {
  const found = await diff({ 'a.cedar': write(SRV) }, { 'a.cedar': write('context.input.path like "/*"') }, world, {
    questionMs: 1,
    totalMs: 1,
  })
  expect(found.differences).toEqual([])
  expect(found.same.flatMap(({ actions }) => actions)).not.toContain('fs/write')
  expect(found.undecided.flatMap(({ actions }) => actions)).toContain('fs/write')
})

test('what the room shows as a difference, it decides differently', async () => {
  const [from, to] = [{ 'a.cedar': write(SRV) }, { 'a.cedar': write(`${SRV} && !(context.input.path like "*.key")`) }]
  const [before, after] = [await openGoodRoom(from), await openGoodRoom(to)]
  closers.push(before.close, after.close)
  const [found] = (await before.policy.diff(from, to)).differences
  if (!found) throw new Error('no difference was found')
  const { input } = found.witness.context as { input: { path: string } }
  const request = {
    principal: { type: 'Agent' as const, id: 'agt_1' },
    action: 'fs/write',
    server: 'fs',
    input,
    facts: { door: 'mcp', approvals: [], now: 0 },
  }
  expect([await before.policy.decide(request), await after.policy.decide(request)]).toMatchObject([
    { effect: found.from },
    { effect: found.to },
  ])
})
