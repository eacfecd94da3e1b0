/** The OpenAPI 3.1 document, generated from the operations that the server mounts, so that it can't drift from them. */
import { z } from 'zod'
import { FAULTS } from './faults.ts'
import type { Operation, Operations } from './operation.ts'

type Schema = Record<string, unknown>
type Document = {
  openapi: '3.1.0'
  info: Schema
  servers: { url: string }[]
  tags: Schema[]
  paths: Record<string, Schema>
  components: Schema
}

const SECURITY: Record<Operation['who'], Schema[]> = {
  anyone: [],
  agent: [{ agent: [] }],
  person: [{ person: [] }],
  either: [{ agent: [] }, { person: [] }],
}

/** Any JSON value: the one shape that is defined by itself. */
const JSON_REF = '#/components/schemas/Json'
const JSON_VALUE = {
  description: 'Any JSON value.',
  anyOf: [
    { type: ['string', 'number', 'boolean', 'null'] },
    { type: 'array', items: { $ref: JSON_REF } },
    { type: 'object', additionalProperties: { $ref: JSON_REF } },
  ],
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Schema {
  const {
    $schema: _,
    $defs = {},
    ...rest
  } = z.toJSONSchema(schema, { io, target: 'draft-2020-12', unrepresentable: 'any', reused: 'inline' })
  // zod defines `z.json()` beside each schema that uses it, where a reference inside an OpenAPI document can't reach it.
  if (Object.values($defs).some(({ anyOf }) => anyOf?.length !== 6)) throw new Error('a schema other than z.json() refers to itself')
  return JSON.parse(JSON.stringify(rest).replaceAll(/"#\/\$defs\/\w+"/g, JSON.stringify(JSON_REF))) as Schema
}

function parameters(object: z.ZodObject | undefined, place: 'path' | 'query'): Schema[] {
  if (!object) return []
  const schema = jsonSchema(object, 'input') as { properties?: Record<string, Schema>; required?: string[] }
  return Object.entries(schema.properties ?? {}).map(([name, { description, ...inner }]) => ({
    name,
    in: place,
    required: place === 'path' || (schema.required ?? []).includes(name),
    ...(description ? { description } : {}),
    schema: inner,
  }))
}

const IDEMPOTENCY = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'The same key with the same request gets the same answer; with another request, IDEMPOTENCY_MISMATCH.',
  schema: { type: 'string', minLength: 1, maxLength: 200 },
}

function operationObject(id: string, operation: Operation): Schema {
  const { method, summary, tag, who, params, query, body, status = 200, response, stream, media } = operation
  const content =
    status === 204
      ? {}
      : { content: { [media ?? (stream ? 'text/event-stream' : 'application/json')]: { schema: jsonSchema(response, 'output') } } }
  return {
    operationId: id,
    summary,
    tags: [tag],
    security: SECURITY[who],
    parameters: [...parameters(params, 'path'), ...parameters(query, 'query'), ...(method === 'GET' ? [] : [IDEMPOTENCY])],
    ...(body ? { requestBody: { required: true, content: { 'application/json': { schema: jsonSchema(body, 'input') } } } } : {}),
    responses: {
      [status]: { description: stream && media === undefined ? 'One event each' : 'Done', ...content },
      default: {
        description: 'A fault (RFC 9457)',
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
  }
}

const PROBLEM = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'detail', 'advice'],
  properties: {
    type: { type: 'string', description: '`urn:ephor:fault:` and the code.' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', enum: Object.keys(FAULTS) },
    detail: { type: 'string' },
    advice: { type: 'string', description: 'What to do about it.' },
    where: { type: 'string', description: 'Where in the input: a JSON pointer, or file:line:column.' },
    reasons: {
      type: 'array',
      items: { type: 'object', required: ['policy', 'text'], properties: { policy: { type: 'string' }, text: { type: 'string' } } },
    },
  },
}

/**
 * @param operations of all rooms; the key of each is its operationId
 * @param at version of the product, and the address that it is reached at
 */
export function toOpenApi(operations: Operations, at: { version: string; url: string }): Document {
  const paths: Record<string, Schema> = {}
  for (const [id, operation] of Object.entries(operations))
    paths[operation.path] = { ...paths[operation.path], [operation.method.toLowerCase()]: operationObject(id, operation) }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Ephor',
      version: at.version,
      summary: 'Decides, holds and records what autonomous agents do',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: at.url }],
    tags: [...new Set(Object.values(operations).map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { Problem: PROBLEM, Json: JSON_VALUE },
      securitySchemes: {
        agent: { type: 'http', scheme: 'bearer', description: "An agent's token or local credential." },
        person: { type: 'http', scheme: 'bearer', description: "A person's session." },
      },
    },
  }
}
