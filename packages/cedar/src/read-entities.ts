/** Entities and contexts in Cedar's JSON form to data; with a schema, only what conforms to it. */
import { CedarError } from './cedar-error.ts'
import type { EntityData } from './entities.ts'
import type { EntityUid } from './json.ts'
import { checkType, isObject, readRecord, readUid, readValue } from './read-values.ts'
import type { ActionType, EntityType, SchemaIndex } from './schema-index.ts'
import type { CedarType } from './types.ts'
import { CedarSet, EMPTY_RECORD, EntityRef, RecordSource, describe, equal } from './values.ts'
import type { Value } from './values.ts'

/** With a schema, its actions are among the entities. @throws CedarError */
export function readEntities(json: unknown, schema?: SchemaIndex): EntityData[] {
  if (!Array.isArray(json)) throw new CedarError('ENTITY_INVALID', 'Entities come as a list.')
  const byKey = new Map<string, EntityData>()
  for (const item of json) {
    const data = readEntity(item, schema)
    const { key } = EntityRef.of(data.uid)
    const former = byKey.get(key)
    if (former && !same(former, data))
      throw new CedarError('ENTITY_DUPLICATE', `${EntityRef.of(data.uid).text} is there twice, and differs.`)
    byKey.set(key, data)
  }
  if (!schema) return [...byKey.values()]
  const declared = new Map(schema.actionEntities.map((data) => [EntityRef.of(data.uid).key, data]))
  for (const data of byKey.values()) if (isAction(data.uid)) conformAction(data, byKey, declared)
  return [...new Map([...byKey, ...declared]).values()]
}

/** Typed by the action where there is a schema. @throws CedarError */
export function readContext(json: unknown, schema?: SchemaIndex, action?: EntityUid): RecordSource {
  const context = readValue(json, schema && action ? actionOf(schema, action).context : undefined, 'context')
  if (context instanceof RecordSource) return context
  throw new CedarError('VALUE_TYPE', `context: record is expected, got ${describe(context)}.`)
}

/** Whether the schema allows the request: its action, the types of principal and resource, and its context. @throws CedarError REQUEST_INVALID */
export function checkRequest(
  schema: SchemaIndex,
  request: { principal: EntityUid; action: EntityUid; resource: EntityUid; context: RecordSource },
): void {
  for (const uid of [request.principal, request.resource]) {
    if (!schema.entityTypes.has(uid.type)) throw refused(`the type of ${EntityRef.of(uid).text} is not declared`)
    checkUids(EntityRef.of(uid), schema)
  }
  const action = actionOf(schema, request.action)
  if (!action.principals.has(request.principal.type))
    throw refused(`${action.ref.text} takes no principal of type ${request.principal.type}`)
  if (!action.resources.has(request.resource.type)) throw refused(`${action.ref.text} takes no resource of type ${request.resource.type}`)
  checkType(request.context, action.context, 'context')
  checkUids(request.context, schema)
}

const refused = (what: string) => new CedarError('REQUEST_INVALID', `The request is not valid: ${what}.`)

function actionOf(schema: SchemaIndex, uid: EntityUid): ActionType {
  const ref = EntityRef.of(uid)
  const action = schema.actions.get(ref.key)
  if (!action) throw refused(`the action ${ref.text} is not declared`)
  return action
}

function isAction({ type }: EntityUid): boolean {
  return type === 'Action' || type.endsWith('::Action')
}

function readEntity(json: unknown, schema: SchemaIndex | undefined): EntityData {
  if (!isObject(json)) throw new CedarError('ENTITY_INVALID', 'An entity is an object with uid, attrs and parents.')
  const { uid: uidJson, attrs: attrsJson, parents: parentsJson, tags: tagsJson = {} } = json
  const uid = readUid(uidJson)
  if (!Array.isArray(parentsJson)) throw new CedarError('ENTITY_INVALID', `${uid.text} has no list of parents.`)
  const parents = parentsJson.map((parent) => readUid(parent))
  if (isAction(uid) && !parents.every(isAction)) throw new CedarError('ENTITY_INVALID', `${uid.text} has a parent that is no action.`)
  const type = schema && !isAction(uid) ? typeOf(uid, schema) : undefined
  const attrs = readRecord(attrsJson, type?.shape, uid.text)
  const tags = type ? readTags(tagsJson, type, uid) : readRecord(tagsJson, undefined, `${uid.text} tags`)
  const data: EntityData = { uid, parents, attrs, tags }
  if (schema && type) conform(data, type, schema)
  return data
}

function typeOf(uid: EntityRef, schema: SchemaIndex): EntityType {
  const type = schema.entityTypes.get(uid.type)
  if (!type) throw new CedarError('ENTITY_INVALID', `The type of ${uid.text} is not declared.`)
  return type
}

function readTags(json: unknown, type: EntityType, uid: EntityRef): RecordSource {
  const names = isObject(json) ? Object.keys(json) : []
  if (names.length > 0 && !type.tags) throw new CedarError('ENTITY_INVALID', `The type of ${uid.text} has no tags.`)
  const attributes = new Map(names.map((name) => [name, { type: type.tags as CedarType, required: false }]))
  return readRecord(json, { kind: 'record', attributes }, `${uid.text} tags`)
}

function conform({ uid, attrs, tags = EMPTY_RECORD, parents }: EntityData, type: EntityType, schema: SchemaIndex): void {
  const ref = EntityRef.of(uid)
  checkUids(ref, schema)
  checkType(attrs, type.shape, ref.text)
  checkUids(attrs, schema)
  for (const name of tags.keys()) checkType(tags.get(name) as Value, type.tags as CedarType, `${ref.text} tag ${name}`)
  checkUids(tags, schema)
  // What its ancestors may have as ancestors, it may have too: so its own parents are enough.
  for (const parent of parents) {
    if (!type.ancestors.has(parent.type)) throw new CedarError('ENTITY_INVALID', `${ref.text} may not be in ${EntityRef.of(parent).text}.`)
    checkUids(EntityRef.of(parent), schema)
  }
}

/** An action among the entities has to be the one that the schema declares. */
function conformAction({ uid, attrs, tags = EMPTY_RECORD }: EntityData, given: Lineage, declared: Lineage): void {
  const { key } = EntityRef.of(uid)
  const differs =
    !declared.has(key) ||
    !equal(attrs, EMPTY_RECORD) ||
    !equal(tags, EMPTY_RECORD) ||
    lineOf(key, given).symmetricDifference(lineOf(key, declared)).size > 0
  if (differs) throw new CedarError('ENTITY_INVALID', `${EntityRef.of(uid).text} is not as the schema declares it.`)
}

type Lineage = ReadonlyMap<string, EntityData>

function lineOf(key: string, entities: Lineage): Set<string> {
  const found = new Set<string>()
  const add = (of: string) => entities.get(of)?.parents.forEach((parent) => found.add(EntityRef.of(parent).key))
  add(key)
  for (const next of found) add(next)
  return found
}

function checkUids(value: Value, schema: SchemaIndex): void {
  if (value instanceof EntityRef) {
    const ids = schema.entityTypes.get(value.type)?.ids
    if (ids && !ids.has(value.id)) throw new CedarError('ENTITY_INVALID', `${value.text} is none of the entities that its type lists.`)
    if (isAction(value) && !schema.actions.has(value.key)) throw new CedarError('ENTITY_INVALID', `${value.text} is not declared.`)
  } else if (value instanceof CedarSet) {
    for (const element of value) checkUids(element, schema)
  } else if (value instanceof RecordSource) {
    for (const name of value.keys()) checkUids(value.get(name) as Value, schema)
  }
}

function same(a: EntityData, b: EntityData): boolean {
  const keys = (data: EntityData) => new Set(data.parents.map((parent) => EntityRef.of(parent).key))
  return equal(a.attrs, b.attrs) && equal(a.tags ?? EMPTY_RECORD, b.tags ?? EMPTY_RECORD) && keys(a).symmetricDifference(keys(b)).size === 0
}
