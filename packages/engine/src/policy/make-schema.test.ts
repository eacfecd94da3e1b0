/** The schema is a function of the world, accepted by Cedar, and says of every argument whether policies see it. */
import * as fc from 'fast-check'
import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import type { Context } from '@cedar-policy/cedar-wasm/nodejs'
import { toJson, typedRecord } from '@ephor/cedar'
import { expect, test } from 'vitest'
import type { Json, JsonObject } from '@ephor/engine/kernel'
import { canonicalInput } from './canonical-text.ts'
import { checkValue } from './check-value.ts'
import { inputTypeOf } from './input-type.ts'
import { makeSchema } from './make-schema.ts'
import { contextOf } from './context-of.ts'
import { requestOf, toolOf, world } from './policy.fixture.ts'

test('the same world in another order gives the same schema, byte for byte', () => {
  const turned = { ...world, tools: world.tools.toReversed(), servers: world.servers.toReversed() }
  expect(makeSchema(turned, []).digest).toBe(makeSchema(world, []).digest)
  expect(JSON.stringify(makeSchema(turned, []).json)).toBe(JSON.stringify(makeSchema(world, []).json))
})

test('each tool is an action in the groups of its kind and risk', () => {
  expect(makeSchema(world, []).actions.get('mail/pay')?.groups).toEqual(['money', 'risk:critical', 'tools/call'])
  expect(makeSchema(world, []).actions.get('prompts/get')?.groups).toEqual(['read'])
})

test('what libraries write for optional, nested and referenced arguments has its type', () => {
  const { type, leftOut } = inputTypeOf({
    type: 'object',
    required: ['s', 'maybe'],
    $defs: {
      Item: { type: 'object', properties: { n: { type: 'integer' }, self: { $ref: '#/$defs/Item' } } },
      Loop: { $ref: '#/$defs/Loop' },
    },
    properties: {
      s: { type: 'string' },
      color: { enum: ['red', 'blue'] },
      maybe: { anyOf: [{ type: 'string' }, { type: 'null' }] },
      list: { type: ['array', 'null'], items: { type: 'boolean' } },
      item: { $ref: '#/$defs/Item' },
      loop: { $ref: '#/$defs/Loop' },
      away: { $ref: 'https://example.com/schema' },
      ratio: { type: 'number' },
      either: { type: ['string', 'integer'] },
      free: { type: 'object' },
      rows: { type: 'array', items: { type: 'object' } },
      all: { allOf: [{ type: 'string' }] },
      __entity: { type: 'string' },
      'half\ud800': { type: 'string' },
    },
  })
  expect(
    [...type.fields].map(
      ([
        name,
        {
          type: { kind },
          required,
          nullable,
        },
      ]) => [name, kind, required, nullable],
    ),
  ).toEqual([
    ['color', 'string', false, false],
    ['item', 'record', false, false],
    ['list', 'set', false, true],
    ['maybe', 'string', true, true],
    ['s', 'string', true, false],
  ])
  const left = leftOut.map(({ where }) => where)
  for (const name of ['loop', 'away', 'ratio', 'either', 'free', 'rows', 'all', '__entity', 'half\ufffd'])
    expect(left).toContain(`/${name}`)
  // A type that contains itself ends where the depth does.
  expect(left).toContain('/item/self/self/self/self/self/self')
})

test('a hostile schema is bounded', () => {
  const properties = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`p${i}`, { type: 'string' }]))
  expect(inputTypeOf({ type: 'object', properties }).type.fields.size).toBeLessThanOrEqual(300)
  for (const odd of [
    {},
    { properties: 5 },
    { properties: { a: null, b: [] } },
    { required: 'x', properties: { a: { type: [] } } },
  ] as JsonObject[]) {
    expect(inputTypeOf(odd).type.fields.size).toBe(0)
  }
})

const leaf = fc.constantFrom<Json>(
  { type: 'string' },
  { type: 'integer' },
  { type: 'boolean' },
  { type: 'array', items: { type: 'integer' } },
  { type: 'number' },
  { type: ['string', 'null'] },
  { type: 'string', format: 'uri' },
  { type: 'array', items: { type: 'string', format: 'hostname' } },
)
const name = fc.constantFrom('a', 'b', 'constructor', 'toString', 'x y', 'é"\\', 'Var', '__extn')
const object = fc.letrec<{ node: Json; leaf: Json }>((tie) => ({
  leaf,
  node: fc.oneof(
    { maxDepth: 3 },
    tie('leaf'),
    fc.dictionary(name, tie('node'), { maxKeys: 3 }).map((properties): Json => ({ type: 'object', properties })),
  ),
}))
const value = fc.letrec<{ node: Json }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3 },
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constantFrom<Json>(null, -0, 2 ** 60, 0.5, { __extn: { fn: 'ip', arg: '1' } }),
    fc.array(fc.integer(), { maxLength: 3 }),
    fc.dictionary(name, tie('node'), { maxKeys: 3 }),
  ),
}))

const facts = {
  door: 'mcp',
  onBehalfOf: 'per_1',
  approvals: [],
  now: Date.UTC(2026, 10, 22, 23, 59),
  session: { id: 'ses', calls: 3, startedAt: 0 },
  labels: ['web'],
  budgets: { pay_day: { used: 1, left: 2, limit: 3 }, other: { used: 0, left: 0, limit: 0 } },
  amount: { value: 5, currency: 'EUR' },
}
const request = { ...requestOf('fs/t'), facts }
const assessment = {
  amount: facts.amount,
  risk: { score: 5, tier: 'low', parts: [] },
  mode: 'autonomous',
  isRead: true,
  charges: [],
} as const

test("whatever is built from an agent's arguments is what Cedar's own validator expects of the schema", () => {
  let accepted = 0
  fc.assert(
    fc.property(
      fc.dictionary(name, object.node, { maxKeys: 4 }),
      fc.array(fc.dictionary(name, value.node, { maxKeys: 4 }), { minLength: 5 }),
      (properties, inputs) => {
        const { json, actions } = makeSchema({ tools: [toolOf('t', 'read', properties)] }, ['pay_day'])
        const { context, type } = actions.get('fs/t')!
        for (const input of inputs) {
          const source = contextOf({ ...request, input }, assessment, new Set())
          if (checkValue(context, source) !== undefined) continue
          accepted++
          const values = toJson(typedRecord(type, canonicalInput(context, source)))
          const call = { context: values as Context, schema: json, action: { type: 'Action', id: 'fs/t' } }
          expect(cedar.checkParseContext(call)).toEqual({ type: 'success' })
        }
      },
    ),
    { numRuns: 20 },
  )
  expect(accepted).toBeGreaterThan(5)
})
