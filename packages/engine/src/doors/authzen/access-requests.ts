/** AuthZEN access requests: a refusal for want of people's agreement becomes a task, which is the approval that was opened with it. */
import { Fault } from '@ephor/contract'
import type { accessOperations, AgentPrincipal, OperationInput, OperationResponse } from '@ephor/contract'
import type { Approval } from '@ephor/engine/approvals'
import { isoTime } from '@ephor/engine/kernel'
import type { JsonObject } from '@ephor/engine/kernel'
import { canonicalize } from '@ephor/proof'
import { pickApplication } from '../rooms.ts'
import type { DoorRooms } from '../rooms.ts'
import { isToolQuestion } from './ask-tool.ts'
import type { Asker } from './evaluate.ts'
import { readQuestion } from './read-question.ts'

type RequestBody = OperationInput<typeof accessOperations.requestAccess>['body']
/** The payload of the decision that refused. */
type Sealed = { server: string; name: string; input: JsonObject }
type Task = OperationResponse<typeof accessOperations.showAccessTask>

const STATUS = { pending: 'pending', approved: 'approved', spent: 'approved', denied: 'denied', expired: 'expired' } as const

function toTask({ origin }: DoorRooms, approval: Approval): Task {
  const { id, state, expiresAt } = approval
  const status = STATUS[state]
  const task = { id, status, status_endpoint: `${origin}/access/v1/requests/${id}`, expires_at: isoTime(expiresAt) }
  if (status !== 'approved') return { task }
  // Profile, completion semantics: the approval permits nothing by itself; the same question is asked again with it.
  const used = state === 'spent' ? { state: 'used' } : {}
  return { task, result: { mode: 'reevaluate', approval: { id, approved_until: isoTime(expiresAt), ...used } } }
}

const mismatch = () =>
  new Fault('APPROVAL_MISMATCH', 'the denial does not bind to this question (invalid_denial_binding)', { where: 'body/denial' })

/** What was refused, as it was sealed, must be in what is requested now; a request may only add to the context. */
function checkBinding(rooms: DoorRooms, { who, application }: Asker, body: RequestBody, sealed: Sealed): void {
  const asked = body as Parameters<typeof isToolQuestion>[0]
  if (isToolQuestion(asked)) {
    const [named, input] = [`${sealed.server}/${sealed.name}`, asked.action.properties?.['arguments'] ?? {}]
    if (asked.resource.id !== named || canonicalize(input) !== canonicalize(sealed.input)) throw mismatch()
    return
  }
  const { question } = readQuestion(pickApplication(rooms, who, application ?? sealed.server), asked)
  const before = sealed.input
  const now = question as unknown as JsonObject
  for (const part of ['subject', 'action', 'resource'])
    if (canonicalize(before[part] ?? null) !== canonicalize(now[part] ?? null)) throw mismatch()
  const context = (now['context'] ?? {}) as JsonObject
  for (const [name, value] of Object.entries((before['context'] ?? {}) as JsonObject))
    if (canonicalize(value) !== canonicalize(context[name] ?? null)) throw mismatch()
}

/** @throws Fault NOT_FOUND, APPROVAL_MISMATCH, APPROVAL_EXPIRED */
export async function requestAccess(rooms: DoorRooms, asker: Asker, body: RequestBody): Promise<Task> {
  // Another enforcement point's decision looks like none at all.
  const denied = await rooms.broker.show(body.denial.evaluation_id, asker.who)
  if (!denied || denied.approval === undefined)
    throw new Fault('NOT_FOUND', 'no denial of yours with that id waits for people', { where: 'body/denial/evaluation_id' })
  if (denied.input === undefined) throw mismatch()
  checkBinding(rooms, asker, body, denied.input as Sealed)
  const approval = await rooms.approvals.find(denied.approval)
  if (!approval || approval.agent !== asker.who.id) throw new Fault('NOT_FOUND', 'the approval is gone')
  if (approval.state === 'expired') throw new Fault('APPROVAL_EXPIRED', 'the question to people has expired: evaluate again')
  return toTask(rooms, approval)
}

export async function showAccessTask(rooms: DoorRooms, who: AgentPrincipal, id: string): Promise<Task> {
  const approval = await rooms.approvals.find(id)
  if (!approval || approval.agent !== who.id) throw new Fault('NOT_FOUND', 'there is no such task')
  return toTask(rooms, approval)
}
