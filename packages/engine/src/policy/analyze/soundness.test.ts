/** The law of analysis: what it calls impossible no request does, errors included; and what it shows was evaluated. */
import * as fc from 'fast-check'
import type { ExprJson, PolicyJson } from '@ephor/cedar'
import { afterAll, expect, test } from 'vitest'
import { makeSchema } from '../make-schema.ts'
import { toolOf } from '../policy.fixture.ts'
import type { PolicyWorld } from '../types.ts'
import { examplesOf } from './analyze.ts'
import { together } from './check-policies.ts'
import { witnessEvaluator } from './evaluate-witness.ts'
import type { Namespace } from './make-encoder.ts'
import { all, fails, makeProver, none, satisfied } from './prove.ts'
import { requestClasses } from './request-classes.ts'
import { startSolver } from './start-solver.ts'
import type { Subject, Witness } from './types.ts'

const properties = {
  path: { type: 'string' },
  lines: { type: 'integer' },
  force: { type: 'boolean' },
  tags: { type: 'array', items: { type: 'string' } },
}
const world: PolicyWorld = {
  agents: [{ id: 'agt_1', name: 'Ada', owner: 'per_1', purpose: 'p' }],
  servers: [{ name: 'fs', folders: [] }],
  tools: [toolOf('edit', 'write', properties, { required: ['path'] })],
}
const schema = makeSchema(world, [])
const solver = startSolver({ questionMs: 5000, totalMs: 600_000 })
afterAll(() => solver.close())

const dot = (left: ExprJson, ...attrs: string[]) => attrs.reduce<ExprJson>((of, attr) => ({ '.': { left: of, attr } }), left)
const context: ExprJson = { Var: 'context' }
const input = dot(context, 'input')
const value = (Value: unknown): ExprJson => ({ Value })

const longs = fc.letrec<{ long: ExprJson }>((tie) => ({
  long: fc.oneof(
    { maxDepth: 2 },
    fc.constantFrom(-1, 0, 2, 3, 5, Number.MAX_SAFE_INTEGER).map(value),
    fc.constantFrom(dot(input, 'lines'), dot(context, 'session', 'calls')),
    fc
      .record({ op: fc.constantFrom('+', '-', '*'), left: tie('long'), right: tie('long') })
      .map(({ op, left, right }) => ({ [op]: { left, right } })),
    tie('long').map((arg) => ({ neg: { arg } })),
  ),
})).long
const strings = fc.constantFrom(dot(input, 'path'), dot({ Var: 'principal' }, 'owner'), value('a'), value('/srv/a'), value('é"\\'))
const sets = fc.oneof(
  fc.constantFrom(dot(input, 'tags'), dot(context, 'labels')),
  fc.array(strings, { maxLength: 2 }).map((Set): ExprJson => ({ Set })),
)
const patterns = fc.array(fc.constantFrom('Wildcard', { Literal: 'a' }, { Literal: '/srv' }, { Literal: '"' }), {
  minLength: 1,
  maxLength: 4,
})
const binary = (ops: string[], of: fc.Arbitrary<ExprJson>) =>
  fc.record({ op: fc.constantFrom(...ops), left: of, right: of }).map(({ op, left, right }): ExprJson => ({ [op]: { left, right } }))
const bools = fc.letrec<{ bool: ExprJson }>((tie) => ({
  bool: fc.oneof(
    { maxDepth: 3 },
    binary(['<', '<=', '>', '>=', '==', '!='], longs),
    binary(['==', '!='], strings),
    binary(['containsAll', 'containsAny', '=='], sets),
    fc.record({ left: sets, right: strings }).map((contains) => ({ contains })),
    sets.map((arg) => ({ isEmpty: { arg } })),
    fc.record({ left: strings, pattern: patterns }).map((like) => ({ like })),
    fc.constantFrom('path', 'lines', 'force', 'tags', 'other').map((attr) => ({ has: { left: input, attr } })),
    fc.constantFrom(dot(input, 'force'), value(true), { has: { left: context, attr: 'onBehalfOf' } }),
    fc
      .constantFrom('Team', 'Agent')
      .map((type) => ({ in: { left: { Var: 'principal' }, right: value({ __entity: { type, id: 'agt_1' } }) } })),
    binary(['&&', '||'], tie('bool')),
    tie('bool').map((arg) => ({ '!': { arg } })),
    fc
      .tuple(tie('bool'), tie('bool'), tie('bool'))
      .map((parts) => ({ 'if-then-else': Object.fromEntries(['if', 'then', 'else'].map((name, i) => [name, parts[i]])) })),
  ),
})).bool

const policies = fc.record({
  effect: fc.constantFrom('permit' as const, 'forbid' as const),
  conditions: fc.array(fc.record({ kind: fc.constantFrom('when' as const, 'unless' as const), body: bools }), { maxLength: 2 }),
  named: fc.boolean(),
})

function subjectOf(
  id: string,
  { effect, conditions, named }: { effect: PolicyJson['effect']; conditions: PolicyJson['conditions']; named: boolean },
): Subject {
  const principal = named ? ({ op: '==', entity: { type: 'Agent', id: 'agt_1' } } as const) : ({ op: 'is', entity_type: 'Agent' } as const)
  const json: PolicyJson = {
    effect,
    principal,
    action: { op: '==', entity: { type: 'Action', id: 'fs/edit' } },
    resource: { op: 'All' },
    conditions,
  }
  return { id, file: 'a.cedar', line: 1, column: 1, effect, json, ask: undefined, obligations: [] }
}

const maybe = <T>(name: string, values: readonly T[]) => [{}, ...values.map((one) => ({ [name]: one }))]

/** Every request of a small domain. */
function domain(): Witness[] {
  const ordinary = {
    door: 'mcp',
    approvals: [],
    risk: { score: 0, tier: 'low' },
    budget: {},
    time: { now: { __extn: { fn: 'datetime', arg: '1970-01-01' } }, hour: 0, weekday: 4 },
  }
  const requests: Witness[] = []
  for (const [id, owner, team] of [
    ['agt_1', 'a', false],
    ['agt_2', 'per_2', true],
    ['x', '/srv/a', false],
  ] as const)
    for (const path of ['', 'a', '/srv/a', '"a'])
      for (const lines of maybe('lines', [-1, 0, 4, 6, Number.MAX_SAFE_INTEGER]))
        for (const force of maybe('force', [true, false]))
          for (const tags of maybe('tags', [[], ['a'], ['a', path]]))
            for (const labels of [[], ['a', '/srv/a']])
              requests.push({
                principal: { type: 'Agent', id },
                action: { type: 'Action', id: 'fs/edit' },
                resource: { type: 'ToolServer', id: 'fs' },
                context: {
                  ...ordinary,
                  labels,
                  session: { id: 's', calls: labels.length, age: 0 },
                  input: { path, ...lines, ...force, ...tags },
                },
                entities: [
                  {
                    uid: { type: 'Agent', id },
                    attrs: { name: 'n', owner, purpose: 'p' },
                    parents: team ? [{ type: 'Team', id: 'agt_1' }] : [],
                  },
                  { uid: { type: 'ToolServer', id: 'fs' }, attrs: { folders: [] }, parents: [] },
                ],
              })
  return requests
}
const requests = domain()

test('what is called impossible, no request of a small world does; what is not known stays rare', { timeout: 300_000 }, async () => {
  let [asked, unknown] = [0, 0]
  await fc.assert(
    fc.asyncProperty(fc.array(policies, { minLength: 1, maxLength: 3 }), async (made) => {
      const subjects = made.map((one, i) => subjectOf(`p${i}`, one))
      const { classes } = await requestClasses({ subjects, schema, asking: [], until: Infinity })
      const of = classes.find(({ actions }) => actions.includes('fs/edit'))
      if (!of) throw new Error('the tool is in no class')
      const evaluate = witnessEvaluator(subjects, schema)
      const prover = makeProver({ solver, namespace: schema.json[''] as Namespace, examples: examplesOf(world), evaluate })
      const { permitted, forbidden, failed } = together(of, subjects)
      const goals = [
        ...subjects.flatMap(({ id }) => [satisfied(of, id), none(satisfied(of, id)), fails(of, id)]),
        all(permitted, none(forbidden, failed)),
        all(permitted, forbidden),
      ]
      const outcomes = requests.map((witness) => [evaluate(witness), witness] as const)
      expect(outcomes.filter(([outcome]) => outcome === undefined)).toEqual([])
      for (const goal of goals) {
        const verdict = await prover.find(of, goal, true)
        asked++
        if (verdict.kind === 'unknown') unknown++
        const shown = outcomes.find(([outcome, witness]) => outcome && goal.holds(outcome, witness))
        const contradiction =
          verdict.kind === 'none'
            ? shown?.[1]
            : verdict.kind === 'shown' && !goal.holds(evaluate(verdict.witness) ?? verdict.outcome, verdict.witness) && verdict.witness
        expect(contradiction || undefined, goal.smt).toBeUndefined()
      }
    }),
    { numRuns: Number(process.env['EPHOR_FUZZ_RUNS'] ?? 40) },
  )
  console.info(`${asked} questions, ${unknown} unknown`)
  expect(unknown / asked).toBeLessThan(0.1)
})
