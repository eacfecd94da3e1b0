/** Decides under one bundle in one world, remembering every answer: the same question can have no other. */
import { hash } from 'node:crypto'
import type { EntityJson } from '@cedar-policy/cedar-wasm/nodejs'
import { canonicalize } from '@ephor/proof'
import { buildRecord, checkValue, trimRecord } from './build-context.ts'
import type { Evaluation, Question } from './cedar-thread.ts'
import type { CompiledPolicy } from './compile-policy.ts'
import type { RecordShape } from './input-type.ts'
import { makeMemo } from './make-memo.ts'
import type { ActionInfo, WorldSchema } from './make-schema.ts'
import type { Answer, Evaluator } from './open-evaluator.ts'
import { mergeReferences } from './references.ts'
import type { EntityId, RefTree } from './references.ts'
import { conclude } from './rules.ts'
import type { Pins } from './rules.ts'
import { covers } from './scope.ts'
import type { Decision, PolicyPrincipal, PolicyRequest, PolicyWorld } from './types.ts'

export type Bundle = { version: string; policies: ReadonlyMap<string, CompiledPolicy> }

export interface Decider {
  decide(request: PolicyRequest): Promise<Decision>
  couldPermit(principal: PolicyPrincipal, action: string, server: string): boolean
}

export type DeciderOptions = {
  bundle: Bundle
  world: PolicyWorld
  schema: WorldSchema
  evaluator: Evaluator
  /** Called with the policy and Cedar's words, without any value, when a policy can't be evaluated. */
  onError: (policy: string, message: string) => void
  /** Entries and bytes to remember at most; 50,000 and 64 MiB unless said. 0 entries: remember nothing. */
  memory?: { entries: number; bytes: number }
}

/** Everything about (principal, action, server) that does not depend on the arguments. */
type Target = {
  prefix: string
  action: ActionInfo
  /** Ids of the policies whose scope covers it. */
  policies: readonly string[]
  slice: string
  /** What of the context they look at. */
  shape: RecordShape
  entities: EntityJson[]
  couldPermit: boolean
}
type Remembered = {
  evaluation: Evaluation
  /** What follows when no approval was given, which is nearly always. */
  plain: Decision
}

const MAX_TARGETS = 100_000
const MAX_CONTEXT = 1024 * 1024

function entitiesOf(world: PolicyWorld): Map<string, EntityJson> {
  const entities = new Map<string, EntityJson>()
  const put = (type: string, id: string, attrs: EntityJson['attrs']) =>
    entities.set(`${type}:${id}`, { uid: { type, id }, attrs, parents: [] })
  for (const { id, name, owner, purpose } of world.agents)
    put('Agent', id, { name: name.toWellFormed(), owner: owner.toWellFormed(), purpose: purpose.toWellFormed() })
  for (const { name, folders } of world.servers) put('ToolServer', name, { folders: folders.map((folder) => folder.toWellFormed()) })
  return entities
}

function actionEntity({ id, groups }: ActionInfo): EntityJson {
  return { uid: { type: 'Action', id }, attrs: {}, parents: groups.map((group) => ({ type: 'Action', id: group })) }
}

function freeze(decision: Decision): Decision {
  for (const value of Object.values(decision)) if (typeof value === 'object' && value !== null) Object.freeze(value)
  return Object.freeze(decision)
}

const resolved = (decision: Decision) => Promise.resolve(decision)

export function makeDecider({ bundle, world, schema, evaluator, onError, memory }: DeciderOptions): Decider {
  const pins: Pins = { version: bundle.version, world: `sha256:${hash('sha256', canonicalize(world), 'hex')}` }
  const entities = entitiesOf(world)
  const policies = [...bundle.policies.values()]
  const memo = makeMemo<Remembered>(memory?.entries ?? 50_000, memory?.bytes ?? 64 * 1024 * 1024)
  const asked = new Map<string, Promise<Answer>>()
  const targets = new Map<string, Target>()

  const deny = (fault: Extract<Decision, { effect: 'deny' }>['fault'], detail: string): Decision => ({
    ...pins,
    effect: 'deny',
    fault,
    detail,
    reasons: [],
  })

  function entitiesFor(action: ActionInfo, named: readonly EntityId[]): EntityJson[] {
    const wanted = new Map<string, EntityJson>([[`Action:${action.id}`, actionEntity(action)]])
    for (const { type, id } of named) {
      const entity = entities.get(`${type}:${id}`)
      if (entity) wanted.set(`${type}:${id}`, entity)
      const other = type === 'Action' ? schema.actions.get(id) : undefined
      if (other) wanted.set(`Action:${id}`, actionEntity(other))
    }
    return [...wanted.values()]
  }

  /** @returns a denial where one of the three doesn't exist, or they don't belong together */
  function targetOf(principal: PolicyPrincipal, actionId: string, server: string): Target | Decision {
    // Lengths first, so that no two different triples are written alike.
    const prefix = `${principal.type}${principal.id.length}:${principal.id}${actionId.length}:${actionId}${server.length}:${server}`
    const known = targets.get(prefix)
    if (known) return known
    const action = schema.actions.get(actionId)
    if (!action) return deny('TOOL_UNKNOWN', 'There is no such action.')
    if (!entities.has(`ToolServer:${server}`)) return deny('SERVER_UNKNOWN', 'There is no such tool server.')
    if (action.server !== undefined && action.server !== server) return deny('TOOL_UNKNOWN', 'The tool belongs to another server.')
    if (!entities.has(`${principal.type}:${principal.id}`)) return deny('AGENT_UNKNOWN', 'The principal is not registered.')
    if (action.principal !== principal.type) return deny('POLICY_NO_PERMIT', 'This action is not for this kind of principal.')
    const resource = { type: 'ToolServer', id: server }
    const covering = policies.filter(({ scope }) => covers(scope, principal, action, resource))
    const references = covering.reduce<RefTree>((all, policy) => mergeReferences(all, policy.references), new Map())
    const ids = covering.map(({ id }) => id)
    const forbidden = covering.some(({ effect, ask, unconditional }) => effect === 'forbid' && !ask && unconditional)
    const target: Target = {
      prefix,
      action,
      policies: ids,
      // Named by its content: the thread outlives this decider, and another world's slice must never answer for it.
      slice: ids.join('\n'),
      shape: trimRecord(action.context, references),
      entities: entitiesFor(action, [principal, resource, ...covering.flatMap((policy) => policy.entities)]),
      couldPermit: !forbidden && covering.some(({ effect }) => effect === 'permit'),
    }
    if (targets.size >= MAX_TARGETS) targets.clear()
    targets.set(prefix, target)
    return target
  }

  function remember(key: string, evaluation: Evaluation): Remembered {
    for (const { policy, message } of evaluation.errors) onError(policy, message.replaceAll(/`[^`]*`/g, '`…`'))
    const remembered = { evaluation, plain: freeze(conclude(evaluation, bundle.policies, [], pins)) }
    memo.set(key, remembered)
    return remembered
  }

  async function ask(key: string, question: Question, ids: readonly string[]): Promise<Answer> {
    const running = asked.get(key)
    if (running) return running
    const started = evaluator.evaluate(question, ids).finally(() => asked.delete(key))
    asked.set(key, started)
    return started
  }

  async function miss(key: string, target: Target, request: PolicyRequest, context: object): Promise<Decision> {
    const question: Question = {
      slice: target.slice,
      principal: { type: request.principal.type, id: request.principal.id },
      action: { type: 'Action', id: request.action },
      resource: { type: 'ToolServer', id: request.server },
      context: context as Question['context'],
      entities: target.entities,
    }
    const answer = target.policies.length === 0 ? { satisfied: [], errors: [] } : await ask(key, question, target.policies)
    if (answer === 'timeout') return deny('POLICY_TIMEOUT', 'The policies took too long to evaluate.')
    if (answer === 'broken') return deny('POLICY_ERROR', 'The policy engine failed on this call.')
    return answerWith(remember(key, answer), request)
  }

  function answerWith({ evaluation, plain }: Remembered, { facts }: PolicyRequest): Decision {
    return facts.approvals.length === 0 ? plain : conclude(evaluation, bundle.policies, facts.approvals, pins)
  }

  return {
    decide(request) {
      const { facts } = request
      const target = targetOf(request.principal, request.action, request.server)
      if ('effect' in target) return resolved(target)
      const source = { ...facts, approvals: facts.approvals.length === 0 ? [] : namesOf(facts.approvals), input: request.input }
      const problem = checkValue(target.action.context, source, '')
      if (problem !== undefined) return resolved(deny('INPUT_INVALID', `The argument ${problem.replace(/^\/input(?=\/)/, '')}.`))
      const context = buildRecord(target.shape, source)
      const written = JSON.stringify(context)
      if (written.length > MAX_CONTEXT) return resolved(deny('INPUT_INVALID', 'The arguments are larger than policies may look at.'))
      const key = target.prefix + written
      const found = memo.get(key)
      return found ? resolved(answerWith(found, request)) : miss(key, target, request, context)
    },
    couldPermit(principal, action, server) {
      const target = targetOf(principal, action, server)
      return !('effect' in target) && target.couldPermit
    },
  }
}

/** `context.approvals`: the policies whose asks people have answered for this call. */
function namesOf(approvals: PolicyRequest['facts']['approvals']): string[] {
  return [...new Set(approvals.filter(({ by }) => by.length > 0).flatMap((approval) => approval.policies))].toSorted()
}
