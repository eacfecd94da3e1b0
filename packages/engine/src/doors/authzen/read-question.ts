/** From an AuthZEN request to a question: what the standard defines, and nothing that an enforcement point could slip in beside it. */
import type { OperationInput, accessOperations } from '@ephor/contract'
import { Fault } from '@ephor/contract'
import type { JsonObject } from '@ephor/engine/kernel'
import type { AccessEntity, AccessQuestion, Application } from '@ephor/engine/policy'

export type EvaluationBody = OperationInput<typeof accessOperations.evaluate>['body']
type Entity = { type: string; id: string; properties?: JsonObject | undefined }

const KNOWN = new Set(['type', 'id', 'properties'])

/** Members beside type and id are ignored (section 5), unless the application takes them as drafts before 1.0 wrote them. */
export function readEntity({ settings }: Pick<Application, 'settings'>, entity: Entity): AccessEntity {
  const { type, id, properties } = entity
  const beside = settings.beside ? Object.entries(entity).filter(([name]) => !KNOWN.has(name)) : []
  const all = { ...(Object.fromEntries(beside) as JsonObject), ...properties }
  return { type, id, ...(Object.keys(all).length > 0 ? { properties: all } : {}) }
}

/** The handle of an approval stands in the context and is no part of the question. */
export function splitApproval(context: JsonObject | undefined): { context: JsonObject | undefined; approval: string | undefined } {
  if (!context || !Object.hasOwn(context, 'approval')) return { context, approval: undefined }
  const { approval, ...rest } = context
  const id = typeof approval === 'object' && approval !== null && !Array.isArray(approval) ? approval['id'] : undefined
  if (typeof id !== 'string' || id.length > 64)
    throw new Fault('REQUEST_INVALID', 'an approval is named by its id', { where: 'body/context/approval/id' })
  return { context: Object.keys(rest).length > 0 ? rest : undefined, approval: id }
}

export function readQuestion(application: Application, body: EvaluationBody): { question: AccessQuestion; approval: string | undefined } {
  const { context, approval } = splitApproval(body.context)
  const { name, properties } = body.action
  const question: AccessQuestion = {
    subject: readEntity(application, body.subject),
    action: { name, ...(properties === undefined ? {} : { properties: properties }) },
    resource: readEntity(application, body.resource),
    ...(context === undefined ? {} : { context }),
  }
  return { question, approval }
}
