/** The disposable thread in which the official Cedar engine runs: it parses, validates and evaluates, and ends at the first throw. */
import { setFlagsFromString } from 'node:v8'
import { parentPort } from 'node:worker_threads'
import type { DetailedError, EntityJson, PolicyJson, SchemaJson, ValidationError } from '@cedar-policy/cedar-wasm/nodejs'

/** One decision: every policy of the slice is written as a permit, so that one call reports all that are satisfied. */
export type Question = {
  slice: string
  principal: { type: string; id: string }
  action: { type: string; id: string }
  resource: { type: string; id: string }
  context: Record<string, never>
  entities: EntityJson[]
}
/** Ids of the policies that are satisfied, and of those that could not be evaluated. */
export type Evaluation = { satisfied: readonly string[]; errors: readonly { policy: string; message: string }[] }

/** What can be asked of the thread: argument and answer of each. */
export type CedarCalls = {
  /** The syntax errors of a whole file, and how many policies and templates it holds. */
  syntax: [string, { errors: DetailedError[]; policies: number; templates: number }]
  /** The JSON form of single policies; errors instead where one isn't a single static policy. */
  toJson: [string[], (PolicyJson | { errors: DetailedError[] })[]]
  validate: [{ schema: SchemaJson<string>; policies: Record<string, string> }, { errors: ValidationError[]; warnings: ValidationError[] }]
  schemaText: [SchemaJson<string>, string]
  /** The policies of a bundle, all written as permits. */
  load: [Record<string, string>, null]
  /** `slices`: those that are new to this thread, by name, with the ids of their policies. */
  evaluate: [{ slices: Record<string, readonly string[]>; questions: Question[] }, Evaluation[]]
}
export type CedarRequest = { [K in keyof CedarCalls]: { id: number; kind: K; argument: CedarCalls[K][0] } }[keyof CedarCalls]
export type CedarReply = { id: number } & ({ value: unknown } | { broken: string })

// Without it, one workload aborted the process under Node 20 and 22. It has to be set before the module is compiled.
setFlagsFromString('--no-turbo-inline-js-wasm-calls')
const cedar = await import('@cedar-policy/cedar-wasm/nodejs')

let bundle: Record<string, string> = {}

const fail = (errors: readonly DetailedError[]): never => {
  throw new Error(JSON.stringify(errors).slice(0, 2000))
}

function evaluate(question: Question): Evaluation {
  const { slice, ...request } = question
  const answer = cedar.statefulIsAuthorized({ ...request, preparsedPolicySetId: slice, validateRequest: false })
  if (answer.type === 'failure') return { satisfied: [], errors: answer.errors.map(({ message }) => ({ policy: 'cedar', message })) }
  const { reason, errors } = answer.response.diagnostics
  return { satisfied: reason, errors: errors.map(({ policyId, error }) => ({ policy: policyId, message: error.message })) }
}

const calls: { [K in keyof CedarCalls]: (argument: CedarCalls[K][0]) => CedarCalls[K][1] } = {
  syntax(text) {
    const answer = cedar.policySetTextToParts(text)
    if (answer.type === 'failure') return { errors: answer.errors, policies: 0, templates: 0 }
    return { errors: [], policies: answer.policies.length, templates: answer.policy_templates.length }
  },
  toJson: (texts) =>
    texts.map((text) => {
      const answer = cedar.policyToJson(text)
      return answer.type === 'success' ? answer.json : { errors: answer.errors }
    }),
  validate({ schema, policies }) {
    const answer = cedar.validate({ schema, policies: { staticPolicies: policies } })
    if (answer.type === 'failure') return fail(answer.errors)
    return { errors: answer.validationErrors, warnings: answer.validationWarnings }
  },
  schemaText(schema) {
    const answer = cedar.schemaToText(schema)
    return answer.type === 'failure' ? fail(answer.errors) : answer.text
  },
  load(policies) {
    bundle = policies
    return null
  },
  evaluate({ slices, questions }) {
    for (const [name, ids] of Object.entries(slices)) {
      const staticPolicies = Object.fromEntries(ids.map((id) => [id, bundle[id] ?? '']))
      const answer = cedar.preparsePolicySet(name, { staticPolicies })
      if (answer.type === 'failure') fail(answer.errors)
    }
    return questions.map(evaluate)
  },
}

const port = parentPort
port?.on('message', (request: CedarRequest) => {
  try {
    const call = calls[request.kind] as (argument: unknown) => unknown
    port.postMessage({ id: request.id, value: call(request.argument) } satisfies CedarReply)
  } catch (error) {
    // After a throw the instance may be damaged and answer anything: nothing more is asked of it.
    port.postMessage({ id: request.id, broken: (error as Error).message } satisfies CedarReply)
    port.close()
  }
})
