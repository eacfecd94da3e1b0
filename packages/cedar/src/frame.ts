/** What a compiled expression sees of the request that is being decided. */
import { CedarError } from './cedar-error.ts'
import type { Entities, EntityNode } from './entities.ts'
import { EvaluationFailure } from './evaluation-failure.ts'
import type { EntityUid } from './json.ts'
import { CedarSet, RecordSource, weigh } from './values.ts'
import type { EntityRef, Value } from './values.ts'

/** One look at data: a path such as `context.risk.score`, and what was there. */
export type Read = { path: string; value: Value | undefined }

export class Frame {
  readonly principal: EntityRef
  readonly action: EntityRef
  readonly resource: EntityRef
  readonly context: RecordSource
  readonly entities: Entities
  /** What the decision may still cost. */
  steps: number
  /** Where reads are noted, while a decision is explained. */
  reads: Read[] = []

  constructor(
    entities: Entities,
    request: { principal: EntityUid; action: EntityUid; resource: EntityUid; context: RecordSource },
    steps: number,
  ) {
    this.entities = entities
    this.principal = entities.ref(request.principal)
    this.action = entities.ref(request.action)
    this.resource = entities.ref(request.resource)
    this.context = request.context
    this.steps = steps
  }

  charge(steps: number): void {
    this.steps -= steps
    if (this.steps < 0) {
      throw new CedarError('STEPS_EXCEEDED', 'The decision costs more steps than it may. Simplify the policies, or send less data.')
    }
  }

  /** For walking through a value, as comparing it or finding it in a set does. Primitives and references cost nothing of note. */
  chargeFor(value: Value): void {
    if (value instanceof CedarSet || value instanceof RecordSource) this.charge(weigh(value))
  }

  /** The data of an entity. */
  node(ref: EntityRef): EntityNode {
    const node = this.entities.get(ref.key)
    if (!node) throw new EvaluationFailure('ENTITY', `entity \`${ref.text}\` does not exist`)
    return node
  }
}
