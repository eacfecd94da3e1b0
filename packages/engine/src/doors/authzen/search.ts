/** Answers AuthZEN searches: which of the known subjects, resources or actions would be permitted now, page by page. */
import { hash } from 'node:crypto'
import type { accessOperations, OperationInput } from '@ephor/contract'
import { Fault } from '@ephor/contract'
import type { JsonObject } from '@ephor/engine/kernel'
import type { AccessQuestion, Application } from '@ephor/engine/policy'
import { canonicalize } from '@ephor/proof'
import { pickApplication } from '../rooms.ts'
import type { DoorRooms } from '../rooms.ts'
import type { Asker } from './evaluate.ts'
import { readEntity } from './read-question.ts'

type SubjectSearch = OperationInput<typeof accessOperations.searchSubjects>['body']
type ResourceSearch = OperationInput<typeof accessOperations.searchResources>['body']
type ActionSearch = OperationInput<typeof accessOperations.searchActions>['body']
type Page = { token?: string | undefined; limit?: number | undefined }
type PageAnswer = { next_token: string; count: number }

const LIMIT = 100
/** Candidates that one request looks at: a search must not keep others waiting. */
const MOST_ASKED = 2000

/** A token says after which candidate to go on, and belongs to the search that gave it. */
function readToken(token: string | undefined, search: string): string | undefined {
  if (token === undefined || token === '') return undefined
  const [of, after] = Buffer.from(token, 'base64url')
    .toString()
    .split(/\n(.*)/s)
  if (of !== search || after === undefined)
    throw new Fault('REQUEST_INVALID', 'the token belongs to another search', { where: 'body/page/token' })
  return after
}

/**
 * @param candidates sorted
 * @param query what was searched for and under which version: a token of another one is refused
 */
function search(candidates: readonly string[], query: unknown, page: Page | undefined, permitted: (candidate: string) => boolean) {
  const name = hash('sha256', canonicalize(query), 'hex').slice(0, 32)
  const after = readToken(page?.token, name)
  const limit = page?.limit ?? LIMIT
  const found: string[] = []
  const left = after === undefined ? candidates : candidates.filter((candidate) => candidate > after)
  let asked = 0
  let last: string | undefined
  for (const candidate of left) {
    if (found.length === limit || asked === MOST_ASKED) break
    asked++
    last = candidate
    if (permitted(candidate)) found.push(candidate)
  }
  const next_token = last !== undefined && asked < left.length ? Buffer.from(`${name}\n${last}`).toString('base64url') : ''
  const answer: PageAnswer = { next_token, count: found.length }
  return { found, page: answer }
}

function permits(application: Application, question: AccessQuestion): boolean {
  return application.decide(question, []).effect === 'permit'
}

const contextOf = (context: unknown) => (context === undefined ? {} : { context: context as JsonObject })
const actionOf = ({ name, properties }: SubjectSearch['action']) => ({
  name,
  ...(properties === undefined ? {} : { properties: properties as JsonObject }),
})

export function searchSubjects(rooms: DoorRooms, { who, application: name }: Asker, body: SubjectSearch) {
  const application = pickApplication(rooms, who, name)
  const { type, properties } = body.subject
  // Section 8: an id that is given all the same is ignored.
  const ask = (id: string): AccessQuestion => ({
    subject: readEntity(application, { type, id, properties: properties }),
    action: actionOf(body.action),
    resource: readEntity(application, body.resource),
    ...contextOf(body.context),
  })
  const query = ['subject', application.name, application.version, ask('')]
  const { found, page } = search(application.known(type), query, body.page, (id) => permits(application, ask(id)))
  return { results: found.map((id) => ({ type, id })), page }
}

export function searchResources(rooms: DoorRooms, { who, application: name }: Asker, body: ResourceSearch) {
  const application = pickApplication(rooms, who, name)
  const { type, properties } = body.resource
  const ask = (id: string): AccessQuestion => ({
    subject: readEntity(application, body.subject),
    action: actionOf(body.action),
    resource: readEntity(application, { type, id, properties: properties }),
    ...contextOf(body.context),
  })
  const query = ['resource', application.name, application.version, ask('')]
  const { found, page } = search(application.known(type), query, body.page, (id) => permits(application, ask(id)))
  return { results: found.map((id) => ({ type, id })), page }
}

export function searchActions(rooms: DoorRooms, { who, application: name }: Asker, body: ActionSearch) {
  const application = pickApplication(rooms, who, name)
  const [subject, resource] = [readEntity(application, body.subject), readEntity(application, body.resource)]
  const ask = (action: string): AccessQuestion => ({ subject, action: { name: action }, resource, ...contextOf(body.context) })
  const query = ['action', application.name, application.version, ask('')]
  const candidates = application.actionsFor(subject.type, resource.type)
  const { found, page } = search(candidates, query, body.page, (action) => permits(application, ask(action)))
  return { results: found.map((action) => ({ name: action })), page }
}
