/** Values without what must not be passed on: whole, or not at all. */
import { expect, test } from 'vitest'
import { redact } from './index.ts'

const NUMBER = '531-21-7351'

test('every string, name and number of a value is examined', () => {
  const value = {
    content: [{ type: 'text', text: `John has ${NUMBER}, Jane 594-62-0140` }],
    structuredContent: { [NUMBER]: true, '594-62-0140': { ssn: 531217351, other: 531217351 }, rows: [[NUMBER]] },
  }
  expect(redact(value, ['ssn'])).toEqual({
    kind: 'redacted',
    value: {
      content: [{ type: 'text', text: 'John has [redacted: ssn], Jane [redacted: ssn]' }],
      structuredContent: {
        '[redacted: ssn]': true,
        '[redacted: ssn] 2': { ssn: '[redacted: ssn]', other: 531217351 },
        rows: [['[redacted: ssn]']],
      },
    },
    found: { ssn: 6 },
  })
})

test('what was not asked for, and what is nothing of the kind, stays as it is', () => {
  const value = { a: `${NUMBER} x@example.com`, b: [1, null, true, 1.5], ['__proto__']: 'x' }
  expect(redact(value, ['iban'])).toEqual({ kind: 'redacted', value, found: {} })
})

test.each([
  ['an image', { content: [{ type: 'image', data: 'aGk=', mimeType: 'image/png' }] }],
  ['sound', { content: [{ type: 'audio', data: 'aGk=', mimeType: 'audio/wav' }] }],
  ['a binary resource', { contents: [{ uri: 'file:///a', blob: 'aGk=' }] }],
  ['a data URL', { link: 'data:text/plain;charset=utf-8;base64,NTMxLTIxLTczNTE=' }],
  ['more text than is examined', { text: 'a'.repeat(512 * 1024 + 1) }],
  ['more values than are examined', { rows: Array.from({ length: 200_001 }, () => 1) }],
])('%s is not passed on', (_, value) => {
  expect(redact(value, ['ssn'])).toEqual({ kind: 'unexaminable', detail: expect.stringMatching(/^it holds /) })
})

test('20,000 names that are redacted to one take no long time', () => {
  const names = Array.from({ length: 20_000 }, (_, i) => [`531-${10 + Math.trunc(i / 9000)}-${1000 + (i % 9000)}`, i] as const)
  const start = performance.now()
  const redacted = redact(Object.fromEntries(names), ['ssn'])
  expect(performance.now() - start).toBeLessThan(5000)
  expect(redacted.kind === 'redacted' && redacted.found).toEqual({ ssn: 20_000 })
})
