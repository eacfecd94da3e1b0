/** Policies and linked templates to closures, indexed by their scope. */
import { CedarError } from './cedar-error.ts'
import { compileExpr } from './compile-expr.ts'
import type { Test } from './code.ts'
import type { ActionScopeJson, ConditionJson, EntityUid, EntityUidJson, PolicyJson, ScopeJson, TemplateLink } from './json.ts'
import { PolicyIndex } from './policy-index.ts'
import type { ScopeKey } from './policy-index.ts'
import { readUid } from './read-values.ts'
import { SharedTests } from './shared-tests.ts'
import { EntityRef } from './values.ts'

type Types = { principal?: string | undefined; resource?: string | undefined }

export class Policy {
  // What every decision reads stands first, together in the processor's cache.
  /** The types that `is … in …` asks for and all conditions, as one; the index knows the rest of the scope. */
  readonly test: Test
  /** What evaluating it costs at most, sets and texts aside. */
  readonly cost: number
  /** It names several actions, so the index may find it more than once. */
  readonly repeated: boolean
  /** The decision that looked at it last, where `repeated`. */
  seen = 0
  readonly id: string
  readonly effect: 'permit' | 'forbid'
  readonly types: Types
  readonly conditions: readonly ConditionJson[]

  constructor(id: string, json: PolicyJson, types: Types, body: CompiledBody) {
    this.test = types.principal === undefined && types.resource === undefined ? body.test : withTypes(types, body.test)
    this.cost = body.cost
    this.repeated = 'entities' in json.action && json.action.entities.length > 1
    this.id = id
    this.effect = json.effect
    this.types = types
    this.conditions = json.conditions
  }

  fits(principal: EntityUid, resource: EntityUid): boolean {
    return fits(this.types, principal, resource)
  }
}

function fits(types: Types, principal: EntityUid, resource: EntityUid): boolean {
  return (
    (types.principal === undefined || types.principal === principal.type) &&
    (types.resource === undefined || types.resource === resource.type)
  )
}

function withTypes(types: Types, test: Test): Test {
  return (frame) => fits(types, frame.principal, frame.resource) && test(frame)
}

export class PolicySet {
  readonly policies: ReadonlyMap<string, Policy>
  readonly index: PolicyIndex<Policy>
  #decisions = 0

  constructor(policies: ReadonlyMap<string, Policy>, index: PolicyIndex<Policy>) {
    this.policies = policies
    this.index = index
  }

  get size(): number {
    return this.policies.size
  }

  /** A number for the next decision, by which policies that it has seen are told. */
  nextDecision(): number {
    return ++this.#decisions
  }
}

type Slots = TemplateLink['slots']
type CompiledBody = { test: Test; cost: number }

/**
 * @param policies static policies and templates, in the JSON form that the official engine gives. Integers beyond 2^53 are bigint: see `withExactIntegers`.
 * @param links each makes a policy of its own from a template; a template without a link decides nothing
 * @throws CedarError with the policy's id
 */
export function compilePolicies(policies: Iterable<readonly [id: string, PolicyJson]>, links: readonly TemplateLink[] = []): PolicySet {
  const compiled = new Map<string, Policy>()
  const index = new PolicyIndex<Policy>()
  const shared = new SharedTests()
  const templates = new Map<string, { json: PolicyJson; body: CompiledBody }>()
  const refuseTwice = (id: string) => {
    if (compiled.has(id) || templates.has(id)) throw new CedarError('POLICY_DUPLICATE', `There are two policies \`${id}\`.`)
  }
  const add = (id: string, json: PolicyJson, body: CompiledBody, slots: Slots) => {
    refuseTwice(id)
    const [principal, resource] = [scopeOf(json.principal, slots.principal), scopeOf(json.resource, slots.resource)]
    const policy = new Policy(id, json, { principal: principal.type, resource: resource.type }, body)
    compiled.set(id, policy)
    for (const action of actionScopes(json.action)) index.add(policy, principal.key, action, resource.key)
  }
  for (const [id, json] of policies) {
    about(id, () => {
      const body = compileBody(json, shared)
      if (!hasSlot(json)) return add(id, json, body, NO_SLOTS)
      refuseTwice(id)
      templates.set(id, { json, body })
    })
  }
  for (const { id, template, slots } of links) {
    about(id, () => {
      const found = templates.get(template)
      if (!found) throw new CedarError('TEMPLATE_UNKNOWN', `There is no template \`${template}\`.`)
      checkSlots(found.json, slots)
      add(id, found.json, found.body, slots)
    })
  }
  return new PolicySet(compiled, index)
}

const NO_SLOTS: Slots = {}

/** Names the policy in what is thrown. */
function about(id: string, work: () => void): void {
  try {
    work()
  } catch (error) {
    throw error instanceof CedarError ? new CedarError(error.code, `Policy \`${id}\`: ${error.message}`, id) : error
  }
}

function compileBody({ effect, conditions }: PolicyJson, shared: SharedTests): CompiledBody {
  if (effect !== 'permit' && effect !== 'forbid') throw malformed(`the effect is \`permit\` or \`forbid\`, not \`${String(effect)}\``)
  if (!Array.isArray(conditions)) throw malformed('`conditions` is no list')
  let cost = 1
  const tests = conditions.map(({ kind, body }: ConditionJson): Test => {
    if (kind !== 'when' && kind !== 'unless') throw malformed(`a condition is \`when\` or \`unless\`, not \`${String(kind)}\``)
    const { test, size } = compileExpr(body, shared)
    cost += size
    return kind === 'when' ? test : (frame) => !test(frame)
  })
  return { test: every(tests), cost }
}

function every(tests: readonly Test[]): Test {
  const [first, second] = tests
  if (!first) return () => true
  if (!second) return first
  if (tests.length === 2) return (frame) => first(frame) && second(frame)
  return (frame) => tests.every((test) => test(frame))
}

const malformed = (what: string) => new CedarError('POLICY_MALFORMED', `the JSON form is not Cedar's: ${what}.`)

const slotOf = (scope: ScopeJson): string | undefined => {
  const from = scope.op === 'is' ? scope.in : scope
  return from && 'slot' in from ? from.slot : undefined
}

const hasSlot = ({ principal, resource }: PolicyJson) => slotOf(principal) !== undefined || slotOf(resource) !== undefined

function checkSlots({ principal, resource }: PolicyJson, slots: Slots): void {
  for (const [name, scope] of [
    ['principal', principal],
    ['resource', resource],
  ] as const) {
    const wanted = slotOf(scope) !== undefined
    if (wanted && !slots[name]) throw new CedarError('SLOT_UNFILLED', `the slot ?${name} has no value.`)
    if (!wanted && slots[name]) throw new CedarError('SLOT_UNFILLED', `the template has no slot ?${name}.`)
  }
}

/** The key for the index, and the type that is left to check. */
function scopeOf(scope: ScopeJson, slot: EntityUid | undefined): { key: ScopeKey; type?: string } {
  switch (scope.op) {
    case 'All':
      return { key: { op: 'any' } }
    case '==':
    case 'in':
      return { key: { op: scope.op, key: keyIn(scope, slot) } }
    case 'is':
      if (!scope.in) return { key: { op: 'is', type: scope.entity_type } }
      return { key: { op: 'in', key: keyIn(scope.in, slot) }, type: scope.entity_type }
    default:
      throw malformed(`there is no scope \`${String((scope as { op: unknown }).op)}\``)
  }
}

function keyIn(scope: { entity: EntityUidJson } | { slot: string }, slot: EntityUid | undefined): string {
  if ('entity' in scope) return readUid(scope.entity).key
  if (!slot) throw malformed(`the slot ${scope.slot} has no value`)
  return EntityRef.of(slot).key
}

function actionScopes(scope: ActionScopeJson): ScopeKey[] {
  switch (scope.op) {
    case 'All':
      return [{ op: 'any' }]
    case '==':
      return [{ op: '==', key: readUid(scope.entity).key }]
    case 'in':
      return ('entities' in scope ? scope.entities : [scope.entity]).map((uid) => ({ op: 'in', key: readUid(uid).key }))
    default:
      throw malformed(`there is no scope \`${String((scope as { op: unknown }).op)}\` for actions`)
  }
}
