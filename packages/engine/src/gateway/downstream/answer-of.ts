/** What a client gets for what became of its call: the tool server's own result or error with a receipt, or why there is none. */
import type { ProtocolError } from '@modelcontextprotocol/server'
import type { CallMethod, Performed } from '@ephor/engine/broker'
import type { Json, JsonObject } from '@ephor/engine/kernel'
import { z } from 'zod'
import { JsonObjectSchema } from './caller.ts'
import type { Caller } from './caller.ts'
import { errorWithReceipt, refusal, withReceipt } from './replies.ts'

/** A JSON-RPC error of the tool server, as the broker records it: exactly this and nothing else. */
const Recorded = z.strictObject({ error: z.strictObject({ code: z.number(), message: z.string(), data: z.unknown().optional() }) })

export function recordedError({ code, message, data }: ProtocolError): JsonObject {
  // Came over the wire as JSON; the type of `data` is what the SDK gives it.
  return { error: { code, message, ...(data === undefined ? {} : { data: data as JsonObject }) } }
}

const isFreshness = (value: Json | undefined): value is number => Number.isSafeInteger(value) && Number(value) >= 0

/** What the specification fixes about the result in each revision; the rest stays as the server sent it. */
function fitted({ stateless }: Pick<Caller, 'stateless'>, method: CallMethod, value: JsonObject): JsonObject {
  const { resultType: _type, ttlMs, cacheScope: _scope, ...rest } = value
  if (!stateless) return rest
  // What one principal was permitted to read is never for a shared cache.
  return {
    ...rest,
    // Never the server's own: a question in a result that nobody decided must not pass for one that Ephor asks.
    resultType: 'complete',
    ...(method === 'resources/read' ? { ttlMs: isFreshness(ttlMs) ? ttlMs : 0, cacheScope: 'private' } : {}),
  }
}

/** @throws ProtocolError what the client gets instead of a result. */
export function answerOf(caller: Pick<Caller, 'stateless'>, method: CallMethod, performed: Performed): JsonObject {
  if (performed.kind !== 'done') return refusal(method, performed)
  const recorded = performed.isError ? Recorded.safeParse(performed.value) : undefined
  // As the broker lets it pass: what is to be redacted is taken out of errors too.
  if (recorded?.success === true) throw errorWithReceipt(recorded.data.error, performed)
  return withReceipt(fitted(caller, method, JsonObjectSchema.parse(performed.value)), performed)
}
