/** Tools that ask for input inside their result (2026-07-28, multi round trip), as the conformance suite expects them. */
import { acceptedContent, CLIENT_CAPABILITIES_META_KEY, createRequestStateCodec, inputRequired } from '@modelcontextprotocol/server'
import type { CallToolResult, InputRequests, InputRequiredResult, McpServer, ServerContext } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { text } from './conformant-tools.ts'

/** State that goes through the client comes back as the client likes: it is signed, for this process and a short time. */
export const requestState = createRequestStateCodec<{ round?: number; name?: string }>({ key: crypto.getRandomValues(new Uint8Array(32)) })

type Step = (ctx: ServerContext) => Promise<CallToolResult | InputRequiredResult>

const ask = (message: string, field: string, of: { type: 'string' } | { type: 'boolean' } = { type: 'string' }) =>
  inputRequired.elicit({ message, requestedSchema: { type: 'object', properties: { [field]: of }, required: [field] } })
const askName = () => ask('What is your name?', 'name')
const complete = (prompt: string) =>
  inputRequired.createMessage({ messages: [{ role: 'user', content: { type: 'text', text: prompt } }], maxTokens: 50 })

function accepted(ctx: ServerContext, key: string, field: string): string | undefined {
  const value = acceptedContent(ctx.mcpReq.inputResponses, key)?.[field]
  return typeof value === 'string' ? value : undefined
}

/** An answer that is not of the form asked for counts as none. */
function answer<T>(ctx: ServerContext, key: string, shape: z.ZodType<T>): T | undefined {
  return shape.safeParse(ctx.mcpReq.inputResponses?.[key]).data
}

const Completion = z.object({ content: z.object({ text: z.string() }) })
const Roots = z.object({ roots: z.array(z.object({ uri: z.string() })) })

async function elicitation(ctx: ServerContext) {
  const name = accepted(ctx, 'user_name', 'name')
  return name === undefined ? inputRequired({ inputRequests: { user_name: askName() } }) : text(`Hello, ${name}!`)
}

async function sampling(ctx: ServerContext) {
  const said = answer(ctx, 'capital_question', Completion)
  if (said === undefined) return inputRequired({ inputRequests: { capital_question: complete('What is the capital of France?') } })
  return text(`The answer was: ${said.content.text}`)
}

async function listRoots(ctx: ServerContext) {
  const found = answer(ctx, 'client_roots', Roots)
  if (found === undefined) return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } })
  return text(`Roots: ${found.roots.map(({ uri }) => uri).join(', ')}`)
}

async function confirmWithState(ctx: ServerContext) {
  const confirmed = acceptedContent(ctx.mcpReq.inputResponses, 'confirm') !== undefined
  // The server checked the signature before this ran; without state there was nothing to check.
  if (confirmed && ctx.mcpReq.requestState() !== undefined) return text('state-ok: the state came back as it was sent')
  return inputRequired({
    inputRequests: { confirm: ask('Please confirm', 'ok', { type: 'boolean' }) },
    requestState: await requestState.mint({}),
  })
}

async function multipleInputs(ctx: ServerContext) {
  const name = accepted(ctx, 'user_name', 'name')
  const greeting = answer(ctx, 'greeting', Completion)
  const found = answer(ctx, 'client_roots', Roots)
  if (name !== undefined && greeting !== undefined && found !== undefined) {
    return text(`${greeting.content.text} ${name}, of ${found.roots.length} roots`)
  }
  const inputRequests = { user_name: askName(), greeting: complete('Generate a greeting'), client_roots: inputRequired.listRoots() }
  return inputRequired({ inputRequests, requestState: await requestState.mint({}) })
}

async function multiRound(ctx: ServerContext) {
  const { round = 0, name = 'somebody' } = ctx.mcpReq.requestState<{ round?: number; name?: string }>() ?? {}
  if (round === 0) {
    return inputRequired({
      inputRequests: { step1: ask('Step 1: your name?', 'name') },
      requestState: await requestState.mint({ round: 1 }),
    })
  }
  if (round === 1) {
    const state = await requestState.mint({ round: 2, name: accepted(ctx, 'step1', 'name') ?? name })
    return inputRequired({ inputRequests: { step2: ask('Step 2: your favourite colour?', 'color') }, requestState: state })
  }
  return text(`${name} likes ${accepted(ctx, 'step2', 'color') ?? 'no colour'}`)
}

const Capabilities = z.object({ elicitation: z.object({}), sampling: z.object({}), roots: z.object({}) }).partial()

/** Asks only for what the client declares that it can answer. */
async function withinCapabilities(ctx: ServerContext) {
  if (ctx.mcpReq.inputResponses !== undefined) return text('The input came.')
  const envelope: Record<string, unknown> = { ...ctx.mcpReq.envelope }
  const declared = Capabilities.safeParse(envelope[CLIENT_CAPABILITIES_META_KEY]).data
  const inputRequests: InputRequests = {
    ...(declared?.elicitation === undefined ? {} : { user_name: askName() }),
    ...(declared?.sampling === undefined ? {} : { greeting: complete('Generate a greeting') }),
    ...(declared?.roots === undefined ? {} : { client_roots: inputRequired.listRoots() }),
  }
  return Object.keys(inputRequests).length === 0 ? text('Nothing can be asked of this client.') : inputRequired({ inputRequests })
}

/** Asks for a completion whatever the client declares: the server refuses that itself (SEP-2575). */
async function missingCapability(ctx: ServerContext) {
  return ctx.mcpReq.inputResponses === undefined ? inputRequired({ inputRequests: { answer: complete('Say pong') } }) : text('pong')
}

const TOOLS: Record<string, Step> = {
  test_input_required_result_elicitation: elicitation,
  test_input_required_result_sampling: sampling,
  test_input_required_result_list_roots: listRoots,
  test_input_required_result_request_state: confirmWithState,
  test_input_required_result_tampered_state: confirmWithState,
  test_input_required_result_multiple_inputs: multipleInputs,
  test_input_required_result_multi_round: multiRound,
  test_input_required_result_capabilities: withinCapabilities,
  test_missing_capability: missingCapability,
}

export function addInputTools(server: McpServer): void {
  for (const [name, step] of Object.entries(TOOLS)) {
    server.registerTool(name, { description: `Asks for input in its result: ${name}`, inputSchema: z.object({}) }, (_args, ctx) =>
      step(ctx),
    )
  }
  const prompt = 'test_input_required_result_prompt'
  server.registerPrompt(prompt, { description: 'Asks for input before it renders', argsSchema: z.object({}) }, async (_args, ctx) => {
    const context = accepted(ctx, 'user_context', 'context')
    if (context === undefined) return inputRequired({ inputRequests: { user_context: ask('Which context?', 'context') } })
    return { messages: [{ role: 'user', content: { type: 'text', text: `Use this context: ${context}` } }] }
  })
}
