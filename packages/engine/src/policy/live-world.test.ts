/** The world that is changed step by step is the world that is loaded at once. */
import fc from 'fast-check'
import { toJson } from '@ephor/cedar'
import { expect, test } from 'vitest'
import { createWorld } from './live-world.ts'
import type { LiveWorld } from './live-world.ts'
import { openBundle } from './open-bundle.ts'
import { requestOf, toolOf, world } from './policy.fixture.ts'
import type { PolicyWorld } from './types.ts'

const names = fc.uniqueArray(fc.constantFrom('finance', 'ops', 'audit'), { maxLength: 3 })
const agents = fc.uniqueArray(
  fc.record(
    {
      id: fc.constantFrom('agt_1', 'agt_2', 'agt_3', 'agt_4'),
      name: fc.constantFrom('a', 'b'),
      owner: fc.constantFrom('per_1', 'ops'),
      purpose: fc.constant('p'),
      groups: names,
      tier: fc.integer({ min: 0, max: 3 }),
      standing: fc.constantFrom<'good' | 'watched'>('good', 'watched'),
    },
    { requiredKeys: ['id', 'name', 'owner', 'purpose'] },
  ),
  { selector: ({ id }) => id },
)
const people = fc.uniqueArray(fc.record({ id: fc.constantFrom('per_1', 'per_2', 'per_3'), groups: names }), { selector: ({ id }) => id })
const tools = fc.uniqueArray(
  fc
    .tuple(fc.constantFrom('read', 'write', 'send'), fc.constantFrom('read', 'write', 'money'))
    .map(([name, kind]) => toolOf(name, kind as 'read')),
  { selector: ({ name }) => name },
)
const servers = fc.constantFrom(world.servers, world.servers.slice(1), [{ name: 'fs', folders: ['/a', '/b'] }])
const worlds: fc.Arbitrary<PolicyWorld> = fc.record({ agents, people, tools, servers })

const named = ({ type, id }: { type: string; id: string }) => `${type}::${id}`

function contents({ entities }: LiveWorld) {
  return Array.from(entities.uids(), (uid) => {
    const node = entities.get(uid.key)
    return [named(uid), node && toJson(node.attrs), entities.ancestors(uid).map(named).toSorted()] as const
  }).toSorted(([a], [b]) => (a < b ? -1 : 1))
}

test('whatever worlds came before, the entities are those of the last', () => {
  fc.assert(
    fc.property(fc.array(worlds, { minLength: 2, maxLength: 6 }), (all) => {
      const live = createWorld(all[0] as PolicyWorld)
      for (const next of all.slice(1)) live.follow(next)
      const fresh = createWorld(all.at(-1) as PolicyWorld)
      expect(contents(live)).toEqual(contents(fresh))
      expect(live.digest).toBe(fresh.digest)
      expect(live.schema(['day']).digest).toBe(fresh.schema(['day']).digest)
    }),
    { numRuns: 200 },
  )
})

test('an agent that leaves a team, or changes its tier, is decided about as it is now', async () => {
  const text = '@reason("r") permit (principal in Team::"ops", action, resource) when { principal has tier && principal.tier < 2 };'
  const of = (groups: string[], tier: number) => ({
    ...world,
    agents: [{ id: 'agt_1', name: 'a', owner: 'o', purpose: 'p', groups, tier }],
  })
  const bundle = await openBundle({ 'a.cedar': text }, of(['ops'], 1))
  const effectIn = (next: PolicyWorld) => bundle.under(next).decide(requestOf('fs/read')).effect
  expect(effectIn(of(['ops'], 1))).toBe('permit')
  expect(effectIn(of(['audit'], 1))).toBe('deny')
  expect(effectIn(of(['ops'], 2))).toBe('deny')
})

test('people are in their groups where an agent acts for them', async () => {
  const text = '@reason("r") permit (principal, action, resource) when { context has onBehalfOf && context.onBehalfOf in Group::"cfo" };'
  const of = (groups: string[]) => ({ ...world, people: [{ id: 'per_1', groups }] })
  const bundle = await openBundle({ 'a.cedar': text }, of(['cfo']))
  const decide = (next: PolicyWorld) => bundle.under(next).decide(requestOf('fs/read', {}, { onBehalfOf: 'per_1' })).effect
  expect(decide(of(['cfo']))).toBe('permit')
  expect(decide(of([]))).toBe('deny')
  expect(decide({ ...world, people: [] })).toBe('deny')
})
