/** A tool call asked about in AuthZEN's words: decided by the main policies, exactly as `POST /v1/calls` would. */
import { Fault } from '@ephor/contract'
import type { AgentPrincipal } from '@ephor/contract'
import { isoTime } from '@ephor/engine/kernel'
import type { JsonObject } from '@ephor/engine/kernel'
import type { DoorRooms } from '../rooms.ts'
import { toObligations } from './evaluate.ts'
import type { EvaluationAnswer } from './evaluate.ts'
import { splitApproval } from './read-question.ts'
import type { EvaluationBody } from './read-question.ts'

/** Whether the question is about a tool of this server, and not about an application. */
export function isToolQuestion({ action, resource }: EvaluationBody): boolean {
  return action.name === 'tools/call' && resource.type === 'tool'
}

/**
 * Subject: the agent itself (`{type: 'agent', id: 'agt_…'}`), since its credential proves no other. Resource:
 * `{type: 'tool', id: 'server/tool'}`. Arguments: `action.properties.arguments`.
 * @throws Fault FORBIDDEN, REQUEST_INVALID
 */
export async function askTool(
  { broker, origin }: DoorRooms,
  who: AgentPrincipal,
  bearer: string,
  body: EvaluationBody,
  signal: AbortSignal,
): Promise<EvaluationAnswer> {
  const { subject, action, resource } = body
  if (subject.type !== 'agent' || subject.id !== who.id)
    throw new Fault('FORBIDDEN', 'an agent asks about its own calls only: the subject is {type: "agent", id} of the credential')
  const slash = resource.id.indexOf('/')
  if (slash < 1) throw new Fault('REQUEST_INVALID', 'name the tool as server/tool', { where: 'body/resource/id' })
  const input = (action.properties?.['arguments'] ?? {}) as JsonObject
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw new Fault('REQUEST_INVALID', 'arguments are an object', { where: 'body/action/properties/arguments' })
  const { context, approval } = splitApproval(body.context)
  const named = context?.['session']
  const asked = await broker.ask({
    door: 'api',
    bearer,
    method: 'tools/call',
    server: resource.id.slice(0, slash),
    name: resource.id.slice(slash + 1),
    input,
    session: who.session ?? (typeof named === 'string' ? named.slice(0, 200) : ''),
    signal,
    ...(approval === undefined ? {} : { approval }),
  })
  const reasons = asked.reasons.map(({ policy, text }) => ({ policy, text }))
  const { origin: log, seq, leafHash } = asked.receipt
  const common: JsonObject = {
    evaluation_id: asked.decision,
    receipt: { origin: log, seq, leafHash },
    ...(reasons.length > 0 ? { reasons } : {}),
  }
  if (asked.kind === 'permitted') {
    const { warrant = '', deadline } = asked
    const obligations = toObligations(asked.obligations)
    return {
      decision: true,
      context: { ...common, warrant, deadline: isoTime(deadline), ...(obligations.length > 0 ? { obligations } : {}) },
    }
  }
  if (asked.kind === 'refused') return { decision: false, context: { ...common, reason: asked.fault, detail: asked.detail } }
  const access: JsonObject = { endpoint: `${origin}/access/v1/requests`, expires_at: isoTime(asked.approval.expiresAt) }
  return { decision: false, context: { ...common, reason: 'APPROVAL_REQUIRED', access_request: access } }
}
