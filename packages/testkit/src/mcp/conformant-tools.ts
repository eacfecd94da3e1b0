/** The tools that the MCP conformance suite calls by name: every kind of content, logging, progress, and questions back to the client. */
import { fromJsonSchema, inputRequired } from '@modelcontextprotocol/server'
import type { CallToolResult, ElicitRequestFormParams, InputRequest, McpServer, ServerContext } from '@modelcontextprotocol/server'
import { z } from 'zod'

/** One red pixel. */
export const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC'
/** No sound, in a valid WAV header. */
const WAV = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA='

export const text = (value: string): CallToolResult => ({ content: [{ type: 'text', text: value }] })
const image = { type: 'image', data: PNG, mimeType: 'image/png' } as const
const nothing = z.object({})
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

type ElicitProperties = ElicitRequestFormParams['requestedSchema']['properties']

function embedded(uri: string, mimeType: string, content: string) {
  return { type: 'resource' as const, resource: { uri, mimeType, text: content } }
}

/** One question to the client: the answer once it is there, else the result that asks (for clients with sessions, the SDK asks in the call). */
function ask(ctx: ServerContext, question: InputRequest, then: (answer: Record<string, unknown>) => CallToolResult) {
  const answer = ctx.mcpReq.inputResponses?.['answer']
  return answer === undefined ? inputRequired({ inputRequests: { answer: question } }) : then({ ...answer })
}

async function elicit(ctx: ServerContext, message: string, properties: ElicitProperties, required: string[] = []) {
  return ask(ctx, inputRequired.elicit({ message, requestedSchema: { type: 'object', properties, required } }), ({ action, content }) =>
    text(`action=${String(action)}, content=${JSON.stringify(content ?? {})}`),
  )
}

const DEFAULTS: ElicitProperties = {
  name: { type: 'string', default: 'John Doe' },
  age: { type: 'integer', default: 30 },
  score: { type: 'number', default: 95.5 },
  status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
  verified: { type: 'boolean', default: true },
}

const titled = (...names: string[]) => names.map((name, i) => ({ const: `value${i + 1}`, title: `${name} choice` }))
const ENUMS: ElicitProperties = {
  untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
  titledSingle: { type: 'string', oneOf: titled('First', 'Second', 'Third') },
  legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['Option One', 'Option Two', 'Option Three'] },
  untitledMulti: { type: 'array', minItems: 1, maxItems: 3, items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
  titledMulti: { type: 'array', minItems: 1, maxItems: 3, items: { anyOf: titled('First', 'Second', 'Third') } },
}

/** Keywords of JSON Schema 2020-12 that a list must not lose (SEP-1613, SEP-2106). */
const SCHEMA_2020_12 = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $defs: { address: { $anchor: 'addressDef', type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } } },
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
}

function addContentTools(server: McpServer): void {
  const fixed: Record<string, CallToolResult> = {
    test_simple_text: text('This is a simple text response for testing.'),
    test_image_content: { content: [image] },
    test_audio_content: { content: [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }] },
    test_embedded_resource: { content: [embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')] },
    test_multiple_content_types: {
      content: [
        { type: 'text', text: 'Multiple content types test:' },
        image,
        embedded('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
      ],
    },
    // Asks nothing: that its stream carries no request of the server's own is what is looked at (SEP-2575).
    test_streaming_elicitation: text('only a result'),
  }
  for (const [name, result] of Object.entries(fixed))
    server.registerTool(name, { description: `Answers with a fixed result: ${name}` }, async () => result)
  server.registerTool('test_error_handling', { description: 'Fails' }, async () => {
    throw new Error('This tool intentionally returns an error for testing')
  })
  server.registerTool(
    'json_schema_2020_12_tool',
    { description: 'Has a schema with keywords of JSON Schema 2020-12', inputSchema: fromJsonSchema(SCHEMA_2020_12) },
    async (args) => text(`called with ${JSON.stringify(args)}`),
  )
  const region = { type: 'string', 'x-mcp-header': 'Region' }
  server.registerTool(
    'test_x_mcp_header',
    {
      description: 'Mirrors an argument into an HTTP header (SEP-2243)',
      inputSchema: fromJsonSchema<{ region?: string }>({ type: 'object', properties: { region, level: { type: 'integer' } } }),
    },
    async (args) => text(`region=${args.region ?? 'none'}`),
  )
}

function addStreamTools(server: McpServer): void {
  server.registerTool('test_tool_with_logging', { description: 'Logs three times', inputSchema: nothing }, async (_args, ctx) => {
    for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await ctx.mcpReq.notify({ method: 'notifications/message', params: { level: 'info', data } })
      await pause(50)
    }
    return text('logged three times')
  })
  server.registerTool(
    'test_logging_tool',
    { description: 'Logs when the request sets a level', inputSchema: nothing },
    async (_args, ctx) => {
      await ctx.mcpReq.log('info', 'asked for by the level in the request')
      return text('logged as the request asked')
    },
  )
  server.registerTool('test_tool_with_progress', { description: 'Reports progress', inputSchema: nothing }, async (_args, ctx) => {
    const progressToken = ctx.mcpReq._meta?.progressToken
    for (const progress of progressToken === undefined ? [] : [0, 50, 100]) {
      const params = { progressToken: progressToken ?? '', progress, total: 100, message: `${progress} of 100` }
      await ctx.mcpReq.notify({ method: 'notifications/progress', params })
      await pause(50)
    }
    return text(String(progressToken ?? 'no token'))
  })
  server.registerTool(
    'test_reconnection',
    { description: 'Ends the stream before the result (SEP-1699)', inputSchema: nothing },
    async (_args, ctx) => {
      ctx.http?.closeSSE?.()
      await pause(100)
      return text('The stream was ended and resumed.')
    },
  )
}

function addQuestionTools(server: McpServer): void {
  const prompt = z.object({ prompt: z.string() })
  server.registerTool('test_sampling', { description: 'Asks the client for a completion', inputSchema: prompt }, async (args, ctx) => {
    const messages = [{ role: 'user' as const, content: { type: 'text' as const, text: args.prompt } }]
    return ask(ctx, inputRequired.createMessage({ messages, maxTokens: 100 }), ({ content }) =>
      text(`LLM response: ${JSON.stringify(content)}`),
    )
  })
  const message = z.object({ message: z.string() })
  server.registerTool('test_elicitation', { description: 'Asks the user', inputSchema: message }, (args, ctx) =>
    elicit(ctx, args.message, { response: { type: 'string' } }, ['response']),
  )
  server.registerTool('test_elicitation_sep1034_defaults', { description: 'Asks with defaults', inputSchema: nothing }, (_args, ctx) =>
    elicit(ctx, 'Please review the defaults', DEFAULTS),
  )
  server.registerTool('test_elicitation_sep1330_enums', { description: 'Asks with enumerations', inputSchema: nothing }, (_args, ctx) =>
    elicit(ctx, 'Please select', ENUMS),
  )
}

export function addTools(server: McpServer): void {
  addContentTools(server)
  addStreamTools(server)
  addQuestionTools(server)
}
