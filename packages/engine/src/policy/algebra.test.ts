/** How decisions combine, as laws: whatever the policies are, adding a forbid permits nothing, and no ask weakens another. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { CompiledPolicy } from './compile-policy.ts'
import { mergeObligations } from './merge-obligations.ts'
import { answeredBy, conclude } from './rules.ts'
import type { Decision, GivenApproval, Obligation } from './types.ts'

const PINS = { version: 'v', world: 'w' }
const people = ['per_1', 'per_2', 'per_3']
const some = <T>(values: T[]) => fc.uniqueArray(fc.constantFrom(...values))
const optional = <T, K extends string>(key: K, values: fc.Arbitrary<T>) =>
  fc.option(values, { nil: undefined }).map((value) => (value === undefined ? {} : { [key]: value }) as { [name in K]?: T })

const obligation: fc.Arbitrary<CompiledPolicy['obligations'][number]> = fc.oneof(
  fc.record({ kind: fc.constant('limit' as const), count: fc.integer({ min: 1, max: 9 }), per: fc.constantFrom('minute', 'hour', 'day') }),
  fc.record({ kind: fc.constant('timeout' as const), ms: fc.integer({ min: 1, max: 9 }) }),
  fc.record({ kind: fc.constant('redact' as const), category: fc.constantFrom('ssn', 'iban') }),
  fc.record({ kind: fc.constant('sandbox' as const), profile: fc.constantFrom('gvisor', 'wasm') }),
  fc.record({ kind: fc.constant('log' as const), level: fc.constant('full' as const) }),
  fc.record({ kind: fc.constant('review' as const), percent: fc.integer({ min: 1, max: 100 }) }),
)
const ask = fc
  .tuple(
    fc.integer({ min: 1, max: 3 }),
    optional('group', fc.constantFrom('finance', 'ops')),
    optional('deadlineMs', fc.integer({ min: 1, max: 9 })),
    optional('escalate', fc.constant('cfo')),
  )
  .map(([quorum, ...rest]) => Object.assign({ quorum }, ...rest) as NonNullable<CompiledPolicy['ask']>)

const JSON_FORM = { principal: { op: 'All' }, action: { op: 'All' }, resource: { op: 'All' }, conditions: [] } as const
const policyOf = (id: string, parts: Pick<CompiledPolicy, 'effect' | 'ask' | 'obligations'>): CompiledPolicy => ({
  id,
  file: 'a.cedar',
  line: 1,
  column: 1,
  json: { effect: parts.effect, ...JSON_FORM },
  reason: `because ${id}`,
  unknownObligation: false,
  controls: [],
  owner: undefined,
  severity: undefined,
  ...parts,
})
const permit = fc.array(obligation, { maxLength: 3 }).map((obligations) => ({ effect: 'permit' as const, ask: undefined, obligations }))
const soft = ask.map((terms) => ({ effect: 'forbid' as const, ask: terms, obligations: [] }))
const hard = fc.constant({ effect: 'forbid' as const, ask: undefined, obligations: [] })

const policies = fc
  .array(fc.oneof({ weight: 4, arbitrary: permit }, { weight: 3, arbitrary: soft }, { weight: 1, arbitrary: hard }), { maxLength: 6 })
  .map((parts) => new Map(parts.map((part, i) => [`a/${i}`, policyOf(`a/${i}`, part)])))
const approvals = fc.array(fc.record({ id: fc.constant('apr_1'), by: some(people), policies: some(['a/0', 'a/1', 'a/2', 'a/3']) }), {
  maxLength: 3,
})

const decide = (all: ReadonlyMap<string, CompiledPolicy>, given: readonly GivenApproval[], satisfied = [...all.keys()]): Decision =>
  conclude({ satisfied, errors: [] }, all, answeredBy(given, all), PINS)

/** deny < hold < permit. */
const RANK = { deny: 0, hold: 1, permit: 2 }
const asksOf = (decision: Decision) => (decision.effect === 'hold' ? decision.asks : [])
const holds = <T>(law: fc.IProperty<T>) => fc.assert(law, { numRuns: 2000 })

test('adding a forbid, hard or soft, never lets more through', () => {
  holds(
    fc.property(policies, approvals, fc.oneof(hard, soft), (all, given, added) => {
      const more = new Map([...all, ['b/new', policyOf('b/new', added)] as const])
      expect(RANK[decide(more, given).effect]).toBeLessThanOrEqual(RANK[decide(all, given).effect])
    }),
  )
})

test('adding a soft forbid to a held call keeps every ask that there was, word for word', () => {
  holds(
    fc.property(policies, approvals, soft, (all, given, added) => {
      const before = decide(all, given)
      fc.pre(before.effect === 'hold')
      const after = asksOf(decide(new Map([...all, ['b/new', policyOf('b/new', added)] as const]), given))
      expect(after).toEqual(expect.arrayContaining([...asksOf(before)]))
      expect(after).toContainEqual(expect.objectContaining({ policy: 'b/new', ...added.ask }))
      expect(after).toHaveLength(asksOf(before).length + 1)
    }),
  )
})

test('the order of policies, and how often each is found, make no difference', () => {
  holds(
    fc.property(policies, approvals, fc.integer(), (all, given, seed) => {
      const shuffled = [...all.keys(), ...all.keys()].toSorted(
        (a, b) => ((a.length * seed) ^ seed) - ((b.length * seed) ^ (seed >> 3)) || (a < b ? 1 : -1),
      )
      expect(decide(all, given, shuffled)).toEqual(decide(all, given))
    }),
  )
})

test('an approval opens nothing but the soft forbids that it names, and only when enough different people gave it', () => {
  holds(
    fc.property(policies, approvals, (all, given) => {
      const decision = decide(all, given)
      const without = decide(all, [])
      expect(without.effect === 'hold' ? without : decision).toEqual(without)
      for (const { policy, quorum } of asksOf(without)) {
        const voters = new Set(given.filter((one) => one.policies.includes(policy)).flatMap(({ by }) => by))
        expect(asksOf(decision).some((one) => one.policy === policy)).toBe(voters.size < quorum)
      }
    }),
  )
})

test('the same person asked twice is one person', () => {
  const all = new Map([
    ['a/0', policyOf('a/0', { effect: 'permit', ask: undefined, obligations: [] })],
    ['a/1', policyOf('a/1', { effect: 'forbid', ask: { quorum: 2 }, obligations: [] })],
  ])
  const by = (...votes: string[][]) => votes.map((one, i) => ({ id: `apr_${i}`, by: one, policies: ['a/1'] }))
  expect(decide(all, by(['per_1', 'per_1'])).effect).toBe('hold')
  expect(decide(all, by(['per_1'], ['per_1'])).effect).toBe('hold')
  expect(decide(all, by(['per_1'], ['per_2'])).effect).toBe('permit')
})

test('an error outweighs everything, and a hold needs a permit', () => {
  holds(
    fc.property(policies, approvals, (all, given) => {
      const answered = answeredBy(given, all)
      const failed = conclude({ satisfied: [...all.keys()], errors: [{ policy: 'x' }] }, all, answered, PINS)
      expect(failed).toMatchObject({ effect: 'deny', fault: 'POLICY_ERROR' })
      const softened = new Map([...all].filter(([, { effect }]) => effect === 'forbid'))
      expect(decide(softened, given).effect).toBe('deny')
    }),
  )
})

const held = fc.array(
  fc.tuple(obligation, fc.constantFrom('a/0', 'a/1', 'a/2')).map(([term, policy]): Obligation => ({ ...term, policy })),
  { maxLength: 8 },
)

test('obligations merge in any order, once or twice, to the same; and one more loosens none', () => {
  holds(
    fc.property(held, held, (some_, others) => {
      const merged = mergeObligations([...some_, ...others])
      expect(mergeObligations([...others, ...some_])).toEqual(merged)
      expect(mergeObligations([...merged, ...merged])).toEqual(merged)
      expect(mergeObligations([...mergeObligations(some_), ...mergeObligations(others)])).toEqual(merged)
      for (const one of some_) {
        const kept = merged.find(
          (other) =>
            (one.kind === 'timeout' && other.kind === 'timeout' && other.ms <= one.ms) ||
            (one.kind === 'limit' && other.kind === 'limit' && other.per === one.per && other.count <= one.count) ||
            (one.kind === 'redact' && other.kind === 'redact' && other.category === one.category) ||
            (one.kind === 'sandbox' && other.kind === 'sandbox' && other.profile === one.profile) ||
            (one.kind === 'review' && other.kind === 'review' && other.percent >= one.percent) ||
            (one.kind === 'log' && other.kind === 'log'),
        )
        expect(kept).toBeDefined()
      }
    }),
  )
})
