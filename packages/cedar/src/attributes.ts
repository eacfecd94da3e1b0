/** Attributes of records and entities: to read one, and to ask whether it is there. */
import { EvaluationFailure, typeFailure } from './evaluation-failure.ts'
import type { Frame } from './frame.ts'
import { EntityRef, RecordSource } from './values.ts'
import type { Value } from './values.ts'

export function attributeOf(frame: Frame, from: Value, name: string): Value {
  const value = attributesOf(frame, from)?.get(name)
  if (value !== undefined) return value
  if (from instanceof EntityRef) {
    frame.node(from)
    throw new EvaluationFailure('ATTRIBUTE', `\`${from.text}\` does not have the attribute \`${name}\``)
  }
  throw new EvaluationFailure('ATTRIBUTE', `record does not have the attribute \`${name}\``)
}

export function hasAttribute(frame: Frame, from: Value, name: string): boolean {
  return attributesOf(frame, from)?.has(name) === true
}

/** Undefined for an entity that is not known. */
function attributesOf(frame: Frame, from: Value): RecordSource | undefined {
  if (from instanceof RecordSource) return from
  if (from instanceof EntityRef) return frame.entities.get(from.key)?.attrs
  throw typeFailure('one of [record, (entity of type `any_entity_type`)]', from)
}
