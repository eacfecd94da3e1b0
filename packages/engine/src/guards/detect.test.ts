/** What the detectors find and leave alone: by example, on text made by others, and on text made to be slow. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RedactionCategory } from '@ephor/contract'
import { REDACTION_CATEGORIES } from '@ephor/contract'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { detect } from './index.ts'

const found = (text: string, category: RedactionCategory, name = '') =>
  detect(text, [category], name).map(({ start, end }) => text.slice(start, end))

test.each<[RedactionCategory, string, string[]]>([
  ['ssn', 'it is 531-21-7351.', ['531-21-7351']],
  ['ssn', '531 21 7351, 531\u201321\u20137351', ['531 21 7351', '531\u201321\u20137351']],
  ['ssn', 'SSN: 531217351', ['531217351']],
  ['credit-card', 'card 4111 1111 1111 1111 12/27', ['4111 1111 1111 1111']],
  ['credit-card', '12 4111-1111-1111-1111, 378282246310005', ['4111-1111-1111-1111', '378282246310005']],
  ['iban', 'to GB82 WEST 1234 5698 7654 32 today', ['GB82 WEST 1234 5698 7654 32']],
  ['iban', 'de89370400440532013000', ['de89370400440532013000']],
  ['email', 'write to jörg.o\u2019x@sub.example.co.uk, or <a+b@example.com>.', ['x@sub.example.co.uk', 'a+b@example.com']],
  ['phone', 'call +41 (0)44 668 18 00 or (212) 555-0123 x45', ['+41 (0)44 668 18 00', '(212) 555-0123 x45']],
  ['phone', 'phone: 9498777106', ['9498777106']],
  ['secret', 'Bearer eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZ3RfMSJ9.c2lnbmF0dXJl;', ['eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZ3RfMSJ9.c2lnbmF0dXJl']],
  [
    'secret',
    `https://hooks.slack.com/services/T00000000/B00000000/${'X'.repeat(24)}`,
    [`hooks.slack.com/services/T00000000/B00000000/${'X'.repeat(24)}`],
  ],
  ['ip', 'from 203.0.113.7:443, 2001:db8::1 and ::ffff:192.0.2.1.', ['203.0.113.7', '2001:db8::1', '::ffff:192.0.2.1']],
])('%s is found in "%s"', (category, text, wanted) => {
  expect(found(text, category)).toEqual(wanted)
})

test.each<[RedactionCategory, string]>([
  ['ssn', '000-12-3456 666-12-3456 900-12-3456 123-00-4567 123-45-0000 1123-45-67890 123456789'],
  ['credit-card', '4111 1111 1111 1112, order 1234567890123456, 1763787600000, 41111111111111111111'],
  ['iban', 'GB82 WEST 1234 5698 7654 33, XX82WEST12345698765432, commit de89370400440532013001'],
  ['email', 'a@b, @everyone, user@localhost'],
  ['phone', '2026-11-22T05:24:01Z, 1.2.3, 10.1007/978-3, order 123456789, 0.12345'],
  ['ip', '256.1.1.1, 1.2.3.4.5, 12:30:45, std::vector, a::b'],
  ['secret', 'AKIA1234, ghp_short, the monkey-key, eyeless.eyesight.'],
])('%s is not seen in "%s"', (category, text) => {
  expect(found(text, category)).toEqual([])
})

test('the name of a field says what bare digits are', () => {
  expect(found('531217351', 'ssn', 'customer_ssn')).toEqual(['531217351'])
  expect(found('9498777106', 'phone', 'mobilePhone')).toEqual(['9498777106'])
})

test('a private key is found whole, and one that is cut off up to the end', () => {
  const pem = (end: string) => ['-----BEGIN RSA PRIVATE', 'KEY-----\nMIIEow\n'].join(' ') + end
  const whole = pem(['-----END RSA PRIVATE', 'KEY-----'].join(' '))
  expect(found(`a ${whole} b`, 'secret')).toEqual([whole])
  expect(found(`a ${pem('b')}`, 'secret')).toEqual([pem('b')])
})

test('what overlaps is one stretch', () => {
  expect(detect('mail 10.0.0.1@example.com', ['ip', 'email'])).toEqual([{ category: 'email', start: 5, end: 25 }])
})

/** Repetitions of what patterns begin with or nearly end on. */
const SLOW = [
  '1',
  '1 ',
  '(0',
  'a',
  'a.',
  'a@',
  'a@b.',
  '4-',
  '+1',
  '1:',
  'GB82 ',
  'eyJ',
  '-eyJ',
  'xoxb-',
  'ghp_',
  ['-----BEGIN PRIVATE', 'KEY-----'].join(' '),
  'AKIA',
  'sk-proj-',
  'tel ',
  'ssn 1',
]

test.each(SLOW)('100,000 characters of "%s" take no long time', (part) => {
  const text = part.repeat(100_000 / part.length)
  const start = performance.now()
  detect(text, REDACTION_CATEGORIES)
  // Quadratic would be minutes; this is for a busy machine.
  expect(performance.now() - start).toBeLessThan(5000)
})

const DATA = process.env['EPHOR_TEST_DATA'] ?? join(import.meta.dirname, '../../../../../shared/data')
const TYPES: Record<string, RedactionCategory> = {
  US_SSN: 'ssn',
  CREDIT_CARD: 'credit-card',
  IBAN_CODE: 'iban',
  EMAIL_ADDRESS: 'email',
  PHONE_NUMBER: 'phone',
  IP_ADDRESS: 'ip',
}
type Sample = { full_text: string; spans: { entity_type: string; entity_value: string; start_position: number; end_position: number }[] }

/** What other people marked in 854 sentences, against what is found in them. */
function measure(category: RedactionCategory, samples: Sample[]) {
  let [hits, marked, reported, right] = [0, 0, 0, 0]
  for (const { full_text: text, spans } of samples) {
    const wanted = spans.filter(({ entity_type }) => TYPES[entity_type] === category)
    const seen = detect(text, [category])
    const overlaps = (a: (typeof wanted)[number], b: (typeof seen)[number]) => b.start < a.end_position && a.start_position < b.end
    marked += wanted.length
    hits += wanted.filter((span) => seen.some((one) => one.start <= span.start_position && one.end >= span.end_position)).length
    reported += seen.length
    right += seen.filter((one) => wanted.some((span) => overlaps(span, one))).length
  }
  return { marked, recall: marked === 0 ? 1 : hits / marked, precision: reported === 0 ? 1 : right / reported }
}

describe.skipIf(!existsSync(join(DATA, 'pii')))('on sentences that others marked', () => {
  const samples = ['generated_small.json', 'synth_dataset_v2.json'].flatMap(
    (file) => JSON.parse(readFileSync(join(DATA, 'pii', file), 'utf8')) as Sample[],
  )
  test.each<[RedactionCategory, number, number]>([
    ['ssn', 1, 1],
    ['credit-card', 1, 0.97],
    ['iban', 1, 1],
    ['email', 1, 1],
    ['ip', 1, 1],
    ['phone', 0.85, 1],
  ])('%s has the recall and precision that the documentation states', (category, recall, precision) => {
    const measured = measure(category, samples)
    expect(measured.marked).toBeGreaterThan(5)
    expect(measured.recall, `recall ${JSON.stringify(measured)}`).toBeGreaterThanOrEqual(recall)
    expect(measured.precision, `precision ${JSON.stringify(measured)}`).toBeGreaterThanOrEqual(precision)
  })
})

type Rule = { id: string; regex?: string }
/** The families that the documentation names. */
const FAMILIES =
  /^(?:aws-access-token|github-|gitlab-(?:pat|deploy|runner|oauth|ptt|feed|incoming|scim)|slack-(?:bot|user|app|legacy)|anthropic-|openai-|stripe-|gcp-api|npm-)/

describe.skipIf(!existsSync(join(DATA, 'secrets')))('of the tokens that others describe', () => {
  const { rules } = JSON.parse(readFileSync(join(DATA, 'secrets', 'gitleaks_rules.json'), 'utf8')) as { rules: Rule[] }
  test.each(rules.filter(({ id, regex }) => regex !== undefined && FAMILIES.test(id)).map(({ id, regex = '' }) => [id, regex]))(
    '%s is found',
    (_, regex) => {
      // Its own end of the token is replaced by a space; letters of either case are as it writes them.
      const form = new RegExp(
        `^(?:${regex
          .replace(/^\(\?i\)/, '')
          .replace(/\(\?:\[\\x60'"\\s;\].*$/, '')
          .replaceAll('\\b', '')})$`,
      )
      fc.assert(
        fc.property(fc.stringMatching(form), (token) => {
          expect(found(`key = ${token} `, 'secret').join('')).toContain(token.slice(0, 20))
        }),
        { numRuns: 50 },
      )
    },
  )
})
