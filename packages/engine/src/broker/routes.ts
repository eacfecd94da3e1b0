/** HTTP: enforcement points ask and report; people list and read decisions. */
import { callsOperations, decisionsOperations, Fault } from '@ephor/contract'
import type { OperationResponse } from '@ephor/contract'
import { isoTime, mount } from '@ephor/engine/kernel'
import type { Authenticate } from '@ephor/engine/kernel'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Broker } from './create-broker.ts'
import type { Asked, DecisionRow } from './types.ts'

type DecisionJson = OperationResponse<typeof decisionsOperations.listDecisions>['items'][number]
type CallJson = OperationResponse<typeof callsOperations.askCall>

/** A row as it goes over the wire: RFC 3339 times, absent members left out. */
function toDecisionJson({ at, outcomeAt, reasons, obligations, riskScore, spends, ...row }: DecisionRow): DecisionJson {
  const present = Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined)) as typeof row
  return {
    ...present,
    at: isoTime(at),
    reasons: [...reasons],
    obligations: [...obligations],
    ...(riskScore === undefined ? {} : { riskScore: { ...riskScore, parts: [...riskScore.parts] } }),
    ...(spends.length === 0 ? {} : { budgets: spends.map(({ budget, unit, amount }) => ({ budget, unit, amount })) }),
    ...(outcomeAt === undefined ? {} : { outcomeAt: isoTime(outcomeAt) }),
  }
}

function toCallJson(asked: Asked & { warrant?: string }): CallJson {
  const { decision, receipt } = asked
  const common = { decision, receipt, reasons: [...asked.reasons] }
  if (asked.kind === 'permitted') {
    const { obligations, warrant = '', deadline } = asked
    return { ...common, kind: 'permitted', obligations: [...obligations], warrant, deadline: isoTime(deadline) }
  }
  if (asked.kind === 'held')
    return { ...common, kind: 'held', approval: { id: asked.approval.id, expiresAt: isoTime(asked.approval.expiresAt) } }
  return { ...common, kind: 'refused', fault: asked.fault, detail: asked.detail }
}

function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' && value.length > 0 ? value : undefined
}

/** The signal that fires when the caller goes away. On the response, not the socket, which outlives it and would gather listeners. */
function signalOf(reply: FastifyReply): AbortSignal {
  const abort = new AbortController()
  reply.raw.once('close', () => abort.abort())
  return abort.signal
}

export function mountBroker(app: FastifyInstance, broker: Broker, authenticate: Authenticate): void {
  const operations = { ...callsOperations, ...decisionsOperations }
  mount(
    app,
    operations,
    {
      async askCall({ body, request, reply, principal }) {
        const slash = body.tool.indexOf('/')
        // The token's own session wins: an agent can start a session, not leave the one that its credential names.
        const session = principal.session ?? body.session ?? ''
        const { onBehalfOf, parents, approval } = body
        const idempotencyKey = headerOf(request, 'idempotency-key')
        const trace = headerOf(request, 'traceparent')
        const asked = await broker.ask({
          door: 'api',
          method: 'tools/call',
          session,
          input: body.input,
          signal: signalOf(reply),
          bearer: (headerOf(request, 'authorization') ?? '').replace(/^Bearer +/i, ''),
          server: body.tool.slice(0, slash),
          name: body.tool.slice(slash + 1),
          ...(onBehalfOf === undefined ? {} : { onBehalfOf }),
          ...(parents === undefined ? {} : { parents }),
          ...(approval === undefined ? {} : { approval }),
          ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
          ...(trace === undefined ? {} : { trace }),
        })
        return toCallJson(asked)
      },
      async reportOutcome({ params, body, principal }) {
        const { status, result, tokens } = body
        const said = { status, ...(result === undefined ? {} : { result }), ...(tokens === undefined ? {} : { tokens }) }
        const receipt = await broker.report(principal, params.id, said)
        return { decision: params.id, status, receipt }
      },
      async listDecisions({ query: { cursor, limit, agent, effect, server } }) {
        const rows = await broker.list({
          limit: limit + 1,
          ...(cursor === undefined ? {} : { cursor }),
          ...(agent === undefined ? {} : { agent }),
          ...(effect === undefined ? {} : { effect }),
          ...(server === undefined ? {} : { server }),
        })
        const items = rows.slice(0, limit)
        const last = items.at(-1)
        return { items: items.map(toDecisionJson), ...(rows.length > limit && last ? { next: last.id } : {}) }
      },
      async showDecision({ params, principal }) {
        const detail = await broker.show(params.id, principal)
        if (!detail) throw new Fault('NOT_FOUND', 'no decision has that id')
        const { receipt, outcomeReceipt, input, result, ...row } = detail
        return {
          ...toDecisionJson(row),
          receipt,
          ...(outcomeReceipt === undefined ? {} : { outcomeReceipt }),
          ...(input === undefined ? {} : { input }),
          ...(result === undefined ? {} : { result }),
        }
      },
    },
    authenticate,
  )
}
