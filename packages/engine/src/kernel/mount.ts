/** Mounts a room's API operations on the HTTP server: parse, authenticate, run, answer; faults become problem details. */
import { toProblem, Fault } from '@ephor/contract'
import type { Operation, OperationInput, OperationResponse, Operations, Principal } from '@ephor/contract'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { z } from 'zod'

export type Authenticate = (request: FastifyRequest, reply: FastifyReply) => Promise<Principal>

type PrincipalOf<O extends Operation> = O['who'] extends 'agent'
  ? Extract<Principal, { kind: 'agent' }>
  : O['who'] extends 'person'
    ? Extract<Principal, { kind: 'person' }>
    : O['who'] extends 'anyone'
      ? undefined
      : Principal

/** What a handler gets: parsed input and the proven principal. `reply` is for headers (ETag, cookies) and streams. */
export type HandlerInput<O extends Operation> = OperationInput<O> & {
  principal: PrincipalOf<O>
  request: FastifyRequest
  reply: FastifyReply
}

export type Handlers<T extends Operations> = {
  [K in keyof T]: (input: HandlerInput<T[K]>) => Promise<T[K]['stream'] extends true ? void : OperationResponse<T[K]>>
}

function parse(schema: z.ZodType | undefined, value: unknown, part: string): unknown {
  if (!schema) return undefined
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const where = `${part}/${(issue?.path ?? []).map(String).join('/')}`
  throw new Fault('REQUEST_INVALID', issue?.message ?? 'not valid', { where })
}

/** Answers a fault as `application/problem+json`; anything that is not a Fault is INTERNAL and its text stays in the log. */
export function sendFault(reply: FastifyReply, error: unknown): FastifyReply {
  const fault = error instanceof Fault ? error : new Fault('INTERNAL', 'an unexpected error', { cause: error })
  if (fault.status >= 500) reply.log.error({ err: error }, fault.code)
  return reply.status(fault.status).type('application/problem+json').send(toProblem(fault))
}

export function mount<T extends Operations>(app: FastifyInstance, operations: T, handlers: Handlers<T>, authenticate: Authenticate): void {
  for (const [name, operation] of Object.entries(operations)) {
    const handler = handlers[name] as (input: unknown) => Promise<unknown>
    app.route({
      method: operation.method,
      url: operation.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      handler: async (request, reply) => {
        const principal = operation.who === 'anyone' ? undefined : await authenticate(request, reply)
        if (principal && operation.who !== 'either' && principal.kind !== operation.who)
          throw new Fault('FORBIDDEN', `this is for ${operation.who === 'person' ? 'people' : 'agents'}`)
        const result = await handler({
          params: parse(operation.params, request.params, 'path'),
          query: parse(operation.query, request.query, 'query'),
          body: parse(operation.body, request.body, 'body'),
          principal,
          request,
          reply,
        })
        if (operation.stream || reply.sent) return reply
        if (reply.statusCode === 200) reply.status(operation.status ?? 200)
        return reply.send(operation.response.parse(result))
      },
    })
  }
}
