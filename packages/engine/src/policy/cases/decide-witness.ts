/** Puts a request that the solver found to the decider: only what Ephor would really decide breaks a property. */
import type { JsonObject } from '@ephor/engine/kernel'
import type { Witness } from '../analyze/types.ts'
import type { OpenBundle } from '../open-bundle.ts'
import type { Decision, PolicyFacts, PolicyRequest } from '../types.ts'

type Context = {
  door?: string
  input?: JsonObject
  paths?: PolicyFacts['paths']
  amount?: PolicyFacts['amount']
  uri?: string
  name?: string
  labels?: string[]
  session?: { id: string; calls: number; age: number }
  budget?: PolicyFacts['budgets']
  time?: { now?: { __extn?: { arg: string } } }
  onBehalfOf?: { __entity?: { id: string }; id?: string }
}

/** The facts of which the context would be made. */
function factsOf(context: Context): PolicyFacts {
  const { door = 'mcp', paths, amount, uri, name, labels, session, budget, time, onBehalfOf } = context
  const now = Date.parse(time?.now?.__extn?.arg ?? '') || 0
  const person = onBehalfOf?.__entity?.id ?? onBehalfOf?.id
  const said = {
    paths,
    amount,
    uri,
    name,
    labels,
    budgets: budget,
    onBehalfOf: person,
    session: session && { id: session.id, calls: session.calls, startedAt: now - session.age * 1000 },
  }
  return { door, approvals: [], now, ...Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)) }
}

/** By as many people as it takes. */
const votesFor = ({ asks }: Extract<Decision, { effect: 'hold' }>): PolicyFacts['approvals'] => [
  {
    id: 'apr_case',
    by: Array.from({ length: Math.max(...asks.map(({ quorum }) => quorum)) }, (_, i) => `per_case${i + 1}`),
    policies: asks.map(({ policy }) => policy),
  },
]

/** As it stands, and, unless nobody approves, with the approvals that it waits for. */
export function decisionsOn(bundle: OpenBundle, witness: Witness, approved: boolean | undefined): Decision[] {
  const { principal, action, resource } = witness
  // The solver's request is one of this shape: its classes are made from the schema of the same context.
  const context = witness.context as Context
  const request: PolicyRequest = {
    principal: { type: principal.type === 'ToolServer' ? 'ToolServer' : 'Agent', id: principal.id },
    action: action.id,
    server: resource.id,
    input: context.input ?? {},
    facts: factsOf(context),
  }
  const first = bundle.decide(request)
  if (first.effect !== 'hold' || approved === false) return [first]
  return [first, bundle.decide({ ...request, facts: { ...request.facts, approvals: votesFor(first) } })]
}
