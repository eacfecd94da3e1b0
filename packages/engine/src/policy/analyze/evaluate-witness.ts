/** Puts a request to the engine that decides: what the solver found is believed only when it agrees. */
import { CedarError, compilePolicies, createEntities, evaluate, indexSchema, readContext, readEntities } from '@ephor/cedar'
import type { WorldSchema } from '../make-schema.ts'
import type { Outcome, Subject, Witness } from './types.ts'

/** @returns undefined for a request that the schema refuses, or that costs too much to evaluate */
export function witnessEvaluator(subjects: readonly Subject[], schema: WorldSchema): (witness: Witness) => Outcome | undefined {
  const set = compilePolicies(subjects.map(({ id, json }) => [id, json] as const))
  const index = indexSchema(schema.json)
  return ({ principal, action, resource, context, entities }) => {
    try {
      const store = createEntities(readEntities(entities, index))
      const request = { principal, action, resource, context: readContext(context, index, action) }
      const { permits, forbids, errors } = evaluate(set, store, request)
      return { satisfied: new Set([...permits, ...forbids]), failed: new Set(errors.map(({ policy }) => policy)) }
    } catch (error) {
      if (error instanceof CedarError) return undefined
      throw error
    }
  }
}
