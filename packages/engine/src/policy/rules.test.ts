/** The pure parts: what texts of another version mean, which entities a policy names, which name is near. */
import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import type { PolicyJson } from '@ephor/cedar'
import { expect, test } from 'vitest'
import { compilePolicy } from './compile-policy.ts'
import { namedEntities } from './named-entities.ts'
import { nearest } from './nearest.ts'
import { answeredBy, conclude } from './rules.ts'

function jsonOf(text: string): PolicyJson {
  const answer = cedar.policyToJson(text)
  if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors))
  return answer.json as PolicyJson
}

const compiled = (id: string, text: string) => [id, compilePolicy({ id, file: 'a.cedar', line: 1, column: 1 }, jsonOf(text))] as const

const PINS = { version: 'v', world: 'w' }

test('terms that this version does not know close what another version opened', () => {
  const policies = new Map([
    compiled('p', '@obligation("encrypt:aes") permit (principal, action, resource);'),
    compiled('s', '@approval("rank:2") forbid (principal, action, resource);'),
    compiled('ok', 'permit (principal, action, resource);'),
  ])
  const answered = answeredBy([{ id: 'a', by: ['p'], policies: ['s'] }], policies)
  const after = (...satisfied: string[]) => conclude({ satisfied, errors: [] }, policies, answered, PINS)
  expect(after('ok')).toMatchObject({ effect: 'permit' })
  expect(after('ok', 'p')).toMatchObject({ effect: 'deny', fault: 'OBLIGATION_UNKNOWN', reasons: [{ policy: 'p' }] })
  expect(after('ok', 's')).toMatchObject({ effect: 'deny', fault: 'POLICY_DENIED' })
})

test('what a policy says of itself is kept with it', () => {
  const text =
    '@owner("security") @severity("high") @control("SOC2-CC6.1, AC-2") @approval("quorum:2") forbid (principal, action, resource);'
  const [, policy] = compiled('a/1', text)
  expect(policy).toMatchObject({ owner: 'security', severity: 'high', controls: ['SOC2-CC6.1', 'AC-2'], ask: { quorum: 2 } })
})

test('entities that a policy names are found, and what only looks like one is not', () => {
  const text = `permit (principal in Team::"t", action, resource is ToolServer in ToolServer::"s")
    when { [Agent::"a", Agent::"b"].contains(principal) || Agent::"c".owner == "x" }
    unless { { __entity: context.door, other: Person::"p" }.__entity == "y" };`
  const ids = namedEntities(jsonOf(text)).map(({ id }) => id)
  expect(ids.toSorted()).toEqual(['a', 'b', 'c', 'p', 's', 't'])
})

test('the nearest name is offered only when it is near', () => {
  expect(nearest('obligaton', ['reason', 'obligation'])).toBe('obligation')
  expect(nearest('entirely-different', ['reason', 'obligation'])).toBeUndefined()
})
