/** Cedar's own JSON forms: policies, expressions, values, entities and schemas. Integers beyond 2^53 come as bigint. */

export type EntityUid = { type: string; id: string }
export type EntityUidJson = EntityUid | { __entity: EntityUid }

export type ValueJson = boolean | number | bigint | string | null | readonly ValueJson[] | { readonly [name: string]: ValueJson }

export type ScopeJson =
  | { op: 'All' }
  | { op: '=='; entity: EntityUidJson }
  | { op: '=='; slot: string }
  | { op: 'in'; entity: EntityUidJson }
  | { op: 'in'; slot: string }
  | { op: 'is'; entity_type: string; in?: { entity: EntityUidJson } | { slot: string } }

export type ActionScopeJson =
  | { op: 'All' }
  | { op: '=='; entity: EntityUidJson }
  | { op: 'in'; entity: EntityUidJson }
  | { op: 'in'; entities: readonly EntityUidJson[] }

/** An object with one key: the operator, or the name of an extension function. `compileExpr` says which there are. */
export type ExprJson = { readonly [operator: string]: unknown }

export type ConditionJson = { kind: 'when' | 'unless'; body: ExprJson }

export type PolicyJson = {
  effect: 'permit' | 'forbid'
  principal: ScopeJson
  action: ActionScopeJson
  resource: ScopeJson
  conditions: readonly ConditionJson[]
  annotations?: { readonly [name: string]: string }
}

export type TemplateLink = { id: string; template: string; slots: { principal?: EntityUid; resource?: EntityUid } }

export type EntityJson = {
  uid: EntityUidJson
  attrs: { readonly [name: string]: ValueJson }
  parents: readonly EntityUidJson[]
  tags?: { readonly [name: string]: ValueJson }
}

/** `type` is a primitive, `Set`, `Record`, `Entity`, `EntityOrCommon`, `Extension`, or the name of a common type. */
export type TypeJson = {
  type: string
  name?: string
  element?: TypeJson
  attributes?: { readonly [name: string]: TypeJson & { required?: boolean } }
}

export type NamespaceJson = {
  commonTypes?: { readonly [name: string]: TypeJson }
  entityTypes: {
    readonly [name: string]: { memberOfTypes?: readonly string[]; shape?: TypeJson; tags?: TypeJson } | { enum: readonly string[] }
  }
  actions: {
    readonly [id: string]: {
      appliesTo?: { principalTypes: readonly string[]; resourceTypes: readonly string[]; context?: TypeJson }
      memberOf?: readonly { id: string; type?: string }[]
    }
  }
}
export type SchemaJson = { readonly [namespace: string]: NamespaceJson }
