/** Calls a tool as an agent does, and says in one shape what the agent was told, whether as a result or as a protocol error. */
import type { Client } from '@modelcontextprotocol/client'
import { z } from 'zod'

const Receipt = z.object({ decision: z.string(), origin: z.string(), seq: z.number(), leafHash: z.string() })
const Told = z.object({ code: z.string().optional(), approval: z.object({ id: z.string() }).optional() })
const Result = z.object({
  isError: z.boolean().optional(),
  content: z.array(z.object({ text: z.string().optional() })),
  _meta: z.object({ 'dev.ephor/receipt': Receipt.optional(), 'dev.ephor/fault': Told.optional() }).optional(),
})
const ProtocolError = z.object({ message: z.string(), data: Told.extend({ receipt: Receipt.optional() }).optional() })

export type Answer = {
  text: string
  /** The tool ran and said that it succeeded. */
  ok: boolean
  /** The fault code, or APPROVAL_REQUIRED. */
  code: string | undefined
  approval: string | undefined
  receipt: z.output<typeof Receipt> | undefined
}

export async function callTool(
  agent: Client,
  name: string,
  input: Record<string, unknown>,
  meta?: Record<string, string>,
): Promise<Answer> {
  const answer = await agent.callTool({ name, arguments: input, ...(meta && { _meta: meta }) }).catch((error: unknown) => error)
  if (answer instanceof Error) {
    const { message, data } = ProtocolError.parse(answer)
    return { text: message, ok: false, code: data?.code, approval: data?.approval?.id, receipt: data?.receipt }
  }
  const { isError, content, _meta: told = {} } = Result.parse(answer)
  const fault = told['dev.ephor/fault']
  return {
    text: content.map(({ text }) => text ?? '').join('\n'),
    ok: isError !== true,
    code: fault?.code,
    approval: fault?.approval?.id,
    receipt: told['dev.ephor/receipt'],
  }
}
