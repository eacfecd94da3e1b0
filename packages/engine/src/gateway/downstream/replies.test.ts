/** The words that an agent reads when a call is refused: each thing said once, in an order that helps. */
import { expect, test } from 'vitest'
import type { Performed } from '@ephor/engine/broker'
import { refusal } from './replies.ts'
import { receipt } from './door.fixture.ts'

function textOf(detail: string, ...texts: string[]): string {
  const reasons = texts.map((text) => ({ policy: 'p', text }))
  const refused: Performed = { kind: 'refused', decision: 'dec_1', fault: 'POLICY_DENIED', detail, reasons, receipt }
  const { content } = refusal('tools/call', refused)
  return (JSON.stringify(content).match(/(Why|Detail): .*?(?=\\n)/g) ?? []).join(' | ')
}

test.each([
  ['No money on Sundays', ['No money on Sundays'], 'Why: No money on Sundays'],
  ['No money; Not you', ['No money', 'Not you'], 'Why: No money; Not you'],
  ['Same', ['Same', 'Same'], 'Why: Same'],
  ['No money (asked before)', ['No money'], 'Why: No money (asked before)'],
  ['the limit is used up', ['No money'], 'Why: No money | Detail: the limit is used up'],
  ['no such tool', [], 'Why: no such tool'],
  ['', [], ''],
])('a refusal with the detail "%s" and the reasons %j says each thing once', (detail, reasons, expected) => {
  expect(textOf(detail, ...reasons)).toBe(expected)
})
