/** One line of `ephor policy eval`: refused as the official engine refuses it, else decided by the compiled policies. */
import type * as Official from '@cedar-policy/cedar-wasm/nodejs'
import {
  CedarError,
  compilePolicies,
  createEntities,
  evaluate,
  indexSchema,
  readContext,
  readEntities,
  withExactIntegers,
} from '@ephor/cedar'
import type { Entities, EntityUid, PolicyJson, PolicySet, SchemaIndex } from '@ephor/cedar'
import { isObject, JsonProblem, JsonReader } from './exact-json.ts'
import type { ExactJson, ExactObject } from './exact-json.ts'
import { readUid } from './read-uid.ts'

/** What is wrong with a line; its code is one of the faults. */
class Refusal extends Error {
  readonly code: 'POLICY_INVALID' | 'REQUEST_INVALID'

  constructor(code: Refusal['code'], what: string, errors: readonly Official.DetailedError[] | string) {
    const [first] = typeof errors === 'string' ? [{ message: errors, help: null }] : errors
    super(`${what}: ${first?.message ?? 'refused'}${first?.help ? ` (${first.help})` : ''}`)
    this.code = code
  }
}

type Stated = { text: string; value: ExactJson }
type Line = {
  /** `same`: as in the line before, letter by letter. */
  stated: { policies?: Stated | 'same'; schema?: Stated | 'same'; entities?: Stated | 'same' }
  request: ExactObject
  validateRequest: boolean
}
type Part = keyof Line['stated']

/** Names under which the engine keeps what it has parsed. It never frees a name, so there are only these. */
const SCHEMA = 'schema'
const NO_POLICIES = 'none'
const NO_SCHEMA: Stated = { text: '', value: null }

const isPart = (key: string): key is Part => key === 'policies' || key === 'schema' || key === 'entities'

function readLine(line: string, kept: { [part in Part]?: { text: string } | undefined }): Line {
  const stated: Line['stated'] = {}
  const others: ExactObject = {}
  const reader = new JsonReader(line)
  reader.object((key) => {
    if (key in stated || Object.hasOwn(others, key)) throw new Refusal('REQUEST_INVALID', key, 'it stands twice')
    if (isPart(key)) stated[key] = reader.passes(kept[key]?.text ?? '') ? 'same' : reader.source()
    else Object.defineProperty(others, key, { value: reader.value() })
  })
  reader.end()
  const { request } = others
  if (!isObject(request)) throw new Refusal('REQUEST_INVALID', 'request', 'principal, action, resource and context are expected')
  const validateRequest = request['validateRequest'] ?? true
  if (typeof validateRequest !== 'boolean') throw new Refusal('REQUEST_INVALID', 'request.validateRequest', 'true or false is expected')
  return { stated, request, validateRequest }
}

/** The uids of entities may be written as `Type::"id"`; what else is in them is the engine's to judge. */
function withUids(entities: ExactJson): ExactJson {
  if (!Array.isArray(entities)) throw new Refusal('REQUEST_INVALID', 'entities', 'a list is expected')
  return entities.map((entity) => {
    if (!isObject(entity)) return entity
    const { uid = null, parents = null } = entity
    return { ...entity, uid: readUid(uid), ...(Array.isArray(parents) ? { parents: parents.map(readUid) } : {}) }
  })
}

/** Of a uid that the engine has accepted. */
function plainUid(uid: ExactJson): EntityUid {
  const { __entity: inner, ...outer } = uid as { __entity?: EntityUid } & EntityUid
  return inner ?? outer
}

export function makeLineEvaluator(cedar: typeof Official): (line: string) => string {
  cedar.preparsePolicySet(NO_POLICIES, {})
  /** What was made of the line before: a file of lines often asks much of the same policies and entities. */
  const kept: {
    policies?: { text: string; made: PolicySet } | undefined
    schema?: { text: string; made: SchemaIndex | undefined } | undefined
    entities?: { text: string; made: Entities } | undefined
  } = {}

  function readPolicies(given: ExactJson | undefined): PolicySet {
    if (typeof given !== 'string') throw new Refusal('REQUEST_INVALID', 'policies', 'Cedar text is expected')
    const checked = cedar.checkParsePolicySet({ staticPolicies: given })
    if (checked.type === 'failure') throw new Refusal('POLICY_INVALID', 'policies', checked.errors)
    const parts = cedar.policySetTextToParts(given)
    if (parts.type === 'failure') throw new Refusal('POLICY_INVALID', 'policies', parts.errors)
    // The engine numbers policies by their place in the text, and hands them over in the order of their ids as words.
    const ids = parts.policies.map((_, i) => `policy${i}`).toSorted()
    return compilePolicies(
      parts.policies.map((text, i) => {
        const answer = withExactIntegers(() => cedar.policyToJson(text))
        if (answer.type === 'failure') throw new Refusal('POLICY_INVALID', 'policies', answer.errors)
        return [ids[i] ?? '', answer.json as PolicyJson] as const
      }),
    )
  }

  function readSchema(given: ExactJson): SchemaIndex | undefined {
    if (given === null) return undefined
    if (typeof given !== 'string' && !isObject(given)) throw new Refusal('REQUEST_INVALID', 'schema', 'Cedar text or JSON is expected')
    const schema = given as Official.Schema
    const parsed = cedar.preparseSchema(SCHEMA, schema)
    if (parsed.type === 'failure') throw new Refusal('POLICY_INVALID', 'schema', parsed.errors)
    const answer = cedar.schemaToJson(schema)
    if (answer.type === 'failure') throw new Refusal('POLICY_INVALID', 'schema', answer.errors)
    return indexSchema(answer.json)
  }

  /** The engine judges entities and request together; entities that it has accepted before it does not see again. */
  function judge({ request, validateRequest }: Line, schema: SchemaIndex | undefined, entities: ExactJson) {
    const { principal = null, action = null, resource = null, context = null } = request
    const call = { principal: readUid(principal), action: readUid(action), resource: readUid(resource), context, entities, validateRequest }
    const question = {
      ...(call as unknown as Official.StatefulAuthorizationCall),
      ...(schema ? { preparsedSchemaName: SCHEMA } : {}),
      preparsedPolicySetId: NO_POLICIES,
    }
    const answer = withExactIntegers(() => cedar.statefulIsAuthorized(question))
    if (answer.type === 'failure') throw new Refusal('REQUEST_INVALID', 'request', answer.errors)
    const uids = { principal: plainUid(call.principal), action: plainUid(call.action), resource: plainUid(call.resource) }
    return { ...uids, context: readContext(context, schema, uids.action) }
  }

  function policiesOf(stated: Stated | 'same' | undefined): PolicySet {
    if (stated === 'same' && kept.policies) return kept.policies.made
    const { text, value } = stated === 'same' || stated === undefined ? { text: '', value: undefined } : stated
    delete kept.policies
    return (kept.policies = { text, made: readPolicies(value) }).made
  }

  function decide(line: string) {
    const read = readLine(line, kept)
    const { schema = NO_SCHEMA, entities } = read.stated
    const policies = policiesOf(read.stated.policies)
    const before = kept.entities
    if (schema !== 'same' && schema.text !== kept.schema?.text) {
      delete kept.schema
      delete kept.entities
      kept.schema = { text: schema.text, made: readSchema(schema.value) }
    }
    const known = entities === 'same' ? kept.entities : undefined
    const text = entities === 'same' ? (before?.text ?? '') : (entities?.text ?? '')
    const fresh = known ? [] : withUids(entities === 'same' ? JsonReader.parse(text) : (entities?.value ?? null))
    const request = judge(read, kept.schema?.made, fresh)
    const store = known ?? (kept.entities = { text, made: createEntities(readEntities(fresh, kept.schema?.made)) })
    const { decision, reasons, errors } = evaluate(policies, store.made, request)
    return { decision, reasons, errors: errors.map(({ policy }) => policy) }
  }

  return (line) => {
    try {
      return JSON.stringify(decide(line))
    } catch (error) {
      const { message } = error as Error
      if (error instanceof JsonProblem) return JSON.stringify({ error: { code: 'JSON_INVALID', message } })
      if (error instanceof Refusal || error instanceof CedarError) return JSON.stringify({ error: { code: error.code, message } })
      throw error
    }
  }
}
