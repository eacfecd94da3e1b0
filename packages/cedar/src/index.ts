/** Cedar, compiled: policies in, decisions out, without input or output of its own. */
export { CedarError, LIMITS } from './cedar-error.ts'
export type { CedarErrorCode } from './cedar-error.ts'
export { PolicySet, compilePolicies } from './compile-policies.ts'
export { Datetime, Duration } from './datetime.ts'
export { Decimal } from './decimal.ts'
export { Entities, createEntities } from './entities.ts'
export type { EntityData } from './entities.ts'
export { covering, evaluate } from './evaluate.ts'
export type { CedarRequest, EvaluateOptions, Evaluation, PolicyFailure } from './evaluate.ts'
export { withExactIntegers } from './exact-integers.ts'
export { explain } from './explain.ts'
export type { ConditionExplained, Explanation, PolicyExplained } from './explain.ts'
export { Ip } from './ip.ts'
export type {
  ActionScopeJson,
  ConditionJson,
  EntityJson,
  EntityUid,
  EntityUidJson,
  ExprJson,
  PolicyJson,
  SchemaJson,
  ScopeJson,
  TemplateLink,
  TypeJson,
  ValueJson,
} from './json.ts'
export { checkRequest, readContext, readEntities } from './read-entities.ts'
export { readValue } from './read-values.ts'
export { indexSchema, readType } from './schema-index.ts'
export type { SchemaIndex } from './schema-index.ts'
export { toJson } from './to-json.ts'
export { typedRecord } from './typed-record.ts'
export type { CedarType, RecordType } from './types.ts'
export { CedarSet, EntityRef, RecordSource, recordOf } from './values.ts'
export type { Value } from './values.ts'
