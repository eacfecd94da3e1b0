/** What policies can look at besides the arguments: the declared type of `context` for each kind of action. */
import { emptyRecord } from './input-type.ts'
import type { Field, RecordShape, ValueType } from './input-type.ts'

const text: ValueType = { kind: 'string' }
const texts: ValueType = { kind: 'set', element: 'string' }
const long: ValueType = { kind: 'long' }

const required = (type: ValueType): Field => ({ type, required: true, nullable: false })
const optional = (type: ValueType): Field => ({ type, required: false, nullable: false })

/** @param name under which the schema declares it once; absent for what differs from action to action */
function record(fields: Record<string, Field>, name?: string): RecordShape {
  const sorted = Object.entries(fields).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const rewritten = sorted.some(([, { type }]) => type.kind === 'record' && type.rewritten)
  return { ...emptyRecord, fields: new Map(sorted), rewritten, ...(name === undefined ? {} : { name }) }
}

const PATHS = record({ all: required(texts), outside: required(texts) }, 'Paths')
const AMOUNT = record({ value: required(long), currency: required(text) }, 'Amount')
const RISK = record({ score: required(long), tier: required(text) }, 'Risk')
const SESSION = record({ id: required(text), calls: required(long), age: required(long) }, 'Session')
const TIME = record({ now: required({ kind: 'datetime' }), hour: required(long), weekday: required(long) }, 'Time')
const ALLOWANCE = record({ used: required(long), left: required(long), limit: required(long) }, 'Allowance')

/** Only agents act for people, on files, and pay. */
const OF_AGENTS = { onBehalfOf: optional({ kind: 'person' }), paths: optional(PATHS), amount: optional(AMOUNT) }
const OF_PROTOCOL = { uri: optional(text), name: optional(text) }

export type ContextKind = 'tool' | 'protocol' | 'server-request'

/** The records that the schema declares by name, and the context of an action with this input. */
export function contextShapes(budgets: readonly string[]) {
  const budget = record(Object.fromEntries(budgets.map((name) => [name, optional(ALLOWANCE)])), 'Budget')
  const always = {
    door: required(text),
    approvals: required(texts),
    labels: required(texts),
    risk: required(RISK),
    session: required(SESSION),
    time: required(TIME),
    budget: required(budget),
  }
  return {
    named: [ALLOWANCE, AMOUNT, budget, PATHS, RISK, SESSION, TIME],
    context: (kind: ContextKind, input: RecordShape = emptyRecord): RecordShape => {
      const ofAgents = kind === 'server-request' ? {} : OF_AGENTS
      return record({ ...always, ...ofAgents, ...(kind === 'protocol' ? OF_PROTOCOL : {}), input: required(input) })
    },
  }
}
