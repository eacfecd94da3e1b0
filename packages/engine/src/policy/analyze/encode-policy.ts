/** A policy for the solver, within one class of requests: when it is satisfied, and when it can't be evaluated. */
import type { EntityUidJson, PolicyJson, ScopeJson } from '@ephor/cedar'
import { encodeBool } from './encode-expression.ts'
import type { Encoder, Term } from './make-encoder.ts'
import { and, eq, not, or, text } from './smt.ts'

type Entity = Extract<Term, { kind: 'entity' }>
const uidOf = (uid: EntityUidJson) => ('__entity' in uid ? uid.__entity : uid)

function scopeOf(encoder: Encoder, constraint: ScopeJson, of: Term, slot: string): string {
  const entity = of as Entity
  if (constraint.op === 'All') return 'true'
  if (constraint.op === 'is') {
    if (constraint.entity_type !== entity.type) return 'false'
    return constraint.in === undefined ? 'true' : scopeOf(encoder, { op: 'in', ...constraint.in }, of, slot)
  }
  const uid = 'entity' in constraint ? uidOf(constraint.entity) : undefined
  const id = uid && text(uid.id)
  if (!uid || id === undefined) return encoder.anything(`scope ${slot} ${JSON.stringify(constraint)}`, 'Bool')
  const target: Entity = { kind: 'entity', type: uid.type, smt: id }
  if (constraint.op === 'in') return encoder.isIn(entity, target)
  return entity.type === target.type ? eq(entity.smt, target.smt) : 'false'
}

/** The policy's action scope covers the class already. */
export function encodePolicy(encoder: Encoder, { principal, resource, conditions }: PolicyJson): { satisfied: string; fails: string } {
  let satisfied = and(scopeOf(encoder, principal, encoder.principal, 'principal'), scopeOf(encoder, resource, encoder.resource, 'resource'))
  let fails = 'false'
  for (const { kind, body } of conditions) {
    if (satisfied === 'false') break
    const { value, err } = encodeBool(encoder, body)
    fails = encoder.named(or(fails, and(satisfied, err)), 'Bool')
    satisfied = encoder.named(and(satisfied, not(err), kind === 'when' ? value : not(value)), 'Bool')
  }
  return { satisfied, fails }
}
