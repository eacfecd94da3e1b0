/** SARIF as other people's scanners read it: the essentials of the standard, section by section. */
import { expect, test } from 'vitest'
import { sarifOf } from './sarif.ts'
import type { SarifFinding } from './sarif.ts'

const finding = (more: Partial<SarifFinding> = {}): SarifFinding => ({
  code: 'SHADOWED_PERMIT',
  severity: 'warning',
  file: 'a b.cedar',
  line: 3,
  column: 7,
  message: 'everything that this permits is refused',
  ...more,
})

type Log = {
  version: string
  runs: {
    tool: { driver: { name: string; rules: { id: string; shortDescription: { text: string } }[] } }
    columnKind: string
    results: {
      ruleId: string
      ruleIndex: number
      level: string
      message: { text: string }
      locations: { physicalLocation: { artifactLocation: { uri: string }; region: { startLine: number; startColumn: number } } }[]
    }[]
  }[]
}

test('a log has its version, one run with its tool, and a result for each finding (3.13, 3.14, 3.27)', () => {
  const log = sarifOf(
    [finding(), finding({ code: 'NEVER_APPLIES', severity: 'note', suggestion: 'remove it' }), finding()],
    'policies',
  ) as Log
  expect(log.version).toBe('2.1.0')
  expect(log.runs).toHaveLength(1)
  const [run] = log.runs
  expect(run?.columnKind).toBe('utf16CodeUnits')
  const rules = run?.tool.driver.rules ?? []
  expect(run?.tool.driver.name).toBe('ephor')
  // 3.19.23: no two rules have one id; 3.27.6: the index leads to the rule of the id.
  expect(rules.map(({ id }) => id)).toEqual(['NEVER_APPLIES', 'SHADOWED_PERMIT'])
  expect(run?.results).toHaveLength(3)
  for (const result of run?.results ?? []) {
    expect(rules[result.ruleIndex]?.id).toBe(result.ruleId)
    expect(['none', 'note', 'warning', 'error']).toContain(result.level)
    expect(result.message.text).not.toBe('')
  }
  expect(run?.results[1]?.message.text).toContain('remove it')
})

test('places are relative URIs with lines and columns from 1 (3.4.4, 3.30)', () => {
  const [run] = (sarifOf([finding(), finding({ file: '' })], './policies/') as Log).runs
  const [at] = run?.results[0]?.locations ?? []
  expect(at?.physicalLocation).toEqual({ artifactLocation: { uri: './policies/a%20b.cedar' }, region: { startLine: 3, startColumn: 7 } })
  expect(run?.results[1]?.locations).toEqual([])
})

test('nothing found is a log without results, not no log', () => {
  const [run] = (sarifOf([], '') as Log).runs
  expect(run?.results).toEqual([])
})
