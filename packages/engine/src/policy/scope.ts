/** Whether a policy's scope (who, what, on what) covers a request: exact, without looking at its conditions. */
import type { ActionConstraint, EntityUidJson, PrincipalConstraint, ResourceConstraint } from '@cedar-policy/cedar-wasm/nodejs'
import type { EntityId } from './references.ts'

export type Scope = { principal: PrincipalConstraint; action: ActionConstraint; resource: ResourceConstraint }

export const uidOf = (uid: EntityUidJson): EntityId => ('__entity' in uid ? uid.__entity : uid)

/** Agents and tool servers have no parents: to be in an entity is to be that entity. */
function coversEntity(constraint: PrincipalConstraint | ResourceConstraint, entity: EntityId): boolean {
  const same = (uid: EntityUidJson) => uidOf(uid).type === entity.type && uidOf(uid).id === entity.id
  if (constraint.op === 'All') return true
  if (constraint.op === 'is') {
    if (constraint.entity_type !== entity.type) return false
    return constraint.in === undefined || !('entity' in constraint.in) || same(constraint.in.entity)
  }
  // A template's slot: templates are refused at load; were one here, it could cover anything.
  return !('entity' in constraint) || same(constraint.entity)
}

type Action = {
  id: string
  /** The action itself and the groups that it is in. */
  withGroups: ReadonlySet<string>
}

function coversAction(constraint: ActionConstraint, action: Action): boolean {
  if (constraint.op === 'All') return true
  if ('entities' in constraint) return constraint.entities.some((uid) => action.withGroups.has(uidOf(uid).id))
  if (!('entity' in constraint)) return true
  const { id } = uidOf(constraint.entity)
  return constraint.op === '==' ? id === action.id : action.withGroups.has(id)
}

export function covers(scope: Scope, principal: EntityId, action: Action, resource: EntityId): boolean {
  return coversAction(scope.action, action) && coversEntity(scope.principal, principal) && coversEntity(scope.resource, resource)
}
