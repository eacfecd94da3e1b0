/** Answers AuthZEN evaluations: one, or many with the standard's three semantics. */
import { Fault } from '@ephor/contract'
import type { accessOperations, AgentPrincipal, OperationInput, OperationResponse } from '@ephor/contract'
import type { JudgedAccess } from '@ephor/engine/broker'
import { isoTime } from '@ephor/engine/kernel'
import type { JsonObject } from '@ephor/engine/kernel'
import type { Obligation } from '@ephor/engine/policy'
import { judge, pickApplication } from '../rooms.ts'
import type { DoorRooms } from '../rooms.ts'
import { readQuestion } from './read-question.ts'
import type { EvaluationBody } from './read-question.ts'

export type EvaluationAnswer = OperationResponse<typeof accessOperations.evaluate>
/** What an evaluation of several may leave out. */
type Part = { [K in keyof EvaluationBody]?: EvaluationBody[K] | undefined }
type EvaluationsBody = OperationInput<typeof accessOperations.evaluateAll>['body']

/** Who asks, with what, and about which application, if it is named. */
export type Asker = { who: AgentPrincipal; application: string | undefined }

/** AuthZEN obligations profile, draft 1: ours are `custom`, and who does not know one must deny. Ephor itself keeps the sample for review. */
export function toObligations(obligations: readonly Obligation[]): JsonObject[] {
  const theirs = obligations.filter(({ kind }) => kind !== 'review')
  return theirs.map(({ policy, ...terms }, i) => ({ id: `${terms.kind}-${i + 1}`, type: 'custom', properties: { ...terms, policy } }))
}

function toAnswer({ origin }: DoorRooms, judged: JudgedAccess): EvaluationAnswer {
  const reasons = judged.reasons.map(({ policy, text }) => ({ policy, text }))
  const context: JsonObject = { evaluation_id: judged.decision, ...(reasons.length > 0 ? { reasons } : {}) }
  if (judged.receipt) context.receipt = { origin: judged.receipt.origin, seq: judged.receipt.seq, leafHash: judged.receipt.leafHash }
  if (judged.kind === 'permitted') {
    const obligations = toObligations(judged.obligations)
    return { decision: true, context: { ...context, ...(obligations.length > 0 ? { obligations } : {}) } }
  }
  if (judged.kind === 'refused') return { decision: false, context: { ...context, reason: judged.fault, detail: judged.detail } }
  const [first] = judged.approval.asks
  const access: JsonObject = {
    endpoint: `${origin}/access/v1/requests`,
    expires_at: isoTime(judged.approval.expiresAt),
    ...(first ? { template: first.policy, display: { description: first.reason } } : {}),
  }
  return { decision: false, context: { ...context, reason: 'APPROVAL_REQUIRED', access_request: access } }
}

export async function evaluate(rooms: DoorRooms, { who, application: name }: Asker, body: EvaluationBody): Promise<EvaluationAnswer> {
  const application = pickApplication(rooms, who, name)
  const { question, approval } = readQuestion(application, body)
  return toAnswer(rooms, await judge(rooms, 'authzen', who, application, question, approval))
}

/** Section 7.1.1: what an evaluation leaves out is taken from the top level, member by member. */
function complete(body: EvaluationsBody, one: Part, where: string): EvaluationBody {
  const [subject, action, resource] = [one.subject ?? body.subject, one.action ?? body.action, one.resource ?? body.resource]
  const missing = Object.entries({ subject, action, resource }).find(([, value]) => value === undefined)
  if (!subject || !action || !resource)
    throw new Fault('REQUEST_INVALID', `there is no ${missing?.[0]}`, { where: `${where}/${missing?.[0]}` })
  const context = one.context ?? body.context
  return { subject, action, resource, ...(context === undefined ? {} : { context }) }
}

/** A question of a batch that can't be asked is a denial that says so (section 7.2.1); the others are answered. */
async function evaluateOne(rooms: DoorRooms, asker: Asker, body: EvaluationsBody, one: Part, where: string): Promise<EvaluationAnswer> {
  try {
    return await evaluate(rooms, asker, complete(body, one, where))
  } catch (error) {
    if (!(error instanceof Fault) || error.status >= 500) throw error
    return { decision: false, context: { reason: error.code, error: { status: error.status, message: error.message } } }
  }
}

const STOP_AT = { execute_all: undefined, deny_on_first_deny: false, permit_on_first_permit: true } as const

export async function evaluateAll(
  rooms: DoorRooms,
  asker: Asker,
  body: EvaluationsBody,
): Promise<EvaluationAnswer | { evaluations: EvaluationAnswer[] }> {
  // Section 7.1: without evaluations it is one question as of section 6.
  if (!body.evaluations || body.evaluations.length === 0) return evaluate(rooms, asker, complete(body, {}, 'body'))
  pickApplication(rooms, asker.who, asker.application)
  const stopAt = STOP_AT[body.options?.evaluations_semantic ?? 'execute_all']
  const ask = (one: Part, i: number) => evaluateOne(rooms, asker, body, one, `body/evaluations/${i}`)
  if (stopAt === undefined) return { evaluations: await Promise.all(body.evaluations.map(ask)) }
  const evaluations: EvaluationAnswer[] = []
  for (const [i, one] of body.evaluations.entries()) {
    const answer = await ask(one, i)
    evaluations.push(answer)
    if (answer.decision === stopAt) break
  }
  return { evaluations }
}
