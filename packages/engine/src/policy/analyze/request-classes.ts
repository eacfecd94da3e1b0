/** All requests there can be, in classes that the same policies look at in the same way: each is reasoned about once. */
import type { EntityUidJson, PolicyJson, ScopeJson } from '@ephor/cedar'
import type { ActionInfo, WorldSchema } from '../make-schema.ts'
import { addAssumptions } from './add-assumptions.ts'
import { encodePolicy } from './encode-policy.ts'
import { makeEncoder } from './make-encoder.ts'
import type { Encoder, Namespace } from './make-encoder.ts'
import { canBeIn, recordOf } from './sorts.ts'
import type { Subject } from './types.ts'

/** `satisfied` and `fails`: when each policy is, in the solver's language. */
export type EncodedClass = {
  actions: string[]
  encoder: Encoder
  policies: ReadonlyMap<string, { satisfied: string; fails: string }>
}

const uidOf = (uid: EntityUidJson) => ('__entity' in uid ? uid.__entity : uid)

function coversAction({ action }: PolicyJson, groups: ReadonlySet<string>, id: string): boolean {
  if (action.op === 'All') return true
  if ('entities' in action) return action.entities.some((uid) => groups.has(uidOf(uid).id))
  if (!('entity' in action)) return true
  return action.op === '==' ? uidOf(action.entity).id === id : groups.has(uidOf(action.entity).id)
}

function coversEntity(scope: ScopeJson, type: string, id: string | undefined, in_: Namespace): boolean {
  if (scope.op === 'All') return true
  if (scope.op === 'is') return scope.entity_type === type
  if (!('entity' in scope)) return true
  const uid = uidOf(scope.entity)
  const isIt = uid.type === type && (id === undefined || uid.id === id)
  return isIt || (scope.op === 'in' && canBeIn(in_, type, uid.type))
}

const pauseForOthers = () => new Promise((resolve) => setImmediate(resolve))

export type ClassOptions = {
  subjects: readonly Subject[]
  schema: WorldSchema
  /** Ids of the policies whose asks can be answered. */
  asking: readonly string[]
  until: number
}

/** `cut`: the time was over before every action was looked at. */
export async function requestClasses({
  subjects,
  schema,
  asking,
  until,
}: ClassOptions): Promise<{ classes: EncodedClass[]; cut: readonly string[] }> {
  const namespace = schema.json[''] as Namespace
  const found = new Map<string, EncodedClass>()
  const cut: string[] = []
  for (const info of schema.actions.values()) {
    if (performance.now() > until) {
      cut.push(info.id)
      continue
    }
    await pauseForOthers()
    for (const [principalType, resourceType] of environmentsOf(info, namespace)) {
      const made = encodeClass(info, principalType, resourceType, { subjects, asking, namespace })
      const known = found.get(made.key)
      if (known) known.actions.push(info.id)
      else found.set(made.key, made)
    }
  }
  return { classes: [...found.values()], cut }
}

function environmentsOf({ id }: ActionInfo, namespace: Namespace): [string, string][] {
  const { principalTypes = [], resourceTypes = [] } = namespace.actions[id]?.appliesTo ?? {}
  return principalTypes.flatMap((principal) => resourceTypes.map((resource): [string, string] => [principal, resource]))
}

type Parts = { subjects: readonly Subject[]; asking: readonly string[]; namespace: Namespace }

function encodeClass(info: ActionInfo, principalType: string, resourceType: string, { subjects, asking, namespace }: Parts) {
  const covering = subjects.filter(
    ({ json }) =>
      coversAction(json, info.withGroups, info.id) &&
      coversEntity(json.principal, principalType, undefined, namespace) &&
      coversEntity(json.resource, resourceType, info.server, namespace),
  )
  const context = recordOf(namespace.actions[info.id]?.appliesTo?.context, namespace)
  const encoder = makeEncoder(
    { action: info.id, groups: info.withGroups, principalType, resourceType, resource: info.server, context },
    namespace,
  )
  const policies = new Map(covering.map(({ id, json }) => [id, encodePolicy(encoder, json)]))
  addAssumptions(encoder, asking)
  // The kind decides what some findings say of an action, so actions of two kinds are never one class.
  const key = JSON.stringify([principalType, resourceType, info.groups[0], encoder.fingerprint(), [...policies]])
  return { key, actions: [info.id], encoder, policies }
}
