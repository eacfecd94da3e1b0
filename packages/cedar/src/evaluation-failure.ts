/** A policy's own failure: it is skipped and reported. No Error, since taking a stack would cost more than the decision. */
import type { Value } from './values.ts'
import { describe } from './values.ts'

export type FailureCode = 'TYPE' | 'ATTRIBUTE' | 'TAG' | 'ENTITY' | 'OVERFLOW' | 'EXTENSION' | 'ARGUMENTS'

export class EvaluationFailure {
  readonly code: FailureCode
  readonly message: string

  constructor(code: FailureCode, message: string) {
    this.code = code
    this.message = message
  }
}

export function typeFailure(expected: string, got: Value): EvaluationFailure {
  return new EvaluationFailure('TYPE', `type error: expected ${expected}, got ${describe(got)}`)
}

export function overflow(what: string): EvaluationFailure {
  return new EvaluationFailure('OVERFLOW', `integer overflow while attempting to ${what}`)
}
