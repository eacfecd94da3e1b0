/** The operators that check their operands' types: each fails as the official engine's does. */
import { truth } from './code.ts'
import type { Code, Run } from './code.ts'
import { Datetime, Duration } from './datetime.ts'
import { EvaluationFailure, typeFailure } from './evaluation-failure.ts'
import type { Frame } from './frame.ts'
import { addLong, multiplyLong, negateLong, subtractLong } from './long.ts'
import type { Long } from './long.ts'
import type { Pattern } from './pattern.ts'
import { CedarSet, EntityRef } from './values.ts'
import type { Value } from './values.ts'

function longOf(value: Value): Long {
  if (typeof value === 'number' || typeof value === 'bigint') return value
  throw typeFailure('long', value)
}

function setOf(value: Value): CedarSet {
  if (value instanceof CedarSet) return value
  throw typeFailure('set', value)
}

function entityOf(value: Value): EntityRef {
  if (value instanceof EntityRef) return value
  throw typeFailure('(entity of type `any_entity_type`)', value)
}

function stringOf(value: Value): string {
  if (typeof value === 'string') return value
  throw typeFailure('string', value)
}

const BINARY = { '+': addLong, '-': subtractLong, '*': multiplyLong }

export function arithmetic(operator: 'neg' | keyof typeof BINARY, args: readonly Code[]): Code {
  const [left, right] = args.map(({ run }) => run) as [Run, Run]
  if (operator === 'neg') return { run: (frame) => negateLong(longOf(left(frame))) }
  const apply = BINARY[operator]
  return {
    run: (frame) => {
      // Both sides are evaluated before either is checked.
      const a = left(frame)
      const b = right(frame)
      return apply(longOf(a), longOf(b))
    },
  }
}

type Comparison = '<' | '<=' | '>' | '>='

export function compareLess(operator: Comparison, left: Code, right: Code): Code {
  const [a, b] = [left.run, right.run]
  const fixed = right.constant
  if (typeof fixed === 'number') return compareWithNumber(operator, a, fixed)
  switch (operator) {
    case '<':
      return truth((frame) => compare(a(frame), b(frame)) < 0)
    case '<=':
      return truth((frame) => compare(a(frame), b(frame)) <= 0)
    case '>':
      return truth((frame) => compare(a(frame), b(frame)) > 0)
    default:
      return truth((frame) => compare(a(frame), b(frame)) >= 0)
  }
}

function compareWithNumber(operator: Comparison, run: Run, fixed: number): Code {
  switch (operator) {
    case '<':
      return truth((frame) => longOf(run(frame)) < fixed)
    case '<=':
      return truth((frame) => longOf(run(frame)) <= fixed)
    case '>':
      return truth((frame) => longOf(run(frame)) > fixed)
    default:
      return truth((frame) => longOf(run(frame)) >= fixed)
  }
}

/** Longs, datetimes and durations have an order, each among its own. */
function compare(a: Value, b: Value): -1 | 0 | 1 {
  if (typeof a === 'number' || typeof a === 'bigint') return order(a, longOf(b))
  if (typeof b === 'number' || typeof b === 'bigint') throw typeFailure('long', a)
  if (a instanceof Datetime) {
    if (b instanceof Datetime) return order(a.ms, b.ms)
    throw typeFailure('datetime', b)
  }
  if (a instanceof Duration) {
    if (b instanceof Duration) return order(a.ms, b.ms)
    throw typeFailure('duration', b)
  }
  if (b instanceof Datetime || b instanceof Duration) throw typeFailure(b.typeName, a)
  throw typeFailure('one of [long, datetime, duration]', a)
}

const order = (a: Long, b: Long) => (a < b ? -1 : a > b ? 1 : 0)

export function isOperator(left: Code, type: string): Code {
  const { run } = left
  return truth((frame) => entityOf(run(frame)).type === type)
}

export function isIn(left: Code, right: Code): Code {
  const [a, b] = [left.run, right.run]
  const fixed = right.constant
  if (fixed instanceof EntityRef) return truth((frame) => isWithin(frame, entityOf(a(frame)), fixed.key))
  return truth((frame) => {
    const one = a(frame)
    const other = b(frame)
    const ref = entityOf(one)
    if (other instanceof EntityRef) return isWithin(frame, ref, other.key)
    if (!(other instanceof CedarSet)) throw typeFailure('one of [set, (entity of type `any_entity_type`)]', other)
    if (!other.ofEntities) {
      throw typeFailure('(entity of type `any_entity_type`)', [...other].find((element) => !(element instanceof EntityRef)) as Value)
    }
    return isWithinAny(frame, ref, other)
  })
}

function isWithin(frame: Frame, ref: EntityRef, key: string): boolean {
  return ref.key === key || frame.entities.get(ref.key)?.ancestors.has(key) === true
}

function isWithinAny(frame: Frame, ref: EntityRef, refs: CedarSet): boolean {
  if (refs.hasRef(ref)) return true
  const ancestors = frame.entities.get(ref.key)?.ancestors
  if (!ancestors || ancestors.size === 0) return false
  frame.charge(refs.size)
  for (const key of refs.refKeys()) if (ancestors.has(key)) return true
  return false
}

export function likeOperator(left: Code, matches: Pattern): Code {
  const { run } = left
  return truth((frame) => {
    const text = stringOf(run(frame))
    frame.charge(text.length)
    return matches(text)
  })
}

export function containsOperator(operator: 'contains' | 'containsAll' | 'containsAny', left: Code, right: Code): Code {
  const [a, b] = [left.run, right.run]
  if (operator === 'contains') {
    return truth((frame) => {
      const set = a(frame)
      const element = b(frame)
      frame.chargeFor(element)
      return setOf(set).has(element)
    })
  }
  return truth((frame) => {
    const one = a(frame)
    const other = b(frame)
    const [set, elements] = [setOf(one), setOf(other)]
    frame.charge(elements.size)
    return operator === 'containsAll' ? set.includes(elements) : set.meets(elements)
  })
}

export function tagOperator(operator: 'hasTag' | 'getTag', left: Code, right: Code): Code {
  const [a, b] = [left.run, right.run]
  if (operator === 'hasTag') {
    return truth((frame) => {
      const one = a(frame)
      const other = b(frame)
      const [ref, name] = [entityOf(one), stringOf(other)]
      return frame.entities.get(ref.key)?.tags.has(name) === true
    })
  }
  return {
    run: (frame) => {
      const one = a(frame)
      const other = b(frame)
      const [ref, name] = [entityOf(one), stringOf(other)]
      const value = frame.node(ref).tags.get(name)
      if (value === undefined) throw new EvaluationFailure('TAG', `\`${ref.text}\` does not have the tag \`${name}\``)
      return value
    },
  }
}

export function isEmpty({ run }: Code): Code {
  return truth((frame) => setOf(run(frame)).size === 0)
}
