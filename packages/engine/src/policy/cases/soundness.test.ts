/** What is said to be proven is true: of many bundles, no request that can be thought of here breaks a property that passed. */
import { expect, test } from 'vitest'
import type { OpenBundle } from '../open-bundle.ts'
import type { Decision, PolicyRequest } from '../types.ts'
import { decideProperties } from './decide-properties.ts'
import { readCases } from './read-cases.ts'
import { openForCases } from './run-cases.ts'
import { selectPrincipals } from './select-requests.ts'

const CONDITIONS = [
  'context.input.amount < 10',
  'context.input.amount >= 10',
  'principal has tier && principal.tier < 3',
  'context.labels.contains("x")',
  'context.time.hour < 8',
  'context.session.calls < 3',
  'context.risk.tier == "low"',
  'context has onBehalfOf',
  'true',
]
const WORLD = `world:
  agents: [{ name: ada, tier: 1, groups: [finance] }, { name: bob, tier: 3 }]
  servers: [{ name: s }]
  tools: [{ tool: s/pay, kind: money, input: { type: object, properties: { amount: { type: integer } }, required: [amount] } }]
`
const PROPERTIES = [
  'never: {}, be: permit',
  'never: {}, be: permit, approved: false',
  'never: { who: bob }, be: [permit, hold]',
  'never: { who: { group: finance } }, be: deny',
  'always: { who: ada }, be: [permit, hold]',
  'always: { who: { tier: 3 } }, be: deny',
]

function* requests(): Iterable<PolicyRequest> {
  for (const id of ['agt_ada', 'agt_bob'])
    for (const amount of [-1, 9, 10, 11])
      for (const labels of [[], ['x']])
        for (const hour of [0, 7, 8, 23])
          for (const calls of [0, 3])
            for (const onBehalfOf of [undefined, 'per_1'])
              yield {
                principal: { type: 'Agent', id },
                action: 's/pay',
                server: 's',
                input: { amount },
                facts: {
                  door: 'mcp',
                  approvals: [],
                  now: hour * 3_600_000,
                  labels,
                  session: { id: 's', calls, startedAt: 0 },
                  ...(onBehalfOf === undefined ? {} : { onBehalfOf }),
                },
              }
}

/** Without any approval, and with all that are asked for. */
function outcomes(bundle: OpenBundle, request: PolicyRequest, approved: boolean): Decision['effect'][] {
  const first = bundle.decide(request)
  if (first.effect !== 'hold' || !approved) return [first.effect]
  const approvals = [{ id: 'apr_1', by: ['per_1', 'per_2'], policies: first.asks.map(({ policy }) => policy) }]
  return [first.effect, bundle.decide({ ...request, facts: { ...request.facts, approvals } }).effect]
}

/** The same bundles at every run: numbers of a small generator. */
function chooser(seed: number) {
  let state = seed
  return (count: number) => (state = (state * 48_271) % 2_147_483_647) % count
}

test('nothing that is proven is broken by brute force, and both verdicts are met', { timeout: 120_000 }, async () => {
  const choose = chooser(20_261_122)
  const seen = { proven: 0, broken: 0, open: 0 }
  for (let round = 0; round < 16; round++) {
    const [permit, forbid, ask] = [0, 0, 0].map(() => CONDITIONS[choose(CONDITIONS.length - (round % 2))])
    const policies = `permit (principal, action == Action::"s/pay", resource) when { ${permit} };
      forbid (principal, action == Action::"s/pay", resource) when { ${forbid} } unless { ${ask} };
      @approval("quorum:2") forbid (principal, action == Action::"s/pay", resource) when { ${ask} };`
    const files = { 'a.cedar': policies, 'a.test.yaml': `${WORLD}cases: [${PROPERTIES.map((one) => `{ ${one} }`).join(', ')}]` }
    const cases = readCases(files, 'a.test.yaml')
    if ('findings' in cases) throw new Error(JSON.stringify(cases.findings))
    // Of the tool alone: the protocol's own actions have no arguments to vary.
    for (const { never, always } of cases.properties) for (const about of [never, always]) if (about) about.what = 's/pay'
    const opened = await openForCases(files, cases)
    const results = await decideProperties(cases, opened, { questionMs: 8000, totalMs: 30_000 })
    for (const [i, { ok, got }] of results.entries()) {
      seen[ok ? 'proven' : got.startsWith('not proven') ? 'open' : 'broken']++
      const property = cases.properties[i]
      if (!ok || !property) continue
      const who = new Set(selectPrincipals(opened.world, (property.never ?? property.always)?.who ?? {}).map(({ id }) => id))
      for (const request of [...requests()].filter(({ principal }) => who.has(principal.id)))
        for (const effect of outcomes(opened.bundle, request, property.approved !== false))
          expect(property.be.includes(effect), `${policies} ${JSON.stringify(property)} ${JSON.stringify(request)}`).toBe(!property.never)
    }
  }
  expect(seen.proven).toBeGreaterThan(10)
  expect(seen.broken).toBeGreaterThan(10)
})
