/** A schema in Cedar's JSON form with its names resolved: the types of entities and contexts, and the actions as entities. */
import { CedarError } from './cedar-error.ts'
import type { EntityData } from './entities.ts'
import type { NamespaceJson, SchemaJson, TypeJson } from './json.ts'
import { isObject } from './read-values.ts'
import type { AttributeType, CedarType, RecordType } from './types.ts'
import { EMPTY_RECORD, EntityRef } from './values.ts'

export type EntityType = {
  shape: RecordType
  tags: CedarType | undefined
  /** Types that its entities may have as ancestors, at any distance. */
  ancestors: ReadonlySet<string>
  /** The only ids there are, where they are listed. */
  ids: ReadonlySet<string> | undefined
}

export type ActionType = { ref: EntityRef; principals: ReadonlySet<string>; resources: ReadonlySet<string>; context: RecordType }

export type SchemaIndex = {
  entityTypes: ReadonlyMap<string, EntityType>
  /** By the key of their reference. */
  actions: ReadonlyMap<string, ActionType>
  /** The actions and their groups, with their direct parents. */
  actionEntities: readonly EntityData[]
}

const NOTHING: RecordType = { kind: 'record', attributes: new Map() }
const PRIMITIVES = new Map<string, CedarType>([
  ['Bool', { kind: 'bool' }],
  ['Boolean', { kind: 'bool' }],
  ['Long', { kind: 'long' }],
  ['String', { kind: 'string' }],
  ...(['decimal', 'ipaddr', 'datetime', 'duration'] as const).map((name) => [name, { kind: 'extension', name }] as const),
])

const qualify = (namespace: string, name: string) => (namespace === '' || name.includes('::') ? name : `${namespace}::${name}`)
const invalid = (what: string) => new CedarError('SCHEMA_INVALID', `The schema is not valid: ${what}.`)

/** What a schema names, one by one: it may come from anyone. */
function entriesOf<T>(json: { readonly [name: string]: T } | undefined, what: string): [string, T][] {
  if (json === undefined) return []
  if (isObject(json) && Object.values(json).every(isObject)) return Object.entries(json)
  throw invalid(`${what} are no objects by name`)
}

/** Finds what a name means, from inside a namespace. */
class Names {
  readonly #common = new Map<string, { json: TypeJson; namespace: string }>()
  readonly #entities = new Set<string>()
  readonly #resolved = new Map<string, CedarType>()
  readonly #open = new Set<string>()

  constructor(schema: SchemaJson) {
    for (const [namespace, { commonTypes, entityTypes }] of entriesOf(schema, 'the namespaces')) {
      for (const [name, json] of entriesOf(commonTypes, 'common types')) this.#common.set(qualify(namespace, name), { json, namespace })
      for (const [name] of entriesOf(entityTypes, 'entity types')) this.#entities.add(qualify(namespace, name))
    }
  }

  type(json: TypeJson, namespace: string): CedarType {
    switch (json.type) {
      case 'Set':
        if (!json.element) throw invalid('a Set has no element type')
        return { kind: 'set', element: this.type(json.element, namespace) }
      case 'Record':
        return this.#record(json, namespace)
      case 'Entity':
        return { kind: 'entity', name: this.entity(nameOf(json), namespace) }
      case 'Extension':
        return this.#builtin(nameOf(json)) ?? this.#fail(nameOf(json))
      case 'EntityOrCommon':
        return this.#named(nameOf(json), namespace)
      default:
        return this.#named(json.type, namespace)
    }
  }

  entity(name: string, namespace: string): string {
    return this.#candidates(name, namespace).find((candidate) => this.#entities.has(candidate)) ?? this.#fail(name)
  }

  #named(name: string, namespace: string): CedarType {
    for (const candidate of this.#candidates(name, namespace)) {
      if (this.#common.has(candidate)) return this.#commonType(candidate)
      if (this.#entities.has(candidate)) return { kind: 'entity', name: candidate }
    }
    return this.#builtin(name) ?? this.#fail(name)
  }

  #commonType(name: string): CedarType {
    const done = this.#resolved.get(name)
    if (done) return done
    if (this.#open.has(name)) throw invalid(`the type ${name} contains itself`)
    this.#open.add(name)
    const { json, namespace } = this.#common.get(name) as { json: TypeJson; namespace: string }
    const type = this.type(json, namespace)
    this.#resolved.set(name, type)
    return type
  }

  #record({ attributes }: TypeJson, namespace: string): RecordType {
    const types = entriesOf(attributes, 'attributes').map(([name, json]): [string, AttributeType] => [
      name,
      { type: this.type(json, namespace), required: json.required ?? true },
    ])
    return { kind: 'record', attributes: new Map(types) }
  }

  #builtin(name: string): CedarType | undefined {
    return PRIMITIVES.get(name.replace(/^__cedar::/, ''))
  }

  #candidates(name: string, namespace: string): string[] {
    return namespace === '' || name.includes('::') ? [name] : [`${namespace}::${name}`, name]
  }

  #fail(name: string): never {
    throw invalid(`there is no type ${name}`)
  }
}

function nameOf({ type, name }: TypeJson): string {
  if (name === undefined) throw invalid(`a type ${type} has no name`)
  return name
}

/** A type that stands alone, such as that of a tool's input: only primitives, extensions, sets, records, and entities by full name. */
export function readType(json: TypeJson, schema: SchemaJson = {}): CedarType {
  return new Names(schema).type(json, '')
}

/** @throws CedarError SCHEMA_INVALID */
export function indexSchema(json: SchemaJson): SchemaIndex {
  const names = new Names(json)
  const actions = new Map<string, ActionType>()
  const actionEntities: EntityData[] = []
  for (const [namespace, { actions: declared }] of Object.entries(json)) {
    for (const [id, action] of entriesOf(declared, 'actions')) {
      const ref = new EntityRef(qualify(namespace, 'Action'), id)
      const { principalTypes = [], resourceTypes = [], context } = action.appliesTo ?? {}
      const type = context ? names.type(context, namespace) : NOTHING
      if (type.kind !== 'record') throw invalid(`the context of ${ref.text} is no record`)
      const principals = new Set(principalTypes.map((name) => names.entity(name, namespace)))
      const resources = new Set(resourceTypes.map((name) => names.entity(name, namespace)))
      actions.set(ref.key, { ref, principals, resources, context: type })
      const parents = (action.memberOf ?? []).map((parent) => new EntityRef(qualify(namespace, parent.type ?? 'Action'), parent.id))
      actionEntities.push({ uid: ref, parents, attrs: EMPTY_RECORD })
    }
  }
  return { entityTypes: entityTypesOf(json, names), actions, actionEntities }
}

type Declared = Extract<NamespaceJson['entityTypes'][string], { shape?: TypeJson }>

function entityTypesOf(json: SchemaJson, names: Names): Map<string, EntityType> {
  const types = new Map<string, EntityType>()
  const parents = new Map<string, string[]>()
  for (const [namespace, { entityTypes }] of Object.entries(json)) {
    for (const [short, declared] of entriesOf(entityTypes, 'entity types')) {
      const name = qualify(namespace, short)
      const ids = 'enum' in declared ? new Set(declared.enum) : undefined
      const { memberOfTypes = [], shape, tags } = declared as Declared
      const type = shape ? names.type(shape, namespace) : NOTHING
      if (type.kind !== 'record') throw invalid(`the shape of ${name} is no record`)
      parents.set(
        name,
        memberOfTypes.map((parent) => names.entity(parent, namespace)),
      )
      types.set(name, { shape: type, tags: tags && names.type(tags, namespace), ancestors: new Set(), ids })
    }
  }
  for (const [name, type] of types) {
    const above = new Set(parents.get(name))
    for (const next of above) for (const parent of parents.get(next) ?? []) above.add(parent)
    types.set(name, { ...type, ancestors: above })
  }
  return types
}
