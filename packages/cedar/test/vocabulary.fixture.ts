/** The words of the generated worlds: few enough that what policies ask is often so, odd enough that mistakes in reading show. */
import fc from 'fast-check'
import type { Arbitrary } from 'fast-check'

/** What an expression is meant to be; a generated one is not always what it is meant to be. */
export type Kind =
  | 'bool'
  | 'long'
  | 'string'
  | 'entity'
  | 'longs'
  | 'strings'
  | 'entities'
  | 'record'
  | 'decimal'
  | 'ip'
  | 'datetime'
  | 'duration'

export const KINDS: readonly Kind[] = [
  'bool',
  'long',
  'string',
  'entity',
  'longs',
  'strings',
  'entities',
  'record',
  'decimal',
  'ip',
  'datetime',
  'duration',
]

/** The attributes that entities and contexts may have. One name has one kind, so that policies know what to expect. */
export const ATTRIBUTES: Record<string, Kind> = {
  n: 'long',
  m: 'long',
  if: 'long',
  s: 'string',
  'odd key': 'string',
  b: 'bool',
  '': 'bool',
  boss: 'entity',
  home: 'entity',
  ls: 'longs',
  ss: 'strings',
  es: 'entities',
  r: 'record',
  __proto__x: 'record',
  ['constructor']: 'decimal' as const,
  dec: 'decimal',
  ip: 'ip',
  net: 'ip',
  at: 'datetime',
  wait: 'duration',
}
export const NAMES = Object.keys(ATTRIBUTES)
export const namesOf = (kind: Kind): string[] => NAMES.filter((name) => ATTRIBUTES[name] === kind)

/** Fields of every record of the worlds; each may be missing. */
export const FIELDS: Record<string, Kind | 'inner'> = { n: 'long', s: 'string', dec: 'decimal', inner: 'inner' }
export const INNER: Record<string, Kind> = { b: 'bool', n: 'long', boss: 'entity' }

export const ENTITY_TYPES = ['User', 'Group', 'App::Doc', 'Colour'] as const
/** A type whose entities are listed in the schema. */
export const COLOURS = ['red', 'green']
export const IDS = ['a', 'b', 'c', '', 'x "y"\n', 'é\u{1f600}']
export const ACTIONS = ['read', 'write', 'all']
export const TAGS = ['t', 'u', '', 'odd tag']

export type Uid = { type: string; id: string }

export const uid: Arbitrary<Uid> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constantFrom('User', 'Group', 'App::Doc'), id: fc.constantFrom(...IDS) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('Colour'), id: fc.constantFrom(...COLOURS) }) },
)
export const actionUid: Arbitrary<Uid> = fc.record({ type: fc.constant('Action'), id: fc.constantFrom(...ACTIONS) })

/** A text as it stands in Cedar. */
export function quote(text: string): string {
  return `"${text.replaceAll(/["\\\p{Cc}]/gu, (c) => (c === '"' || c === '\\' ? `\\${c}` : `\\u{${c.charCodeAt(0).toString(16)}}`))}"`
}
export const uidText = ({ type, id }: Uid): string => `${type}::${quote(id)}`

const MAX = 2n ** 63n - 1n
/** The edges of 64 and of 53 bits, and what is near them. */
export const LONGS = [MAX, MAX - 1n, -MAX, -MAX - 1n, 2n ** 53n, 2n ** 53n - 1n, -(2n ** 53n) - 1n, 2n ** 32n, 3037000500n]
export const long: Arbitrary<bigint> = fc.oneof(
  { weight: 4, arbitrary: fc.bigInt(-3n, 5n) },
  { weight: 1, arbitrary: fc.constantFrom(...LONGS) },
)
export const STRINGS = ['', 'a', 'ab', 'abc', 'b*', '*', 'aab', 'é', 'e\u0301', '\u{1f600}', '1.5', '10.0.0.1', '2024-01-01', '1h']
const letter = fc.constantFrom('a', 'b', '*', '\\', '"', '\n', '\u0000', 'é', '\u0301', '\uffff', '\u{10ffff}')
export const string: Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...STRINGS) },
  { weight: 1, arbitrary: fc.string({ unit: letter, maxLength: 4 }) },
)

/** What extension values are made of: at the edge of what is one, and what is none. */
export const LITERALS = {
  decimal: {
    good: ['0.0', '1.5', '-1.5', '1.50', '0.0001', '-0.0', '922337203685477.5807', '-922337203685477.5808', '00.10'],
    odd: ['922337203685477.5808', '1', '1.', '.5', '1.00000', '+1.0', ' 1.0', '1e1', '', '-'],
  },
  ip: {
    good: [
      '10.0.0.1',
      '10.0.0.0/8',
      '127.0.0.1',
      '224.0.0.1',
      '0.0.0.0/0',
      '::1',
      '::/0',
      'ff00::1',
      '2001:db8::/32',
      '10.0.0.1/32',
      '1:2:3:4:5:6:7:8',
      '::ffff',
      '127.0.0.1/7',
      '127.1.1.1/8',
      '224.0.0.0/3',
      '224.0.0.0/4',
      'ff00::/7',
      'ff00::/8',
      '::1/127',
      '10.0.0.0/24',
    ],
    odd: [
      '10.0.0.256',
      '10.0.0.1/33',
      '010.0.0.1',
      '::ffff:1.2.3.4',
      '1::2::3',
      '10.0.0.1/08',
      '10.0.0.0/',
      '::1/129',
      '',
      '1.2.3',
      ' ::1',
      'fe80::1%eth0',
      '12345::',
    ],
  },
  datetime: {
    good: [
      '2024-01-01',
      '2024-02-29',
      '1970-01-01',
      '1969-12-31',
      '2024-01-01T12:30:00Z',
      '2024-01-01T12:30:00.123Z',
      '2024-01-01T23:59:59+0100',
      '2023-12-31T12:30:00.001-2359',
      '0000-01-01',
      '9999-12-31',
    ],
    odd: [
      '2023-02-29',
      '2024-13-01',
      '2024-1-1',
      '2024-01-01T24:00:00Z',
      '2024-01-01T12:30:00',
      '2024-01-01T12:30:60Z',
      '2024-01-01T12:30:00+2400',
      '2024-01-01T12:30:00.1Z',
      '2024-01-01T12:30:00+01:00',
      '',
    ],
  },
  duration: {
    good: ['1h', '-1h', '1d2h3m4s5ms', '0ms', '90m', '1d', '-1ms', '60s', '9223372036854775807ms', '-9223372036854775808ms', '25h'],
    odd: ['1h1d', '', '1', 'h', '1.5h', '+1h', '9223372036854775808ms', '106751991168d', '1h 2m', '--1h', '1H', '-'],
  },
} as const
export type Extension = keyof typeof LITERALS

/** A pattern of `like`, as it stands between the quotes: `*` matches anything, `\\*` itself. */
export const PATTERNS = ['*', '', 'a*', '*b', 'a*b', '*a*b*', '\\*', 'b\\*', '**', '*\\**', 'é', '*\u{1f600}', 'e*', 'a*a*b']
export const pattern: Arbitrary<string> = fc.oneof(
  fc.constantFrom(...PATTERNS),
  fc.string({ unit: fc.constantFrom('a', 'b', '*', '\\*', 'c'), maxLength: 6 }),
)
