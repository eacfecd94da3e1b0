/** Cedar expressions of every form, as text: mostly of the kind that is asked for, now and then of another, so that errors happen. */
import fc from 'fast-check'
import type { Arbitrary } from 'fast-check'
import {
  actionUid,
  ENTITY_TYPES,
  FIELDS,
  INNER,
  KINDS,
  LITERALS,
  long,
  NAMES,
  namesOf,
  pattern,
  quote,
  string,
  TAGS,
  uid,
  uidText,
} from './vocabulary.fixture.ts'
import type { Extension, Kind } from './vocabulary.fixture.ts'

const IDENTIFIER = /^[A-Za-z_]\w*$/
const RESERVED = /^(?:true|false|if|then|else|in|like|has|is|__cedar)$/

/** `.name`, or `["name"]` where the name is no identifier. */
function access(name: string): string {
  return IDENTIFIER.test(name) && !RESERVED.test(name) ? `.${name}` : `[${quote(name)}]`
}
const attribute = (name: string) => (IDENTIFIER.test(name) && !RESERVED.test(name) ? name : quote(name))

const made = new Map<string, Arbitrary<string>>()

/** The same arbitrary for the same question: there are few, and they refer to one another. */
function expression(kind: Kind, depth: number): Arbitrary<string> {
  const key = `${kind} ${depth}`
  const known = made.get(key)
  if (known) return known
  const arbitrary = build(kind, depth)
  made.set(key, arbitrary)
  return arbitrary
}

/** Seldom something of any kind stands where one of a certain kind belongs. */
function build(kind: Kind, depth: number): Arbitrary<string> {
  if (depth <= 0) return leaf(kind)
  const any = fc.constantFrom(...KINDS).chain((other) => expression(other, depth - 1))
  return fc.oneof(
    { weight: 6, arbitrary: leaf(kind) },
    { weight: 12, arbitrary: composite(kind, depth - 1) },
    { weight: 1, arbitrary: any },
  )
}

/** What a policy asks: never a mere value. */
export const condition = (depth: number): Arbitrary<string> => composite('bool', depth - 1)

const ENTITY_BASES = ['principal', 'resource', 'action', 'principal.boss', 'resource.home', 'context.boss']
const BASES = [
  'principal',
  'resource',
  ...Array<string>(6).fill('context'),
  'principal.boss',
  'context.r',
  'context.r.inner',
  'principal.r',
]

function attributeOf(kind: Kind): Arbitrary<string> {
  const fields = [...Object.entries(FIELDS), ...Object.entries(INNER)].filter(([, of]) => of === kind).map(([name]) => name)
  return fc.tuple(fc.constantFrom(...BASES), fc.constantFrom(...namesOf(kind), ...fields)).map(([base, name]) => `${base}${access(name)}`)
}

function construct(type: Extension): Arbitrary<string> {
  const { good, odd } = LITERALS[type]
  const text = fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: fc.constantFrom(...odd) })
  return text.map((arg) => `${type}(${quote(arg)})`)
}

const list = (items: Arbitrary<string>, maxLength: number) => fc.array(items, { maxLength }).map((all) => `[${all.join(', ')}]`)

const longText = long.map((value) => (value < 0n ? `(${value})` : String(value)))

function constant(kind: Kind): Arbitrary<string> {
  switch (kind) {
    case 'bool':
      return fc.constantFrom('true', 'false')
    case 'long':
      return longText
    case 'string':
      return string.map(quote)
    case 'entity':
      return fc.oneof(
        { weight: 2, arbitrary: fc.constantFrom('principal', 'resource', 'action') },
        uid.map(uidText),
        actionUid.map(uidText),
      )
    case 'longs':
      return list(longText, 3)
    case 'strings':
      return list(string.map(quote), 3)
    case 'entities':
      return list(uid.map(uidText), 3)
    case 'record':
      return fc.constantFrom('context', 'context.r', '{}', '{n: 1, s: "a"}', '{"n": -1, inner: {b: true}}')
    default:
      return construct(kind)
  }
}

const leaf = (kind: Kind) => fc.oneof({ weight: 3, arbitrary: constant(kind) }, { weight: 2, arbitrary: attributeOf(kind) })

/** A template string of expressions: `make` puts the parts, each in brackets, together. */
function join(parts: readonly Arbitrary<string>[], make: (...texts: string[]) => string): Arbitrary<string> {
  return fc.tuple(...parts).map((texts) => make(...texts.map((text) => (/^[a-z][\w.]*$/.test(text) ? text : `(${text})`))))
}

function composite(kind: Kind, depth: number): Arbitrary<string> {
  const of = (other: Kind) => expression(other, depth)
  const choice = join([of('bool'), of(kind), of(kind)], (test, yes, no) => `if ${test} then ${yes} else ${no}`)
  const tag = join(
    [fc.constantFrom(...ENTITY_BASES), fc.oneof(fc.constantFrom(...TAGS).map(quote), of('string'))],
    (base, name) => `${base}.getTag(${name})`,
  )
  const field = join([of('record'), fc.constantFrom(...Object.keys({ ...FIELDS, ...INNER }))], (record, name) => `${record}${access(name)}`)
  const shared = [choice, tag, field]
  switch (kind) {
    case 'bool':
      return fc.oneof(
        { weight: 3, arbitrary: fc.oneof(...logic(depth)) },
        { weight: 6, arbitrary: fc.oneof(...comparisons(depth)) },
        { weight: 6, arbitrary: fc.oneof(...questions(depth)) },
        { weight: 1, arbitrary: fc.oneof(...shared) },
      )
    case 'long':
      return fc.oneof(...arithmetic(depth), ...shared)
    case 'string':
      return fc.oneof(...shared)
    case 'entity':
      return fc.oneof(
        join([of('entity'), fc.constantFrom('boss', 'home')], (entity, name) => `${entity}.${name}`),
        ...shared,
      )
    case 'longs':
      return fc.oneof(list(of('long'), 4), choice)
    case 'strings':
      return fc.oneof(list(of('string'), 4), tag)
    case 'entities':
      return fc.oneof(list(of('entity'), 4), choice)
    case 'record': {
      const fields = fc.uniqueArray(fc.constantFrom(...Object.keys(FIELDS)), { maxLength: 3 })
      const literal = fc
        .tuple(fields, of('long'), of('string'))
        .map(([names, n, s]) => `{${names.map((name, i) => `${attribute(name)}: ${i % 2 ? s : n}`).join(', ')}}`)
      return fc.oneof(literal, choice)
    }
    case 'datetime':
      return fc.oneof(
        join([of('datetime'), of('duration')], (at, wait) => `${at}.offset(${wait})`),
        join([of('datetime')], (at) => `${at}.toDate()`),
        ...shared,
      )
    case 'duration':
      return fc.oneof(
        join([of('datetime'), of('datetime')], (a, b) => `${a}.durationSince(${b})`),
        join([of('datetime')], (at) => `${at}.toTime()`),
        ...shared,
      )
    default:
      return fc.oneof(
        join([of('string')], (text) => `${kind}(${text})`),
        ...shared,
      )
  }
}

function logic(depth: number): Arbitrary<string>[] {
  const bool = expression('bool', depth)
  return [
    join([bool], (a) => `!${a}`),
    join([bool, bool], (a, b) => `${a} && ${b}`),
    join([bool, bool], (a, b) => `${a} || ${b}`),
    join([bool, bool, bool], (a, b, c) => `${a} || ${b} && !!${c}`),
  ]
}

function comparisons(depth: number): Arbitrary<string>[] {
  const ordered = fc.constantFrom<Kind>('long', 'datetime', 'duration')
  const sign = fc.constantFrom('<', '<=', '>', '>=')
  const pair = (kinds: Arbitrary<Kind>, signs: Arbitrary<string>) =>
    kinds.chain((kind) => fc.tuple(expression(kind, depth), signs, expression(kind, depth))).map(([a, op, b]) => `(${a}) ${op} (${b})`)
  const method = (kind: Kind, names: readonly string[]) =>
    fc.tuple(expression(kind, depth), fc.constantFrom(...names), expression(kind, depth)).map(([a, name, b]) => `(${a}).${name}(${b})`)
  const sets = fc.constantFrom<Kind>('longs', 'strings', 'entities')
  return [
    pair(ordered, sign),
    pair(ordered, sign),
    pair(fc.constantFrom(...KINDS), fc.constantFrom('==', '!=')),
    pair(fc.constantFrom(...KINDS), fc.constantFrom('==', '!=')),
    method('decimal', ['lessThan', 'lessThanOrEqual', 'greaterThan', 'greaterThanOrEqual']),
    method('ip', ['isInRange']),
    sets.chain((kind) => method(kind, ['containsAll', 'containsAny', 'contains'])),
    join([expression('longs', depth), expression('long', depth)], (set, one) => `${set}.contains(${one})`),
    join([expression('strings', depth), expression('string', depth)], (set, one) => `${set}.contains(${one})`),
    join([expression('entities', depth), expression('entity', depth)], (set, one) => `${set}.contains(${one})`),
  ]
}

function questions(depth: number): Arbitrary<string>[] {
  const [entity, text, record] = [expression('entity', depth), expression('string', depth), expression('record', depth)]
  const type = fc.constantFrom(...ENTITY_TYPES, 'Action', 'Nowhere')
  const chain = fc.constantFrom('r.inner', 'r.inner.b', 'r.s', 'boss.r.inner.n', 'boss.boss.n', 'inner.b', 'home.ss', 'dec.x')
  return [
    join([entity, entity], (a, b) => `${a} in ${b}`),
    join([entity, expression('entities', depth)], (a, set) => `${a} in ${set}`),
    fc.tuple(entity, type).map(([a, name]) => `(${a}) is ${name}`),
    fc.tuple(entity, type, fc.oneof(entity, expression('entities', depth))).map(([a, name, b]) => `(${a}) is ${name} in (${b})`),
    fc.tuple(text, pattern).map(([a, like]) => `(${a}) like "${like}"`),
    fc.tuple(fc.oneof(entity, record), fc.constantFrom(...NAMES, 'nothing')).map(([a, name]) => `(${a}) has ${attribute(name)}`),
    fc.tuple(fc.oneof(entity, record), chain).map(([a, names]) => `(${a}) has ${names}`),
    fc.tuple(entity, fc.oneof(fc.constantFrom(...TAGS).map(quote), text)).map(([a, name]) => `(${a}).hasTag(${name})`),
    fc.constantFrom<Kind>('longs', 'strings', 'entities').chain((kind) => join([expression(kind, depth)], (set) => `${set}.isEmpty()`)),
    fc
      .tuple(expression('ip', depth), fc.constantFrom('isIpv4', 'isIpv6', 'isLoopback', 'isMulticast'))
      .map(([a, name]) => `(${a}).${name}()`),
  ]
}

function arithmetic(depth: number): Arbitrary<string>[] {
  const number = expression('long', depth)
  const units = fc.constantFrom('toMilliseconds', 'toSeconds', 'toMinutes', 'toHours', 'toDays')
  return [
    fc.tuple(number, fc.constantFrom('+', '-', '*'), number).map(([a, op, b]) => `(${a}) ${op} (${b})`),
    join([number], (a) => `-${a}`),
    join([number], (a) => `- -${a}`),
    fc.tuple(expression('duration', depth), units).map(([a, name]) => `(${a}).${name}()`),
  ]
}
