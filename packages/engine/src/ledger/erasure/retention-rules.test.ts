/** Rules as data: what contradicts itself or could never apply is refused before it is in force. */
import { RetentionRules } from '@ephor/contract'
import { expect, test } from 'vitest'
import { checkRules } from './retention-rules.ts'

test.each([
  ['the kind "input" is in the classes', { classes: { a: ['input'], b: ['input'] } }],
  ['for the kinds that no class names', { classes: { other: ['input'] } }],
  ['rule 1 is about the class "nope"', { rules: [{ class: 'nope', keep: '1d' }] }],
  ['rule 1 is about the jurisdiction "nope"', { rules: [{ jurisdiction: 'nope', keep: '1d' }] }],
  ['rule 2 never applies', { rules: [{ keep: '90d' }, { class: 'other', keep: '1d' }] }],
])('rules that say "%s" are refused', (message, rules) => {
  expect(() => checkRules(RetentionRules.parse(rules))).toThrow(message)
})

test('rules are data with nothing unknown in them', () => {
  expect(RetentionRules.safeParse({ rules: [{ keep: '90 days' }] }).success).toBe(false)
  expect(RetentionRules.safeParse({ rules: [{ keep: '0d' }] }).success).toBe(false)
  expect(RetentionRules.safeParse({ retention: [] }).success).toBe(false)
})
