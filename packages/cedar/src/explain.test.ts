/** Explanations: which conditions held, and the values that they saw. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { policyJsons } from '../test/official.fixture.ts'
import { worlds } from '../test/worlds.fixture.ts'
import { compileTexts, requestWith, user } from './decide.fixture.ts'
import { compilePolicies, createEntities, evaluate, explain, indexSchema, readContext, readEntities } from './index.ts'
import type { PolicyJson, SchemaJson } from './index.ts'

const explained = (text: string, context: unknown, entities: unknown = []) =>
  explain(compileTexts({ p: text }), createEntities(readEntities(entities)), requestWith(context))

test('a condition shows the values that it saw, by their whole path', () => {
  const text =
    'forbid(principal, action, resource) when { context.risk.score > 50 && context has owner } unless { context.owner == principal };'
  const owner = { __entity: { type: 'User', id: 'bob' } }
  expect(explained(text, { risk: { score: 80, tier: 'high' }, owner })).toEqual([
    {
      policy: 'p',
      effect: 'forbid',
      outcome: 'satisfied',
      conditions: [
        {
          kind: 'when',
          held: true,
          reads: [
            { path: 'context.risk.score', value: 80 },
            { path: 'context has owner', value: true },
          ],
        },
        { kind: 'unless', held: true, reads: [{ path: 'context.owner', value: owner }] },
      ],
    },
  ])
})

test('what is not reached is not seen', () => {
  const text = 'permit(principal, action, resource) when { context.a && context.b } when { context.c };'
  const [policy] = explained(text, { a: false })
  expect(policy).toMatchObject({
    outcome: 'unsatisfied',
    conditions: [
      { held: false, reads: [{ path: 'context.a', value: false }] },
      { held: undefined, reads: [] },
    ],
  })
})

test('a failure says at which value', () => {
  const [policy] = explained('permit(principal, action, resource) when { context["the limit"] > 1 && context.b.c };', {
    'the limit': 5,
    b: {},
  })
  expect(policy).toMatchObject({
    outcome: 'error',
    error: { code: 'ATTRIBUTE' },
    conditions: [
      {
        held: undefined,
        reads: [
          { path: 'context["the limit"]', value: 5 },
          { path: 'context.b.c', value: undefined },
        ],
      },
    ],
  })
})

test('attributes and tags of entities, and extension values', () => {
  const cost = { __extn: { fn: 'decimal', arg: '1.5000' } }
  const ann = { uid: user('ann'), parents: [], attrs: { cost, boss: { __entity: user('ann') } }, tags: { level: 3 } }
  const text =
    'permit(principal, action, resource) when { principal.boss.cost == decimal("1.5") && principal.getTag("level") == 3 && principal has boss.cost };'
  const [policy] = explained(text, {}, [ann])
  expect(policy?.conditions[0]?.reads).toEqual([
    { path: 'principal.boss.cost', value: cost },
    { path: 'principal.getTag("level")', value: 3 },
    { path: 'principal has boss', value: true },
    { path: 'principal.boss has cost', value: true },
  ])
})

test('policies that don’t cover the request are left out', () => {
  const set = compileTexts({
    a: 'permit(principal == User::"bob", action, resource);',
    b: 'permit(principal is User in User::"ann", action, resource);',
  })
  expect(explain(set, createEntities(), requestWith()).map(({ policy }) => policy)).toEqual(['b'])
})

test('an explanation comes out as the decision does', () => {
  const law = fc.property(worlds(3), (world) => {
    const schema = world.schema === undefined ? undefined : indexSchema(world.schema as unknown as SchemaJson)
    const set = compilePolicies(policyJsons(world) as unknown as [string, PolicyJson][], world.links)
    const entities = createEntities(readEntities(world.entities, schema))
    for (const { principal, action, resource, context } of world.requests) {
      const request = { principal, action, resource, context: readContext(context, schema, action) }
      const explanation = explain(set, entities, request)
      const ids = (outcome: string) => explanation.filter((policy) => policy.outcome === outcome).map(({ policy }) => policy)
      const { permits, forbids, errors } = evaluate(set, entities, request)
      expect(ids('satisfied').toSorted()).toEqual([...permits, ...forbids].toSorted())
      expect(ids('error')).toEqual(errors.map(({ policy }) => policy))
    }
  })
  fc.assert(law, { numRuns: 100 })
})
