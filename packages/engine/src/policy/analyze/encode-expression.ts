/** A Cedar expression for the solver: its value, and when evaluating it is an error. What can't be written may be anything. */
import type { ExprJson as Expr } from '@ephor/cedar'
import { encodeCall } from './encode-call.ts'
import { asArray, choose, emptySet, inLong, keyOf, same } from './make-encoder.ts'
import type { Encoder, Term } from './make-encoder.ts'
import { and, eq, ite, like, long, not, or, text } from './smt.ts'
import type { PatternPart } from './smt.ts'
import { smtSort } from './sorts.ts'

/** `err`: when evaluating it is an error; the value then means nothing. */
export type Encoded = { term: Term; err: string }
type Binary = { left: Expr; right: Expr }
type Entity = Extract<Term, { kind: 'entity' }>
/** An expression, which has one key. */
type Node = { key: string; argument: unknown; expr: Expr }

const bool = (smt: string): Term => ({ kind: 'bool', smt })

/** Nothing is known of what comes out, nor whether it is an error. */
const unknown = (encoder: Encoder, expr: unknown): Encoded => ({
  term: { kind: 'opaque', key: keyOf(expr) },
  err: encoder.anything(`error ${keyOf(expr)}`, 'Bool'),
})

const SMT = { bool: 'Bool', long: 'Int', string: 'String' } as const

/** The term as one of a kind; a value that may be any of the kind where that is not known. */
function scalar(encoder: Encoder, term: Term, kind: keyof typeof SMT, key: string): string {
  return term.kind === kind && 'smt' in term ? term.smt : encoder.anything(term.kind === 'opaque' ? term.key : key, SMT[kind])
}

export function encodeBool(encoder: Encoder, expr: Expr): { value: string; err: string } {
  const { term, err } = encodeExpression(encoder, expr)
  return { value: encoder.named(scalar(encoder, term, 'bool', keyOf(expr)), 'Bool'), err: encoder.named(err, 'Bool') }
}

function encodeExpression(encoder: Encoder, expr: Expr): Encoded {
  const [key = '', argument] = Object.entries(expr)[0] ?? []
  const encode = Object.hasOwn(ENCODERS, key) ? ENCODERS[key] : undefined
  if (encode) return encode(encoder, { key, argument, expr })
  const parts = Array.isArray(argument) ? (argument as Expr[]).map((part) => encodeExpression(encoder, part)) : undefined
  return (parts && encodeCall(key, parts, expr)) ?? unknown(encoder, expr)
}

function encodeLiteral(encoder: Encoder, value: unknown): Term | undefined {
  if (typeof value === 'boolean') return bool(String(value))
  if (typeof value === 'bigint') return { kind: 'long', smt: long(value) }
  // JSON has rounded a greater one already: which one it was is not known.
  if (Number.isSafeInteger(value)) return { kind: 'long', smt: long(value as number) }
  if (typeof value === 'string') {
    const written = text(value)
    return { kind: 'string', smt: written ?? encoder.anything(`text ${value}`, 'String') }
  }
  if (Array.isArray(value)) {
    const items = value.map((item) => encodeLiteral(encoder, item))
    return items.includes(undefined) ? undefined : { kind: 'items', items: items as Term[] }
  }
  const entity = (value as { __entity?: { type: string; id: string } } | null)?.__entity
  const id = entity && text(entity.id)
  return entity && id !== undefined ? { kind: 'entity', type: entity.type, smt: id } : undefined
}

function logic(encoder: Encoder, { key, argument }: Node): Encoded {
  const { left, right } = argument as Binary
  const first = encodeBool(encoder, left)
  const goesOn = key === '&&' ? first.value : not(first.value)
  // What is never looked at may be of the wrong type, or missing: it is not written.
  if (first.err === 'false' && goesOn === 'false') return { term: bool(first.value), err: 'false' }
  const second = encodeBool(encoder, right)
  const value = key === '&&' ? and(first.value, second.value) : or(first.value, second.value)
  return { term: bool(value), err: or(first.err, and(goesOn, second.err)) }
}

function branch(encoder: Encoder, { argument, expr }: Node): Encoded {
  const parts = argument as { if: Expr; then: Expr; else: Expr }
  const test = encodeBool(encoder, parts.if)
  if (test.err === 'false' && test.value === 'true') return encodeExpression(encoder, parts.then)
  if (test.err === 'false' && test.value === 'false') return encodeExpression(encoder, parts.else)
  const [yes, no] = [encodeExpression(encoder, parts.then), encodeExpression(encoder, parts.else)]
  const err = or(test.err, ite(test.value, yes.err, no.err))
  return { term: choose(test.value, yes.term, no.term) ?? { kind: 'opaque', key: keyOf(expr) }, err }
}

function compare(encoder: Encoder, { key, argument, expr }: Node): Encoded {
  const { left, right } = argument as Binary
  const [a, b] = [encodeExpression(encoder, left), encodeExpression(encoder, right)]
  const err = or(a.err, b.err)
  if (key === '==' || key === '!=') {
    const equal = same(a.term, b.term) ?? encoder.anything(keyOf({ '==': argument }), 'Bool')
    return { term: bool(key === '==' ? equal : not(equal)), err }
  }
  const timely = a.term.kind === b.term.kind && (a.term.kind === 'datetime' || a.term.kind === 'duration')
  if (!timely && (a.term.kind !== 'long' || b.term.kind !== 'long')) return { term: { kind: 'opaque', key: keyOf(expr) }, err }
  const [x, y] = [a.term, b.term] as { smt: string }[]
  return { term: bool(`(${key} ${x?.smt} ${y?.smt})`), err }
}

function arithmetic(encoder: Encoder, { key, argument }: Node): Encoded {
  const { left, right } = argument as Binary
  const [a, b] = [encodeExpression(encoder, left), encodeExpression(encoder, right)]
  const [x, y] = [scalar(encoder, a.term, 'long', keyOf(left)), scalar(encoder, b.term, 'long', keyOf(right))]
  const smt = encoder.named(`(${key} ${x} ${y})`, 'Int')
  return { term: { kind: 'long', smt }, err: encoder.named(or(a.err, b.err, not(inLong(smt))), 'Bool') }
}

function access(encoder: Encoder, { argument, expr }: Node): Encoded {
  const { left, attr } = argument as { left: Expr; attr: string }
  const from = encodeExpression(encoder, left)
  if (from.term.kind === 'record') {
    const { present, term } = from.term.field(attr)
    return { term, err: or(from.err, not(present)) }
  }
  const found = from.term.kind === 'entity' ? encoder.attribute(from.term, attr) : undefined
  return found ? { term: found.term, err: or(from.err, not(and(found.exists, found.present))) } : unknown(encoder, expr)
}

/** `has a.b.c` as well: every step has to be there. */
function has(encoder: Encoder, { argument, expr }: Node): Encoded {
  const { left, attr } = argument as { left: Expr; attr: string | string[] }
  const from = encodeExpression(encoder, left)
  let here = from.term
  const steps: string[] = []
  for (const name of typeof attr === 'string' ? [attr] : attr) {
    if (here.kind === 'record') {
      const { present, term } = here.field(name)
      steps.push(present)
      here = term
    } else if (here.kind === 'entity') {
      const found = encoder.attribute(here, name)
      steps.push(found ? and(found.exists, found.present) : 'false')
      here = found?.term ?? here
    } else steps.push(encoder.anything(keyOf(expr), 'Bool'))
    if (steps.includes('false')) break
  }
  return { term: bool(and(...steps)), err: from.err }
}

function within(encoder: Encoder, child: Entity, target: Term): string | undefined {
  if (target.kind === 'entity') return encoder.isIn(child, target)
  if (target.kind !== 'items') return undefined
  const each = target.items.map((item) => within(encoder, child, item))
  return each.includes(undefined) ? undefined : or(...(each as string[]))
}

function isIn(encoder: Encoder, { argument, expr }: Node): Encoded {
  const { left, right } = argument as Binary
  const [child, target] = [encodeExpression(encoder, left), encodeExpression(encoder, right)]
  const smt = child.term.kind === 'entity' ? within(encoder, child.term, target.term) : undefined
  return { term: smt === undefined ? { kind: 'opaque', key: keyOf(expr) } : bool(smt), err: or(child.err, target.err) }
}

function isOf(encoder: Encoder, { argument, expr }: Node): Encoded {
  const { left, entity_type: type, in: target } = argument as { left: Expr; entity_type: string; in?: Expr }
  const from = encodeExpression(encoder, left)
  if (from.term.kind !== 'entity') return unknown(encoder, expr)
  if (from.term.type !== type) return { term: bool('false'), err: from.err }
  return target === undefined
    ? { term: bool('true'), err: from.err }
    : isIn(encoder, { key: 'in', argument: { left, right: target }, expr })
}

/** Whether the set holds the term; undefined when that can't be told. */
function holds(set: Term, member: Term): string | undefined {
  if (set.kind === 'items') {
    const each = set.items.map((item) => same(item, member))
    return each.includes(undefined) ? undefined : or(...(each as string[]))
  }
  if (set.kind !== 'set' || !('smt' in member) || smtSort(set) === undefined) return undefined
  const fits =
    member.kind === 'entity' ? set.element.kind === 'entity' && set.element.type === member.type : set.element.kind === member.kind
  return fits ? `(select ${set.smt} ${member.smt})` : 'false'
}

function allOrAny(key: string, left: Term, right: Term): string | undefined {
  const list = right.kind === 'items' ? right : key === 'containsAny' && left.kind === 'items' ? left : undefined
  if (list) {
    const each = list.items.map((item) => holds(list === right ? left : right, item))
    if (each.includes(undefined)) return undefined
    return key === 'containsAll' ? and(...(each as string[])) : or(...(each as string[]))
  }
  const [a, b] = [asArray(left, right), asArray(right, left)]
  if (a === undefined || b === undefined) return undefined
  const both = `((_ map and) ${a} ${b})`
  return key === 'containsAll' ? eq(both, b) : not(eq(both, emptySet(left.kind === 'set' ? left : right)))
}

function contains(encoder: Encoder, { key, argument, expr }: Node): Encoded {
  const { left, right } = argument as Binary
  const [set, other] = [encodeExpression(encoder, left), encodeExpression(encoder, right)]
  const smt = key === 'contains' ? holds(set.term, other.term) : allOrAny(key, set.term, other.term)
  return { term: smt === undefined ? { kind: 'opaque', key: keyOf(expr) } : bool(smt), err: or(set.err, other.err) }
}

function isEmpty(encoder: Encoder, { argument, expr }: Node): Encoded {
  const { term, err } = encodeExpression(encoder, (argument as { arg: Expr }).arg)
  if (term.kind === 'items') return { term: bool(String(term.items.length === 0)), err }
  if (term.kind !== 'set') return { term: { kind: 'opaque', key: keyOf(expr) }, err }
  return { term: bool(eq(term.smt, emptySet(term))), err }
}

function literalSet(encoder: Encoder, { argument }: Node): Encoded {
  const items = (argument as Expr[]).map((item) => encodeExpression(encoder, item))
  return { term: { kind: 'items', items: items.map(({ term }) => term) }, err: or(...items.map(({ err }) => err)) }
}

function literalRecord(encoder: Encoder, { argument, expr }: Node): Encoded {
  const fields = new Map(Object.entries(argument as Record<string, Expr>).map(([name, one]) => [name, encodeExpression(encoder, one)]))
  const missing = { present: 'false', term: { kind: 'opaque', key: keyOf(expr) } } as const
  const field = (name: string) => {
    const found = fields.get(name)
    return found ? { present: 'true', term: found.term } : missing
  }
  return { term: { kind: 'record', field }, err: or(...[...fields.values()].map(({ err }) => err)) }
}

function matches(encoder: Encoder, { argument, expr }: Node): Encoded {
  const { left, pattern } = argument as { left: Expr; pattern: PatternPart[] }
  const { term, err } = encodeExpression(encoder, left)
  const smt = term.kind === 'string' ? like(term.smt, pattern) : undefined
  return { term: smt === undefined ? { kind: 'opaque', key: keyOf(expr) } : bool(smt), err }
}

function negate(encoder: Encoder, { key, argument }: Node): Encoded {
  const { arg } = argument as { arg: Expr }
  if (key === '!') {
    const { value, err } = encodeBool(encoder, arg)
    return { term: bool(not(value)), err }
  }
  const { term, err } = encodeExpression(encoder, arg)
  const smt = encoder.named(`(- ${scalar(encoder, term, 'long', keyOf(arg))})`, 'Int')
  return { term: { kind: 'long', smt }, err: or(err, not(inLong(smt))) }
}

const ENCODERS: Record<string, (encoder: Encoder, node: Node) => Encoded> = {
  Value(encoder, { argument, expr }) {
    return { term: encodeLiteral(encoder, argument) ?? { kind: 'opaque', key: keyOf(expr) }, err: 'false' }
  },
  Var: (encoder, { argument }) => ({ term: encoder[argument as 'principal' | 'action' | 'resource' | 'context'], err: 'false' }),
  '&&': logic,
  '||': logic,
  '!': negate,
  neg: negate,
  'if-then-else': branch,
  '==': compare,
  '!=': compare,
  '<': compare,
  '<=': compare,
  '>': compare,
  '>=': compare,
  '+': arithmetic,
  '-': arithmetic,
  '*': arithmetic,
  '.': access,
  has,
  in: isIn,
  is: isOf,
  contains,
  containsAll: contains,
  containsAny: contains,
  isEmpty,
  Set: literalSet,
  Record: literalRecord,
  like: matches,
}
