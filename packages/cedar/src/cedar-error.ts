/** What this package throws: input that it refuses, limits that were met. A policy that fails in itself is no throw but part of the answer. */

export type CedarErrorCode =
  | 'POLICY_MALFORMED'
  | 'POLICY_TOO_DEEP'
  | 'POLICY_TOO_LARGE'
  | 'POLICY_DUPLICATE'
  | 'TEMPLATE_UNKNOWN'
  | 'SLOT_UNFILLED'
  | 'INTEGER_INVALID'
  | 'STRING_MALFORMED'
  | 'VALUE_INVALID'
  | 'VALUE_UNKNOWN'
  | 'VALUE_TYPE'
  | 'VALUE_TOO_DEEP'
  | 'VALUE_TOO_LARGE'
  | 'ENTITY_INVALID'
  | 'ENTITY_DUPLICATE'
  | 'ENTITY_CYCLE'
  | 'ENTITIES_TOO_MANY'
  | 'ANCESTORS_TOO_MANY'
  | 'SCHEMA_INVALID'
  | 'REQUEST_INVALID'
  | 'STEPS_EXCEEDED'

export class CedarError extends Error {
  readonly code: CedarErrorCode
  /** The policy that it is about, where there is one. */
  readonly policy: string | undefined

  constructor(code: CedarErrorCode, message: string, policy?: string) {
    super(message)
    this.name = 'CedarError'
    this.code = code
    this.policy = policy
  }
}

/** What is accepted at most. Each has its own code, so that whoever meets it knows which. */
export const LIMITS = {
  /** Nested expressions of a policy; a chain of `&&`, `||` or `has a.b.c` counts as one. */
  policyDepth: 400,
  /** Expressions and values of one policy. */
  policySize: 50_000,
  /** Nested records and sets of a value. */
  valueDepth: 100,
  /** Values within one context, or the attributes and tags of one entity. */
  valueSize: 100_000,
  entities: 1_000_000,
  /** Ancestors of one entity. */
  ancestors: 10_000,
  /** What one decision may cost, in expressions, compared elements and matched characters. */
  steps: 1_000_000,
} as const
