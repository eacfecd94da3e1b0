/** The guide's examples of cases are ones that can be read. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readCases } from './read-cases.ts'

test('every example of a file of cases in the guide is read without a finding', () => {
  const guide = readFileSync(join(import.meta.dirname, '../../../../../docs/guide/policy-tests.md'), 'utf8')
  const texts = [...guide.matchAll(/```yaml\n(world:[\s\S]*?)```/g)].map(([, text = '']) => text)
  const files = { 'a.test.yaml': texts[0] ?? '', 'b.test.yaml': texts[1] ?? '' }
  expect(texts).toHaveLength(2)
  for (const name of Object.keys(files)) expect(readCases(files, name)).not.toHaveProperty('findings')
  expect(readCases(files, 'a.test.yaml')).toMatchObject({ cases: { length: 4 } })
  expect(readCases(files, 'b.test.yaml')).toMatchObject({ properties: { length: 3 } })
})
