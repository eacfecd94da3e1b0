/** The disposable thread in which the official Cedar engine runs: it parses, validates and formats, and ends at the first throw. */
import { setFlagsFromString } from 'node:v8'
import { parentPort } from 'node:worker_threads'
import type { DetailedError, EntityJson, SchemaJson, ValidationError } from '@cedar-policy/cedar-wasm/nodejs'
import { withExactIntegers } from '@ephor/cedar'
import type { PolicyJson, SchemaJson as CompiledSchema } from '@ephor/cedar'

/** What can be asked of the thread: argument and answer of each. */
export type CedarCalls = {
  /** The syntax errors of a whole file, and how many policies and templates it holds. */
  syntax: [string, { errors: DetailedError[]; policies: number; templates: number }]
  /** The JSON form of single policies, integers beyond 2^53 as bigint; errors instead where one isn't a single static policy. */
  toJson: [string[], (PolicyJson | { errors: DetailedError[] })[]]
  /** A whole file with its comments, as the engine would write it. */
  format: [string, { text: string } | { errors: DetailedError[] }]
  validate: [{ schema: SchemaJson<string>; policies: Record<string, string> }, { errors: ValidationError[]; warnings: ValidationError[] }]
  schemaText: [SchemaJson<string>, string]
  /** A schema in the schema language to its JSON form. */
  schemaJson: [string, { json: CompiledSchema } | { errors: DetailedError[] }]
  /** What keeps entities from being what the schema says. */
  entities: [{ entities: unknown; schema: CompiledSchema }, DetailedError[]]
}
export type CedarRequest = { [K in keyof CedarCalls]: { id: number; kind: K; argument: CedarCalls[K][0] } }[keyof CedarCalls]
export type CedarReply = { id: number } & ({ value: unknown } | { broken: string })

// Without it, one workload aborted the process under Node 20 and 22. It has to be set before the module is compiled.
setFlagsFromString('--no-turbo-inline-js-wasm-calls')
const cedar = await import('@cedar-policy/cedar-wasm/nodejs')

const fail = (errors: readonly DetailedError[]): never => {
  throw new Error(JSON.stringify(errors).slice(0, 2000))
}

const calls: { [K in keyof CedarCalls]: (argument: CedarCalls[K][0]) => CedarCalls[K][1] } = {
  syntax(text) {
    const answer = cedar.policySetTextToParts(text)
    if (answer.type === 'failure') return { errors: answer.errors, policies: 0, templates: 0 }
    return { errors: [], policies: answer.policies.length, templates: answer.policy_templates.length }
  },
  toJson: (texts) =>
    texts.map((text) => {
      const answer = withExactIntegers(() => cedar.policyToJson(text))
      return answer.type === 'success' ? (answer.json as PolicyJson) : { errors: answer.errors }
    }),
  format(policyText) {
    const answer = cedar.formatPolicies({ policyText })
    return answer.type === 'failure' ? { errors: answer.errors } : { text: answer.formatted_policy }
  },
  validate({ schema, policies }) {
    const answer = cedar.validate({ schema, policies: { staticPolicies: policies } })
    if (answer.type === 'failure') return fail(answer.errors)
    return { errors: answer.validationErrors, warnings: answer.validationWarnings }
  },
  schemaText(schema) {
    const answer = cedar.schemaToText(schema)
    return answer.type === 'failure' ? fail(answer.errors) : answer.text
  },
  schemaJson(text) {
    const answer = cedar.schemaToJson(text)
    return answer.type === 'failure' ? { errors: answer.errors } : { json: answer.json }
  },
  entities({ entities, schema }) {
    const answer = cedar.checkParseEntities({ entities: entities as EntityJson[], schema: schema as SchemaJson<string> })
    return answer.type === 'failure' ? answer.errors : []
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
