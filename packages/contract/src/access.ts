/** The AuthZEN Authorization API 1.0 (OpenID, final) on the wire, with its access requests: other enforcement points ask and are answered. */
import { z } from 'zod'
import type { Operations } from './operation.ts'

const Text = z.string().min(1).max(1024)
const Properties = z.record(z.string(), z.json())

/** Section 5: unknown members are ignored; here they are kept, since drafts before 1.0 put properties there. */
const AccessEntity = z.looseObject({ type: Text, id: Text, properties: Properties.optional() })
const AccessAction = z.object({ name: Text, properties: Properties.optional() })

const EvaluationRequest = z.object({
  subject: AccessEntity,
  action: AccessAction,
  resource: AccessEntity,
  context: Properties.optional(),
})

const Semantic = z
  .enum(['execute_all', 'deny_on_first_deny', 'permit_on_first_permit'])
  .describe('Section 7.1.2: all, or up to and including the first denial or permit.')

const EvaluationsRequest = z.object({
  subject: AccessEntity.optional(),
  action: AccessAction.optional(),
  resource: AccessEntity.optional(),
  context: Properties.optional(),
  evaluations: z.array(EvaluationRequest.partial()).max(500).optional().describe('At most 500; what one leaves out is taken from above.'),
  options: z.looseObject({ evaluations_semantic: Semantic.optional() }).optional(),
})

const EvaluationAnswer = z.object({
  decision: z.boolean(),
  context: z
    .record(z.string(), z.json())
    .optional()
    .describe('evaluation_id, reasons, obligations; on a denial reason, and access_request where people could agree.'),
})

const Page = z.object({ token: z.string().max(500).optional(), limit: z.number().int().min(1).max(1000).optional() })
const PageAnswer = z.object({ next_token: z.string(), count: z.number().int() })
const SearchedEntity = z.looseObject({ type: Text, properties: Properties.optional() })

const params = z.object({ application: z.string().max(64) })
const everywhere = {
  evaluate: {
    method: 'POST',
    path: '/access/v1/evaluation',
    summary: 'Asks whether a subject may take an action on a resource (AuthZEN 1.0, section 6)',
    tag: 'access',
    who: 'agent',
    body: EvaluationRequest,
    response: EvaluationAnswer,
  },
  evaluateAll: {
    method: 'POST',
    path: '/access/v1/evaluations',
    summary: 'Asks several questions at once (AuthZEN 1.0, section 7)',
    tag: 'access',
    who: 'agent',
    body: EvaluationsRequest,
    response: z.union([EvaluationAnswer, z.object({ evaluations: z.array(EvaluationAnswer) })]),
  },
  searchSubjects: {
    method: 'POST',
    path: '/access/v1/search/subject',
    summary: 'Lists the known subjects that may take an action on a resource (AuthZEN 1.0, section 8)',
    tag: 'access',
    who: 'agent',
    body: z.object({
      subject: SearchedEntity,
      action: AccessAction,
      resource: AccessEntity,
      context: Properties.optional(),
      page: Page.optional(),
    }),
    response: z.object({ results: z.array(z.object({ type: z.string(), id: z.string() })), page: PageAnswer }),
  },
  searchResources: {
    method: 'POST',
    path: '/access/v1/search/resource',
    summary: 'Lists the known resources on which a subject may take an action (AuthZEN 1.0, section 8)',
    tag: 'access',
    who: 'agent',
    body: z.object({
      subject: AccessEntity,
      action: AccessAction,
      resource: SearchedEntity,
      context: Properties.optional(),
      page: Page.optional(),
    }),
    response: z.object({ results: z.array(z.object({ type: z.string(), id: z.string() })), page: PageAnswer }),
  },
  searchActions: {
    method: 'POST',
    path: '/access/v1/search/action',
    summary: 'Lists the actions that a subject may take on a resource (AuthZEN 1.0, section 8)',
    tag: 'access',
    who: 'agent',
    body: z.object({ subject: AccessEntity, resource: AccessEntity, context: Properties.optional(), page: Page.optional() }),
    response: z.object({ results: z.array(z.object({ name: z.string() })), page: PageAnswer }),
  },
  requestAccess: {
    method: 'POST',
    path: '/access/v1/requests',
    summary: 'Asks people for what was refused for want of their agreement (AuthZEN Access Request and Approval profile, draft 1)',
    tag: 'access',
    who: 'agent',
    status: 202,
    body: z.looseObject({
      subject: AccessEntity,
      action: AccessAction,
      resource: AccessEntity,
      context: Properties.optional(),
      denial: z.looseObject({ evaluation_id: z.string().max(64), expires_at: z.iso.datetime({ offset: true }).optional() }),
    }),
    response: z.object({ task: z.looseObject({ id: z.string(), status: z.string(), status_endpoint: z.string() }) }),
  },
} satisfies Operations

type Everywhere = typeof everywhere
type Named = { [K in keyof Everywhere as `${K}Of`]: Omit<Everywhere[K], 'params'> & { params: typeof params } }

/** The same for an application by its name. */
const named = Object.fromEntries(
  Object.entries(everywhere).map(([name, operation]) => [
    `${name}Of`,
    { ...operation, path: `/applications/{application}${operation.path}`, params },
  ]),
) as unknown as Named

export const accessOperations = {
  ...everywhere,
  ...named,
  showAccessTask: {
    method: 'GET',
    path: '/access/v1/requests/{id}',
    summary: 'Shows what became of an access request',
    tag: 'access',
    who: 'agent',
    params: z.object({ id: z.string().max(64) }),
    response: z.object({
      task: z.looseObject({
        id: z.string(),
        status: z.enum(['pending', 'approved', 'denied', 'expired']),
        status_endpoint: z.string(),
        expires_at: z.string(),
      }),
      result: z.looseObject({ mode: z.literal('reevaluate'), approval: z.looseObject({ id: z.string() }) }).optional(),
    }),
  },
} satisfies Operations

/** `/.well-known/authzen-configuration` (section 9), of everything or of one application. */
export type AccessMetadata = {
  policy_decision_point: string
  access_evaluation_endpoint: string
  access_evaluations_endpoint: string
  search_subject_endpoint: string
  search_resource_endpoint: string
  search_action_endpoint: string
  access_request_endpoint: string
  capabilities: string[]
}
