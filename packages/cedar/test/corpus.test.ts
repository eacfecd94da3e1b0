/** Cedar's own integration tests: their expectation, the official engine and ours say the same. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { compare } from './compare.fixture.ts'
import { policiesOf, schemaJson } from './official.fixture.ts'
import type { JsonObject, Request } from './worlds.fixture.ts'

const FOLDER = join(process.env['EPHOR_TEST_DATA'] ?? join(import.meta.dirname, '../../../../shared/data'), 'cedar')
const here = existsSync(FOLDER)
if (!here) console.warn(`Skipped: Cedar's integration tests are not in ${FOLDER}; EPHOR_TEST_DATA names the folder that holds them.`)

type Case = Request & { description: string; decision: string; reason: string[]; errors: string[] }
type Suite = { policies: string; entities: string; schema: string; requests: Case[] }

const read = (file: string) => readFileSync(join(FOLDER, file), 'utf8')
const files = here ? globSync('tests/**/*.json', { cwd: FOLDER }).toSorted() : []

test.runIf(here)('the corpus is there', () => {
  expect(files.length).toBeGreaterThan(15)
})

describe.each(files)('%s', (file) => {
  const suite = JSON.parse(read(file)) as Suite
  const world = {
    schema: schemaJson(read(suite.schema)) as unknown as JsonObject,
    policies: policiesOf(read(suite.policies)),
    templates: {},
    links: [],
    entities: JSON.parse(read(suite.entities)) as JsonObject[],
    requests: suite.requests.map(({ principal, action, resource, context }) => ({ principal, action, resource, context })),
  }
  const answers = compare(world)

  test.each(suite.requests.map((one, i) => [one.description, one, i] as const))('%s', (_, { decision, reason, errors }, i) => {
    const expected = { decision, reasons: reason.toSorted(), errors: errors.toSorted() }
    expect(answers[i]).toMatchObject({ official: expected, ours: expected })
  })
})
