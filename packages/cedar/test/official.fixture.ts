/** The official engine as the oracle: what it makes of a world, and the JSON form of policies without rounding their integers. */
import { setFlagsFromString } from 'node:v8'
import type * as Official from '@cedar-policy/cedar-wasm/nodejs'
import { withExactIntegers } from '../src/exact-integers.ts'
import type { Link, Request, World } from './worlds.fixture.ts'

// Without it, one workload aborted the process under Node 20 and 22. It has to be set before the module is compiled.
setFlagsFromString('--no-turbo-inline-js-wasm-calls')
const cedar: typeof Official = await import('@cedar-policy/cedar-wasm/nodejs')

/** What both engines say of one request; lists are sorted. `refused`: it is no decision, since the input was not accepted. */
export type Verdict = { decision: string; reasons: string[]; errors: string[] } | { refused: string }

type Policies = Pick<World, 'policies' | 'templates' | 'links'>

function linkJson({ id, template, slots }: Link) {
  const values = Object.fromEntries(Object.entries(slots).map(([slot, uid]) => [`?${slot}`, uid]))
  return { newId: id, templateId: template, values }
}

/** Parses once what many requests ask about. @returns why it was refused, if it was */
export function prepare({ schema, policies, templates, links }: World): string | undefined {
  const set = { staticPolicies: policies, templates, templateLinks: links.map(linkJson) }
  const parsed = [cedar.preparsePolicySet('set', set)]
  if (schema !== undefined) parsed.push(cedar.preparseSchema('schema', schema as unknown as Official.Schema))
  for (const answer of parsed) if (answer.type === 'failure') return answer.errors.map(({ message }) => message).join('; ')
  return undefined
}

/** Of the world that was prepared last. */
export function officialVerdict({ schema, entities }: Pick<World, 'schema' | 'entities'>, request: Request): Verdict {
  const call = {
    ...(request as unknown as Official.StatefulAuthorizationCall),
    preparsedPolicySetId: 'set',
    ...(schema === undefined ? {} : { preparsedSchemaName: 'schema' }),
    validateRequest: true,
    entities: entities as unknown as Official.Entities,
  }
  const answer = withExactIntegers(() => cedar.statefulIsAuthorized(call))
  if (answer.type === 'failure') return { refused: answer.errors.map(({ message }) => message).join('; ') }
  const { decision, diagnostics } = answer.response
  return { decision, reasons: diagnostics.reason.toSorted(), errors: diagnostics.errors.map(({ policyId }) => policyId).toSorted() }
}

function success<T extends { type: string }>(answer: T): Extract<T, { type: 'success' }> {
  if (answer.type !== 'success') throw new Error(JSON.stringify(answer).slice(0, 2000))
  return answer as Extract<T, { type: 'success' }>
}

export function policyJsons({ policies, templates }: Policies): [id: string, Official.PolicyJson][] {
  const read = (all: Record<string, string>, toJson: typeof cedar.policyToJson) =>
    Object.entries(all).map(([id, text]): [string, Official.PolicyJson] => [id, success(withExactIntegers(() => toJson(text))).json])
  return [...read(policies, cedar.policyToJson), ...read(templates, cedar.templateToJson)]
}

/** The policies of one text, with the ids that the engine gives them: by place, though it hands them over in the order of the ids. */
export function policiesOf(text: string): Record<string, string> {
  const { policies } = success(cedar.policySetTextToParts(text))
  const ids = policies.map((_, i) => `policy${i}`).toSorted()
  return Object.fromEntries(policies.map((policy, i) => [ids[i] ?? '', policy]))
}

export function schemaJson(schema: Official.Schema): Official.SchemaJson<string> {
  return success(cedar.schemaToJson(schema)).json
}
