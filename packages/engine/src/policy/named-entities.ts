/** The entities that a policy names, in its scope and in its conditions: whether they exist is ours to check. */
import type { EntityUid, EntityUidJson, PolicyJson } from '@ephor/cedar'

const uidOf = (uid: EntityUidJson): EntityUid => ('__entity' in uid ? uid.__entity : uid)

/** `{Value: …}` holds a literal; what a record literal calls its attributes is the author's, and could be spelt like it. */
function addLiterals(node: unknown, found: EntityUid[]): void {
  if (typeof node !== 'object' || node === null) return
  if (Array.isArray(node)) for (const inner of node) addLiterals(inner, found)
  else if ('__entity' in node) found.push(node.__entity as EntityUid)
  else if ('Record' in node) for (const inner of Object.values(node.Record as object)) addLiterals(inner, found)
  else for (const inner of Object.values(node)) addLiterals(inner, found)
}

export function namedEntities({ principal, resource, conditions }: PolicyJson): EntityUid[] {
  const found: EntityUid[] = []
  for (const scope of [principal, resource]) {
    if ('entity' in scope) found.push(uidOf(scope.entity))
    else if (scope.op === 'is' && scope.in && 'entity' in scope.in) found.push(uidOf(scope.in.entity))
  }
  addLiterals(
    conditions.map(({ body }) => body),
    found,
  )
  return found
}
