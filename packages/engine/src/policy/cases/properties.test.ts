/** Properties of policies: what is claimed of all requests is proven, broken by one that Ephor really decides so, or fails as open. */
import { expect, test } from 'vitest'
import type { PolicyFiles } from '../types.ts'
import { decideProperties } from './decide-properties.ts'
import { readCases } from './read-cases.ts'
import { openForCases } from './run-cases.ts'

const WORLD = `
world:
  agents: [{ name: ada, groups: [finance], tier: 1 }, { name: bob, tier: 3 }, { name: cleo, tier: 3, groups: [finance] }]
  servers: [{ name: s }]
  tools:
    - { tool: s/read, kind: read }
    - { tool: s/pay, kind: money, input: { type: object, properties: { amount: { type: integer } }, required: [amount] } }
`

async function verdicts(policies: string, properties: string, more: PolicyFiles = {}, limits = { questionMs: 8000, totalMs: 30_000 }) {
  const files = { 'a.cedar': policies, 'a.test.yaml': `${WORLD}cases: [${properties}]`, ...more }
  const cases = readCases(files, 'a.test.yaml')
  if ('findings' in cases) throw new Error(JSON.stringify(cases.findings))
  const results = await decideProperties(cases, await openForCases(files, cases), limits)
  return results.map(({ ok, got }) => [ok, got])
}

const pays = (when: string) => `permit (principal, action, resource) when { ${when} };`
const NEVER = '{ never: { who: { tier: 3 }, what: { kind: money } }, be: permit }'

test('no agent of tier 3 ever pays: proven where a condition says so, whatever the arguments', async () => {
  const guarded = `${pays('true')} forbid (principal, action in Action::"money", resource) unless { principal has tier && principal.tier < 3 };`
  expect(await verdicts(guarded, NEVER)).toEqual([[true, expect.stringContaining('proven')]])
  expect(await verdicts('permit (principal, action in Action::"read", resource);', NEVER)).toEqual([
    [true, expect.stringContaining('no policy reaches them')],
  ])
})

test('a hole behind an argument is found, with the request that goes through it', async () => {
  const hole = `@id("p") ${pays('true')}
    @id("f") forbid (principal, action == Action::"s/pay", resource) when { principal has tier && principal.tier == 3 && context.input.amount != 4711 };`
  expect(await verdicts(hole, NEVER)).toEqual([
    [false, expect.stringMatching(/^permit: for example Agent agt_(bob|cleo) asks s\/pay .*4711/)],
  ])
})

test('groups count as they are in the world: who is in one is found, who is not is proven', async () => {
  const finance = `permit (principal in Team::"finance", action, resource);`
  const of = (who: string) => `{ never: { who: ${who}, what: s/pay }, be: permit }`
  expect((await verdicts(finance, [of('bob'), of('cleo'), of('{ group: finance }')].join(', '))).map(([ok]) => ok)).toEqual([
    true,
    false,
    false,
  ])
})

test('an approval is a circumstance like any other, unless it is said that nobody has approved', async () => {
  const held = `${pays('true')} @approval("quorum:2") forbid (principal, action in Action::"money", resource);`
  const of = (rest: string) => `{ never: { what: { kind: money } }, be: permit${rest} }`
  expect(await verdicts(held, `${of('')}, ${of(', approved: false')}`)).toEqual([
    [false, expect.stringMatching(/^permit: for example/)],
    [true, expect.stringContaining('proven')],
  ])
  expect((await verdicts(held, '{ always: { what: { kind: money } }, be: hold, approved: false }')).map(([ok]) => ok)).toEqual([true])
  expect((await verdicts(held, '{ always: { what: { kind: money } }, be: deny }')).map(([ok]) => ok)).toEqual([false])
})

test('always: reading is permitted to everybody, until one condition says otherwise', async () => {
  const always = '{ always: { what: { kind: read } }, be: permit }'
  expect((await verdicts('permit (principal, action in Action::"read", resource);', always)).map(([ok]) => ok)).toEqual([true])
  const night = 'permit (principal, action in Action::"read", resource) when { context.time.hour < 20 };'
  expect(await verdicts(night, always)).toEqual([[false, expect.stringMatching(/^deny: for example/)]])
})

test('risk is what the charter makes of a tool: never less than its kind and class count', async () => {
  const risky = (tier: string) => `permit (principal, action in Action::"money", resource) when { context.risk.tier == "${tier}" };`
  const never = '{ never: { what: { kind: money } }, be: permit }'
  // Money counts 30 and a tool of medium risk 10: medium is the least, and circumstances can add more.
  expect((await verdicts(risky('low'), never)).map(([ok]) => ok)).toEqual([true])
  expect(await verdicts(risky('medium'), never)).toEqual([[false, expect.stringMatching(/^permit: for example/)]])
  const charter = { 'charter.yaml': 'risk: { kind: { money: 0 }, class: { medium: 0 } }\n' }
  expect((await verdicts(risky('low'), never, charter)).map(([ok]) => ok)).toEqual([false])
})

test('a policy that can fail is a way to be refused, never a way to be permitted', async () => {
  const fails = 'permit (principal, action == Action::"s/pay", resource) when { context.input.amount + 1 > 0 };'
  expect((await verdicts(fails, '{ always: { what: s/pay }, be: permit }')).map(([ok]) => ok)).toEqual([false])
})

test('what can not be proven fails and says so: no time, and a charter that decides beside the policies', async () => {
  const guarded = pays('principal has tier && principal.tier < 3')
  expect(await verdicts(guarded, NEVER, {}, { questionMs: 1, totalMs: 1 })).toEqual([[false, expect.stringMatching(/^not proven/)]])
  const charter = { 'charter.yaml': 'appetite: { refuse: low }\n' }
  expect(await verdicts(pays('true'), '{ always: { what: s/read }, be: permit }', charter)).toEqual([
    [false, expect.stringMatching(/^not proven: the charter/)],
  ])
  expect(await verdicts(pays('true'), NEVER, charter)).toEqual([
    [false, expect.stringMatching(/^not proven: the policies alone would permit/)],
  ])
})

test('a property about nobody or nothing fails: it would hold for ever and mean nothing', async () => {
  const about = (requests: string) => `{ never: ${requests}, be: permit }`
  expect(
    await verdicts(pays('true'), [about('{ who: eve }'), about('{ what: s/none }'), about('{ who: { tier: 9 } }')].join(', ')),
  ).toEqual([
    [false, expect.stringContaining('about nobody')],
    [false, expect.stringContaining('about nothing')],
    [false, expect.stringContaining('about nobody')],
  ])
})
