/** Generated worlds: a schema or none, entities and requests that fit it, and policies that look at them. */
import fc from 'fast-check'
import type { Arbitrary } from 'fast-check'
import { condition } from './expressions.fixture.ts'
import { schemaOf } from './schemas.fixture.ts'
import type { Shape, Shapes } from './schemas.fixture.ts'
import {
  actionUid,
  ATTRIBUTES,
  COLOURS,
  FIELDS,
  IDS,
  INNER,
  LITERALS,
  long,
  NAMES,
  string,
  TAGS,
  uid,
  uidText,
} from './vocabulary.fixture.ts'
import type { Kind, Uid } from './vocabulary.fixture.ts'

/** JSON as the official engine takes it; a bigint is an integer beyond 2^53. */
export type Json = null | boolean | number | bigint | string | Json[] | JsonObject
export type JsonObject = { [key: string]: Json }

export type Link = { id: string; template: string; slots: { principal?: Uid; resource?: Uid } }
export type Request = { principal: Uid; action: Uid; resource: Uid; context: JsonObject }
export type World = {
  schema: JsonObject | undefined
  policies: Record<string, string>
  templates: Record<string, string>
  links: Link[]
  entities: JsonObject[]
  requests: Request[]
}

const number = (value: bigint): Json => (Number.isSafeInteger(Number(value)) ? Number(value) : value)
const user: Arbitrary<Uid> = fc.record({ type: fc.constant('User'), id: fc.constantFrom(...IDS) })

/** @param typed by a schema: then escapes may be left out, and references are to users */
function value(kind: Kind, typed: boolean): Arbitrary<Json> {
  const reference: Arbitrary<Json> = typed
    ? fc.tuple(user, fc.boolean()).map(([one, plain]) => (plain ? one : { __entity: one }))
    : uid.map((one) => ({ __entity: one }))
  switch (kind) {
    case 'bool':
      return fc.boolean()
    case 'long':
      return long.map(number)
    case 'string':
      return string
    case 'entity':
      return reference
    case 'longs':
      return fc.array(long.map(number), { maxLength: 3 })
    case 'strings':
      return fc.array(string, { maxLength: 3 })
    case 'entities':
      return fc.array(reference, { maxLength: 3 })
    case 'record': {
      const inner = fields(Object.entries(INNER), typed)
      const others = Object.entries(FIELDS).filter((field): field is [string, Kind] => field[1] !== 'inner')
      return fc.tuple(fields(others, typed), fc.option(inner)).map(([outer, more]) => (more ? { ...outer, inner: more } : outer))
    }
    default:
      return fc
        .tuple(fc.constantFrom(...LITERALS[kind].good), fc.boolean())
        .map(([arg, plain]) => (typed && plain ? arg : { __extn: { fn: kind, arg } }))
  }
}

function fields(of: readonly (readonly [string, Kind])[], typed: boolean, requiredKeys: string[] = []): Arbitrary<JsonObject> {
  return fc.record(Object.fromEntries(of.map(([name, kind]) => [name, value(kind, typed)])), { requiredKeys, noNullPrototype: true })
}

const attributes = (shape: Shape, typed: boolean) =>
  fields(
    Object.entries(shape).map(([name, { kind }]) => [name, kind] as const),
    typed,
    Object.keys(shape).filter((name) => shape[name]?.required),
  )

const shape: Arbitrary<Shape> = fc
  .tuple(fc.subarray(NAMES, { minLength: 4, maxLength: 14 }), fc.subarray(NAMES))
  .map(([names, required]) =>
    Object.fromEntries(names.map((name) => [name, { kind: ATTRIBUTES[name] ?? 'long', required: required.includes(name) }])),
  )
const tagKind = fc.option(fc.constantFrom<Kind>('string', 'strings', 'long', 'entity', 'decimal'), { nil: undefined })
const shapes: Arbitrary<Shapes> = fc.record({ User: shape, Group: shape, 'App::Doc': shape, context: shape, tags: tagKind })

function entityOf(one: Uid, of: Shapes, typed: boolean): Arbitrary<JsonObject> {
  if (one.type === 'Colour') return fc.constant({ uid: one, attrs: {}, parents: [] })
  // Groups stand above users and documents, and above groups with a later id: no circles.
  const above = IDS.filter((id) => one.type !== 'Group' || id > one.id).map((id): Uid => ({ type: 'Group', id }))
  const tags =
    of.tags === undefined
      ? fc.constant({})
      : fc.dictionary(fc.constantFrom(...TAGS), value(of.tags, typed), { maxKeys: 3, noNullPrototype: true })
  return fc.record({
    uid: fc.constant(one),
    attrs: attributes(of[one.type as 'User'], typed),
    parents: fc.subarray(above, { maxLength: Math.min(2, above.length) }),
    ...(one.type === 'Group' ? {} : { tags }),
  })
}

const actionEntities: JsonObject[] = [
  { uid: { type: 'Action', id: 'read' }, attrs: {}, parents: [{ type: 'Action', id: 'all' }] },
  { uid: { type: 'Action', id: 'write' }, attrs: {}, parents: [{ type: 'Action', id: 'all' }] },
]

const everyUid: Uid[] = [
  ...['User', 'Group', 'App::Doc'].flatMap((type) => IDS.map((id) => ({ type, id }))),
  ...COLOURS.map((id) => ({ type: 'Colour', id })),
]

function entitiesOf(of: Shapes, typed: boolean): Arbitrary<JsonObject[]> {
  return fc
    .subarray(everyUid, { minLength: 2, maxLength: 6 })
    .chain((uids) => fc.tuple(...uids.map((one) => entityOf(one, of, typed))))
    .map((all) => (typed ? all : [...all, ...actionEntities]))
}

function requestsOf(of: Shapes, typed: boolean, count: number): Arbitrary<Request[]> {
  const one = fc.record({
    principal: typed ? user : uid,
    action: typed ? fc.constantFrom('read', 'write').map((id) => ({ type: 'Action', id })) : actionUid,
    resource: typed ? uid.filter(({ type }) => type === 'App::Doc' || type === 'Group') : uid,
    context: attributes(of.context, typed),
  })
  return fc.array(one, { minLength: count, maxLength: count })
}

function scope(variable: 'principal' | 'resource', slots: boolean): Arbitrary<string> {
  const entity = slots ? fc.constant(`?${variable}`) : uid.map(uidText)
  const type = fc.constantFrom('User', 'Group', 'App::Doc', 'Colour')
  const forms = [
    entity.map((one) => `${variable} == ${one}`),
    entity.map((one) => `${variable} in ${one}`),
    fc.tuple(type, entity).map(([name, one]) => `${variable} is ${name} in ${one}`),
  ]
  return slots
    ? fc.oneof(...forms)
    : fc.oneof(
        { weight: 16, arbitrary: fc.constant(variable) },
        { weight: 1, arbitrary: type.map((name) => `${variable} is ${name}`) },
        ...forms,
      )
}

const actionText = actionUid.map(uidText)
const actionScope = fc.oneof(
  { weight: 12, arbitrary: fc.constant('action') },
  actionText.map((one) => `action == ${one}`),
  actionText.map((one) => `action in ${one}`),
  fc.array(actionText, { maxLength: 2 }).map((all) => `action in [${all.join(', ')}]`),
)

const DEPTHS = [1, 1, 1, 2, 2, 3, 4]

function policy(slots: { principal: boolean; resource: boolean }, effects: readonly string[]): Arbitrary<string> {
  const depth = fc.constantFrom(...DEPTHS)
  const clause = fc.tuple(fc.constantFrom('when', 'when', 'unless'), depth.chain(condition))
  return fc
    .tuple(
      fc.constantFrom(...effects),
      scope('principal', slots.principal),
      actionScope,
      scope('resource', slots.resource),
      fc.array(clause, { maxLength: 2 }),
    )
    .map(([effect, principal, action, resource, conditions]) => {
      const clauses = conditions.map(([word, body]) => ` ${word} { ${body} }`)
      return `${effect}(${principal}, ${action}, ${resource})${clauses.join('')};`
    })
}

type Template = { text: string; principal: boolean; resource: boolean }
const template: Arbitrary<Template> = fc
  .constantFrom({ principal: true, resource: true }, { principal: true, resource: false }, { principal: false, resource: true })
  .chain((slots) => policy(slots, ['permit', 'forbid']).map((text) => ({ ...slots, text })))

const named = <T>(prefix: string, all: readonly T[]) => Object.fromEntries(all.map((one, i) => [`${prefix}${i}`, one]))

function linksOf(templates: readonly Template[]): Arbitrary<Link[]> {
  const one = ({ principal, resource }: Template, i: number) =>
    fc.array(fc.tuple(uid, uid), { maxLength: 2 }).map((pairs) =>
      pairs.map(([first, second], n): Link => ({
        id: `link${i}.${n}`,
        template: `template${i}`,
        slots: { ...(principal ? { principal: first } : {}), ...(resource ? { resource: second } : {}) },
      })),
    )
  return fc.tuple(...templates.map(one)).map((all) => all.flat())
}

/** Where a forbid holds, the engine does not tell which permits do: half of the worlds have none. */
const staticPolicies = fc
  .constantFrom(['permit'], ['permit', 'permit', 'permit', 'forbid'])
  .chain((effects) => fc.array(policy({ principal: false, resource: false }, effects), { minLength: 1, maxLength: 30, size: 'max' }))

/** @param requests how many a world has: each is one case */
export function worlds(requests: number): Arbitrary<World> {
  const rules = fc.tuple(staticPolicies, fc.array(template, { maxLength: 1 }))
  return fc.tuple(shapes, fc.boolean(), rules).chain(([of, typed, [policies, templates]]) =>
    fc.record({
      schema: fc.constant(typed ? schemaOf(of) : undefined),
      policies: fc.constant(named('policy', policies)),
      templates: fc.constant(
        named(
          'template',
          templates.map(({ text }) => text),
        ),
      ),
      links: linksOf(templates),
      entities: entitiesOf(of, typed),
      requests: requestsOf(of, typed, requests),
    }),
  )
}
