/** What annotations may say; anything else is a mistake with the part that is wrong, and never silently nothing. */
import { expect, test } from 'vitest'
import { isMistake, parseApproval, parseControls, parseObligations, parseSeverity } from './annotations.ts'
import { checkAnnotations } from './check-annotations.ts'

test('an approval says who, how many, until when, and who is asked after that', () => {
  expect(parseApproval('group:finance quorum:2 deadline:15m escalate:cfo')).toEqual({
    group: 'finance',
    quorum: 2,
    deadlineMs: 900_000,
    escalate: 'cfo',
  })
  expect(parseApproval('  deadline:30d   group:finance-eu ')).toEqual({ group: 'finance-eu', quorum: 1, deadlineMs: 2_592_000_000 })
  expect(parseApproval('')).toEqual({ quorum: 1 })
})

test.each([
  ['quorum:0', 'quorum:0'],
  ['quorum:21', 'quorum:21'],
  ['quorum:two', 'quorum:two'],
  ['quorum:1.5', 'quorum:1.5'],
  ['quorum:-1', 'quorum:-1'],
  ['quorum:２', 'quorum:２'],
  ['group:Finance', 'group:Finance'],
  ['group:', 'group:'],
  ['group', 'group'],
  ['escalate:', 'escalate:'],
  ['group:cfo escalate:cfo', 'escalate:cfo'],
  ['deadline:15', 'deadline:15'],
  ['deadline:31d', 'deadline:31d'],
  ['deadline:0m', 'deadline:0m'],
  ['quorum:2 quorum:1', 'quorum:1'],
  ['group:a group:b', 'group:b'],
  ['constructor:x', 'constructor'],
  ['group:finance,quorum:2', 'group:finance,quorum:2'],
  ['group:finance\tquorum:2', 'group:finance\tquorum:2'],
])('the approval "%s" is refused for "%s"', (text, part) => {
  expect(parseApproval(text)).toMatchObject({ part })
})

test('a mistyped term is told what was probably meant', () => {
  expect(parseApproval('group:finance quorm:2')).toMatchObject({ part: 'quorm', suggestion: 'did you mean quorum:2?' })
  expect(parseObligations('redakt:ssn')).toMatchObject({ suggestion: 'did you mean redact:ssn?' })
  expect(parseObligations('redact:snn')).toMatchObject({ suggestion: 'did you mean ssn?' })
  expect(parseSeverity('hihg')).toMatchObject({ suggestion: 'did you mean high?' })
})

test('obligations are several by semicolons', () => {
  expect(parseObligations('review:5%')).toEqual([{ kind: 'review', percent: 5 }])
  expect(parseObligations('witnessed; witnessed:2')).toEqual([{ kind: 'witnessed' }, { kind: 'witnessed', count: 2 }])
  expect(parseObligations('redact:ssn; sandbox:gvisor;limit:10/hour ; timeout:30s; log:full')).toEqual([
    { kind: 'redact', category: 'ssn' },
    { kind: 'sandbox', profile: 'gvisor' },
    { kind: 'limit', count: 10, per: 'hour' },
    { kind: 'timeout', ms: 30_000 },
    { kind: 'log', level: 'full' },
  ])
})

test.each(['', ';', 'limit:5', 'limit:5/week', 'limit:0/day', 'limit:-1/day', 'timeout:0s', 'timeout:1.5s', 'timeout:2h', 'timeout:1s;;'])(
  'the obligation "%s" is refused',
  (text) => expect(parseObligations(text)).toHaveProperty('message'),
)
test.each([
  'log:none',
  'log',
  'redact:',
  'redact:SSN',
  'redact:toString',
  'sandbox:',
  'sandbox:../x',
  'encrypt:all',
  '__proto__:x',
  'limit:5/day, log:full',
  'review:0%',
  'review:101%',
  'review:5',
  'witnessed:',
  'witnessed:0',
  'witnessed:21',
  'witnessed:all',
])('the obligation "%s" is refused too', (text) => expect(parseObligations(text)).toHaveProperty('message'))

test('controls are a list of ids, each once', () => {
  expect(parseControls('SOC2-CC6.1, AC-2(1) ,ISO27001:A.5.15')).toEqual(['SOC2-CC6.1', 'AC-2(1)', 'ISO27001:A.5.15'])
  for (const text of ['', 'a,,b', 'a b', '-x', 'a,a', 'x'.repeat(65)]) expect(isMistake(parseControls(text))).toBe(true)
})

test('each annotation stands where it means something', () => {
  const on = (effect: 'permit' | 'forbid', annotations: Record<string, string>) => {
    const scope = { principal: { op: 'All' }, action: { op: 'All' }, resource: { op: 'All' }, conditions: [] } as const
    return checkAnnotations({ effect, ...scope, annotations: { reason: 'r', ...annotations } })
  }
  const all = { control: 'SOC2-CC6.1', owner: 'security', severity: 'high', id: 'x' }
  expect(on('permit', { ...all, obligation: 'log:full' })).toEqual([])
  expect(on('forbid', { ...all, approval: 'quorum:2' })).toEqual([])
  expect(on('permit', { approval: '' })).toMatchObject([{ code: 'ANNOTATION_INVALID', about: ['@approval', ''] }])
  expect(on('forbid', { obligation: 'log:full' })).toMatchObject([{ code: 'ANNOTATION_INVALID' }])
  expect(on('permit', { ower: 'x' })).toMatchObject([{ suggestion: 'did you mean @owner?' }])
  expect(on('permit', { owner: 'a b' })).toMatchObject([{ code: 'ANNOTATION_INVALID', about: ['@owner', 'a b'] }])
  expect(on('forbid', { approval: 'group:ops quorum:99' })).toMatchObject([{ about: ['@approval', 'quorum:99'] }])
})
