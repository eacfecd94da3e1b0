/** Mounts the AuthZEN Authorization API 1.0: evaluations, searches, access requests and metadata. */
import { accessOperations, Fault } from '@ephor/contract'
import type { AccessMetadata, AgentPrincipal } from '@ephor/contract'
import { mount } from '@ephor/engine/kernel'
import type { Authenticate, Handlers, JsonObject } from '@ephor/engine/kernel'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { DoorRooms } from '../rooms.ts'
import { requestAccess, showAccessTask } from './access-requests.ts'
import { askTool, isToolQuestion } from './ask-tool.ts'
import { evaluate, evaluateAll } from './evaluate.ts'
import type { Asker, EvaluationAnswer } from './evaluate.ts'
import type { EvaluationBody } from './read-question.ts'
import { recordSearch } from './record-search.ts'
import { searchActions, searchResources, searchSubjects } from './search.ts'

/** Section 10.1.4; anything else would be text of theirs in our headers. */
const REQUEST_ID = /^[\x21-\x7e]{1,200}$/

function metadataOf(origin: string, application: string | undefined): AccessMetadata {
  const base = application === undefined ? origin : `${origin}/applications/${application}`
  return {
    policy_decision_point: base,
    access_evaluation_endpoint: `${base}/access/v1/evaluation`,
    access_evaluations_endpoint: `${base}/access/v1/evaluations`,
    search_subject_endpoint: `${base}/access/v1/search/subject`,
    search_resource_endpoint: `${base}/access/v1/search/resource`,
    search_action_endpoint: `${base}/access/v1/search/action`,
    access_request_endpoint: `${base}/access/v1/requests`,
    capabilities: ['urn:openid:authzen:capability:access-request'],
  }
}

const bearerOf = ({ headers }: FastifyRequest) => (headers.authorization ?? '').replace(/^Bearer +/i, '')

/** Fires when the caller goes away. */
function signalOf(reply: FastifyReply): AbortSignal {
  const abort = new AbortController()
  reply.raw.once('close', () => abort.abort())
  return abort.signal
}

type Input<B> = { principal: AgentPrincipal; body: B; params?: unknown; request: FastifyRequest; reply: FastifyReply }

function askerOf({ principal, params }: { principal: AgentPrincipal; params?: unknown }): Asker {
  const { application } = (params ?? {}) as { application?: string }
  return { who: principal, application }
}

function handlersOf(rooms: DoorRooms): Handlers<typeof accessOperations> {
  const one = (input: Input<EvaluationBody>): Promise<EvaluationAnswer> =>
    isToolQuestion(input.body)
      ? askTool(rooms, input.principal, bearerOf(input.request), input.body, signalOf(input.reply))
      : evaluate(rooms, askerOf(input), input.body)
  const all = (input: Input<Parameters<typeof evaluateAll>[2]>) => evaluateAll(rooms, askerOf(input), input.body)
  const searching =
    <B, R extends { results: readonly unknown[] }>(kind: string, search: (rooms: DoorRooms, asker: Asker, body: B) => R) =>
    async (input: Input<B>): Promise<R> => {
      const answer = search(rooms, askerOf(input), input.body)
      await recordSearch(rooms, askerOf(input), kind, input.body as JsonObject, answer.results.length)
      return answer
    }
  const request = async (input: Input<Parameters<typeof requestAccess>[2]>) => {
    const { task } = await requestAccess(rooms, askerOf(input), input.body)
    input.reply.header('location', task.status_endpoint)
    return { task }
  }
  const subjects = searching('subject', searchSubjects)
  const resources = searching('resource', searchResources)
  const actions = searching('action', searchActions)
  return {
    evaluate: one,
    evaluateOf: one,
    evaluateAll: all,
    evaluateAllOf: all,
    searchSubjects: subjects,
    searchSubjectsOf: subjects,
    searchResources: resources,
    searchResourcesOf: resources,
    searchActions: actions,
    searchActionsOf: actions,
    requestAccess: request,
    requestAccessOf: request,
    showAccessTask: ({ principal, params }) => showAccessTask(rooms, principal, params.id),
  }
}

export function mountAuthzen(app: FastifyInstance, rooms: DoorRooms, authenticate: Authenticate): void {
  void app.register(async (door) => {
    door.addHook('onRequest', async (request, reply) => {
      const id = request.headers['x-request-id']
      if (typeof id === 'string' && REQUEST_ID.test(id)) reply.header('x-request-id', id)
    })
    // The standard wants 400 where HTTP would rather have 415.
    door.addContentTypeParser('*', (_request, _payload, done) => {
      done(new Fault('REQUEST_INVALID', 'the body must be application/json in UTF-8'))
    })
    mount(door, accessOperations, handlersOf(rooms), authenticate)
    door.get('/.well-known/authzen-configuration', async () => metadataOf(rooms.origin, undefined))
    door.get<{ Params: { application: string } }>('/.well-known/authzen-configuration/applications/:application', async ({ params }) =>
      metadataOf(rooms.origin, encodeURIComponent(params.application)),
    )
  })
}
