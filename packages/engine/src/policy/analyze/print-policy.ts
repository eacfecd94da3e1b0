/** Conditions back in Cedar's words, for people: short, on one line, with no more brackets than needed. */
import type { EntityUidJson, ExprJson, PolicyJson, ScopeJson } from '@ephor/cedar'

const LEVELS: Record<string, number> = { '||': 1, '&&': 2, '+': 4, '-': 4, '*': 5 }
const RELATIONS = new Set(['==', '!=', '<', '<=', '>', '>=', 'in'])
const FULL = 7
const MAX_TEXT = 300

type Parts = { left: ExprJson; right: ExprJson; arg: ExprJson }

const uidText = (uid: EntityUidJson): string => {
  const { type, id } = '__entity' in uid ? uid.__entity : uid
  return `${type}::${JSON.stringify(id)}`
}

const name = (attr: string) => (/^[A-Za-z_]\w*$/.test(attr) ? `.${attr}` : `[${JSON.stringify(attr)}]`)

function literal(value: unknown): string {
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
  if (typeof value === 'object' && value !== null && '__entity' in value) return uidText(value as EntityUidJson)
  return JSON.stringify(value)
}

const pattern = (parts: readonly ('Wildcard' | { Literal: string })[]) =>
  parts.map((part) => (part === 'Wildcard' ? '*' : JSON.stringify(part.Literal).slice(1, -1).replaceAll('*', '\\*'))).join('')

/** @param level what it stands in: below its own, it gets brackets */
function printExpression(expr: ExprJson, level = 0): string {
  const [key = '', argument] = Object.entries(expr)[0] ?? []
  const { left, right, arg } = (argument ?? {}) as Parts
  const enclose = (own: number, text: string) => (own < level ? `(${text})` : text)
  const own = LEVELS[key]
  if (own !== undefined) return enclose(own, `${printExpression(left, own)} ${key} ${printExpression(right, own + (own > 3 ? 1 : 0))}`)
  if (RELATIONS.has(key)) return enclose(3, `${printExpression(left, 4)} ${key} ${printExpression(right, 4)}`)
  switch (key) {
    case 'Value':
      return literal(argument)
    case 'Var':
      return String(argument)
    case '!':
      return enclose(6, `!${printExpression(arg, 6)}`)
    case 'neg':
      return enclose(6, `-${printExpression(arg, 6)}`)
    case '.':
      return printExpression(left, FULL) + name((argument as { attr: string }).attr)
    case 'has': {
      const { attr } = argument as { attr: string | string[] }
      return enclose(3, `${printExpression(left, 4)} has ${typeof attr === 'string' ? attr : attr.join('.')}`)
    }
    case 'like':
      return enclose(3, `${printExpression(left, 4)} like "${pattern((argument as { pattern: [] }).pattern)}"`)
    case 'is': {
      const { entity_type: type, in: of } = argument as { entity_type: string; in?: ExprJson }
      return enclose(3, `${printExpression(left, 4)} is ${type}${of ? ` in ${printExpression(of, 4)}` : ''}`)
    }
    case 'if-then-else': {
      const { if: test, then, else: otherwise } = argument as { if: ExprJson; then: ExprJson; else: ExprJson }
      return enclose(0.5, `if ${printExpression(test)} then ${printExpression(then)} else ${printExpression(otherwise)}`)
    }
    case 'Set':
      return `[${(argument as ExprJson[]).map((one) => printExpression(one)).join(', ')}]`
    case 'Record':
      return `{${Object.entries(argument as Record<string, ExprJson>)
        .map(([one, of]) => `${JSON.stringify(one)}: ${printExpression(of)}`)
        .join(', ')}}`
    case 'isEmpty':
      return `${printExpression(arg, FULL)}.isEmpty()`
    default:
      return call(key, argument, left, right)
  }
}

const FUNCTIONS = new Set(['decimal', 'datetime', 'duration', 'ip'])

function call(key: string, argument: unknown, left: ExprJson | undefined, right: ExprJson | undefined): string {
  if (!Array.isArray(argument)) return left && right ? `${printExpression(left, FULL)}.${key}(${printExpression(right)})` : key
  const [first, ...rest] = argument as ExprJson[]
  if (FUNCTIONS.has(key)) return `${key}(${(argument as ExprJson[]).map((one) => printExpression(one)).join(', ')})`
  return `${first ? printExpression(first, FULL) : ''}.${key}(${rest.map((one) => printExpression(one)).join(', ')})`
}

function scope(variable: string, of: ScopeJson): string[] {
  if (of.op === 'is') return of.in && 'entity' in of.in ? [`${variable} in ${uidText(of.in.entity)}`] : []
  return 'entity' in of ? [`${variable} ${of.op} ${uidText(of.entity)}`] : []
}

/** Whom and what a policy is for, and its conditions; empty when it has none. The action is not among them. */
export function printConditions({ principal, resource, conditions }: PolicyJson): string {
  const around = [...scope('principal', principal), ...scope('resource', resource)]
  const level = around.length + conditions.length > 1 ? 2 : 0
  const parts = conditions.map(({ kind, body }) => (kind === 'when' ? printExpression(body, level) : `!(${printExpression(body)})`))
  const text = [...around, ...parts].join(' && ')
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text
}
