/** Publishing under a charter that asks for tests, with the real ones: what fails, is missing or reaches too little keeps a version back. */
import { reportTests } from '@ephor/engine/policy'
import { confine } from '@ephor/engine/registry'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CHARTER, faultOf, FORBID_NOTES, openBoard } from './rollouts.fixture.ts'
import type { Board } from './rollouts.fixture.ts'

const STRICT = { 'charter.yaml': `${CHARTER}tests: { required: true, coverage: 1 }\n` }
const WORLD = `world:
  agents: [{ name: ada }]
  servers: [{ name: box }]
  tools: [{ tool: box/note, kind: write }, { tool: box/other, kind: read }]
`
const NOTES = '{ name: no notes, who: ada, what: box/note, expect: deny, reason: no-notes }'
const OTHER = '{ name: the rest, who: ada, what: box/other, expect: permit }'
const NEVER = '{ never: { what: box/note }, be: permit }'

let board: Board
beforeAll(async () => {
  const files = { 'p.cedar': '@id("all")\n@reason("All.")\npermit (principal, action, resource);\n', ...STRICT }
  board = await openBoard({ policies: files, runTests: (texts) => reportTests(texts, confine) })
}, 60_000)
afterAll(() => board.world.close())

test.each([
  ['none', [NOTES, OTHER, NEVER]],
  ['TESTS_FAILED', [NOTES.replace('deny', 'permit'), OTHER]],
  // The forbid is never seen: less than the charter wants.
  ['TESTS_FAILED', [OTHER]],
  ['TESTS_FAILED', [NOTES, OTHER, '{ never: { what: box/other }, be: permit }']],
  ['TESTS_FAILED', undefined],
  ['TESTS_FAILED', ['{ name: broken']],
])('publishing comes to %s with the cases %j', async (outcome, cases) => {
  const { world, people, proposed } = board
  const tests = cases && { 'p.test.yaml': `${WORLD}cases: [${cases.join(', ')}]\n` }
  const { id } = await proposed({ 'p.cedar': FORBID_NOTES, ...STRICT, ...tests }, people.sam)
  expect(await faultOf(world.rollouts.take(id, people.sam, { mode: 'shadow', percent: 100 }))).toBe(outcome)
  await world.rollouts.withdraw(id, people.ann)
})

test('a proposal says which cases failed, where, and how they came out', async () => {
  const { world, people } = board
  const files = {
    'p.cedar': FORBID_NOTES,
    ...STRICT,
    'p.test.yaml': `${WORLD}cases:\n  - ${NOTES.replace('deny', 'hold')}\n  - ${OTHER}\n`,
  }
  const { checks } = await world.rollouts.propose(people.ann, { files, why: 'a test' })
  expect(checks.tests).toEqual({
    cases: 3,
    failed: [
      {
        file: 'p.test.yaml:6:5',
        name: 'no notes',
        detail: 'expected hold because of no-notes, got deny (POLICY_DENIED) because of p/no-notes',
      },
    ],
  })
})
