/** What the registry and identity know reaches policies: teams, tiers and people's groups, as soon as they change. */
import { openWorld } from '@ephor/testkit'
import { expect, test } from 'vitest'
import { worldOf } from './world-of.ts'

test('agents are in their teams, people in their groups, and no person is named', async () => {
  const world = await openWorld()
  const { registry, identity } = world
  const ada = await registry.registerAgent({ name: 'ada', owner: 'finance', purpose: 'p' }, identity.operator)
  const bob = await registry.registerAgent({ name: 'bob', owner: identity.operator, purpose: 'p' }, identity.operator)
  await registry.trustAgent(ada.id, { groups: ['audit'], tier: 2, standing: 'watched' }, identity.operator)
  let told = 0
  const stop = identity.on(() => told++)
  const carol = await identity.addPerson({ name: 'Carol Example', groups: ['cfo'] }, identity.operator)
  await identity.setGroups(carol.id, ['cfo', 'board'], identity.operator)
  stop()
  await identity.setGroups(carol.id, ['cfo'], identity.operator)
  expect(told).toBe(2)
  const now = worldOf(world)
  expect(now.agents).toContainEqual(expect.objectContaining({ id: ada.id, groups: ['audit', 'finance'], tier: 2, standing: 'watched' }))
  expect(now.agents).toContainEqual({ id: bob.id, name: 'bob', owner: identity.operator, purpose: 'p', groups: [] })
  expect(now.people).toContainEqual({ id: carol.id, groups: ['cfo'] })
  expect(JSON.stringify(now.people)).not.toContain('Carol')
  await world.close()
})
