/** Entities and contexts by a schema: the plain forms that it allows, and that we accept what the official engine accepts and no more. */
import { describe, expect, test } from 'vitest'
import { schemaJson } from '../test/official.fixture.ts'
import { refusalOf } from './decide.fixture.ts'
import { Datetime, Decimal, EntityRef, checkRequest, createEntities, indexSchema, readContext, readEntities } from './index.ts'
import type { EntityUid, SchemaJson, ValueJson } from './index.ts'

const cedar = await import('@cedar-policy/cedar-wasm/nodejs')

const SCHEMA = `
namespace N {
  type Address = { street: String, "zip code"?: Long };
  entity Group;
  entity User in [Group] = {
    name: String, age?: Long, boss?: User, at?: datetime, net?: ipaddr, cost?: decimal, span?: duration,
    home?: Address, homes?: Set<Address>, friends?: Set<User>, color?: Color
  } tags Set<Long>;
  entity Color enum ["red", "blue"];
  entity Doc in [Folder];
  entity Folder in [Folder];
  action all;
  action view in [all] appliesTo {
    principal: [User, Color], resource: [Doc, Folder],
    context: { n: Long, who?: User, color?: Color, when?: datetime, spans?: Set<duration>, deep?: { a: { ip?: ipaddr } } }
  };
  action rest;
}`
const json = schemaJson(SCHEMA)
const schema = indexSchema(json)
const uid = (type: string, id: string): EntityUid => ({ type: `N::${type}`, id })
const ann = (attrs: object, more: object = {}) => ({ uid: uid('User', 'ann'), parents: [], attrs: { name: 'Ann', ...attrs }, ...more })

function officialAccepts(entities: unknown): boolean {
  return cedar.checkParseEntities({ entities: entities as never, schema: json }).type === 'success'
}

const weAccept = (entities: unknown) => refusalOf(() => createEntities(readEntities(entities, schema))) === 'accepted'

describe('as the official engine, with a schema', () => {
  test.each<[string, unknown[], boolean]>([
    ['only what is required', [ann({})], true],
    ['a required attribute missing', [{ ...ann({}), attrs: {} }], false],
    ['an undeclared attribute', [ann({ more: 1 })], false],
    ['an attribute that every object has', [ann({ constructor: 1 })], false],
    ['a number for text', [ann({ name: 1 })], false],
    ['text for a number', [ann({ age: '1' })], false],
    ['a plain reference', [ann({ boss: uid('User', 'b') })], true],
    ['an explicit reference', [ann({ boss: { __entity: uid('User', 'b') } })], true],
    ['a reference to another type', [ann({ boss: uid('Doc', 'b') })], false],
    ['an id alone', [ann({ boss: 'b' })], false],
    ['plain extensions', [ann({ at: '2024-01-01', net: '::1', cost: '1.0', span: '1h' })], true],
    ['a call without its escape', [ann({ at: { fn: 'offset', args: ['2024-01-01', '1d'] } })], true],
    ['a call of another type', [ann({ at: { __extn: { fn: 'duration', arg: '1d' } } })], false],
    ['a call that fails', [ann({ at: '2024-02-30' })], false],
    ['a number for a decimal', [ann({ cost: 1 })], false],
    ['records', [ann({ home: { street: 's', 'zip code': 1 }, homes: [{ street: 's' }, { street: 't' }] })], true],
    ['a record without a required attribute', [ann({ homes: [{}] })], false],
    ['a record with an undeclared attribute', [ann({ home: { street: 's', town: 't' } })], false],
    ['a set of references', [ann({ friends: [uid('User', 'a'), { __entity: uid('User', 'b') }] })], true],
    ['an empty set', [ann({ friends: [] })], true],
    ['an id that the type lists', [ann({ color: uid('Color', 'red') })], true],
    ['an id that the type does not list', [ann({ color: uid('Color', 'green') })], false],
    ['a parent of an allowed type', [ann({}, { parents: [uid('Group', 'g')] })], true],
    ['a parent of another type', [ann({}, { parents: [uid('Doc', 'g')] })], false],
    ['tags of their type', [ann({}, { tags: { a: [1, 2] } })], true],
    ['tags of another type', [ann({}, { tags: { a: ['x'] } })], false],
    ['tags where there are none', [{ uid: uid('Doc', 'd'), parents: [], attrs: {}, tags: { a: [1] } }], false],
    ['the same entity twice', [ann({ friends: [uid('User', 'a')] }), ann({ friends: [{ __entity: uid('User', 'a') }] })], true],
    ['two versions of an entity', [ann({ age: 1 }), ann({ age: 2 })], false],
    ['an undeclared type', [{ uid: uid('Nobody', 'x'), parents: [], attrs: {} }], false],
    ['an action as it is declared', [{ uid: uid('Action', 'view'), parents: [uid('Action', 'all')], attrs: {} }], true],
    ['an action with other groups', [{ uid: uid('Action', 'rest'), parents: [uid('Action', 'all')], attrs: {} }], false],
    ['an action that there is not', [{ uid: uid('Action', 'none'), parents: [], attrs: {} }], false],
    ['a cycle', [{ uid: uid('Folder', 'f'), parents: [uid('Folder', 'f')], attrs: {} }], false],
    ['no parents', [{ uid: uid('User', 'ann'), attrs: { name: 'x' } }], false],
  ])('%s', (_what, entities, accepted) => {
    expect(officialAccepts(entities)).toBe(accepted)
    expect(weAccept(entities)).toBe(accepted)
  })
})

test('plain forms become what the schema says', () => {
  const [data] = readEntities([ann({ at: '1970-01-02', cost: '1.5', boss: uid('User', 'b') })], schema)
  expect(data?.attrs.get('at')).toEqual(new Datetime(86_400_000))
  expect(data?.attrs.get('cost')).toEqual(new Decimal(15_000))
  expect(data?.attrs.get('boss')).toEqual(new EntityRef('N::User', 'b'))
})

test('without a schema, only what is written out is a reference or an extension', () => {
  const [data] = readEntities([ann({ at: '1970-01-02', boss: { type: 'N::User', id: 'b' } })])
  expect(data?.attrs.get('at')).toBe('1970-01-02')
  expect(data?.attrs.get('boss')).not.toBeInstanceOf(EntityRef)
})

test('the actions of the schema are among the entities, with their groups', () => {
  const entities = createEntities(readEntities([], schema))
  expect(entities.ancestors(uid('Action', 'view')).map(({ id }) => id)).toEqual(['all'])
})

describe('requests', () => {
  const request = { principal: uid('User', 'ann'), action: uid('Action', 'view'), resource: uid('Doc', 'd') }
  const refusal = (context: ValueJson, more: object = {}) => {
    const asked = { ...request, ...more }
    return refusalOf(() => checkRequest(schema, { ...asked, context: readContext(context, schema, asked.action) }))
  }

  test.each<[string, ValueJson, object, string]>([
    ['all is as declared', { n: 1, when: '2024-01-01', spans: ['1h'], deep: { a: { ip: '::1' } }, who: uid('User', 'b') }, {}, 'accepted'],
    ['an attribute is missing', {}, {}, 'VALUE_INVALID'],
    ['an attribute is not declared', { n: 1, m: 1 }, {}, 'VALUE_INVALID'],
    ['an attribute is of another type', { n: '1' }, {}, 'VALUE_TYPE'],
    ['an id is not listed', { n: 1, color: uid('Color', 'green') }, {}, 'ENTITY_INVALID'],
    ['the action takes no such principal', { n: 1 }, { principal: uid('Doc', 'd') }, 'REQUEST_INVALID'],
    ['the action takes no such resource', { n: 1 }, { resource: uid('User', 'd') }, 'REQUEST_INVALID'],
    ['the action applies to nothing', {}, { action: uid('Action', 'rest') }, 'REQUEST_INVALID'],
    ['there is no such action', {}, { action: uid('Action', 'none') }, 'REQUEST_INVALID'],
    ['there is no such type', { n: 1 }, { principal: { type: 'User', id: 'ann' } }, 'REQUEST_INVALID'],
    ['the principal is not listed', { n: 1 }, { principal: uid('Color', 'green') }, 'ENTITY_INVALID'],
  ])('%s', (_what, context, more, code) => {
    expect(refusal(context, more)).toBe(code)
  })
})

describe('schemas', () => {
  const typed = (type: unknown, more: object = {}) => ({
    '': {
      entityTypes: {},
      actions: { a: { appliesTo: { principalTypes: [], resourceTypes: [], context: { type: 'Record', attributes: { x: type } } } } },
      ...more,
    },
  })

  test.each([
    ['a type that there is not', typed({ type: 'Nope' })],
    ['a type that contains itself', typed({ type: 'T' }, { commonTypes: { T: { type: 'Set', element: { type: 'T' } } } })],
    ['a set of nothing', typed({ type: 'Set' })],
    ['an extension that there is not', typed({ type: 'Extension', name: 'money' })],
    ['a namespace that is none', { '': 1 }],
  ])('%s is refused', (_what, broken) => {
    expect(refusalOf(() => indexSchema(broken as unknown as SchemaJson))).toBe('SCHEMA_INVALID')
  })

  test('a name means the nearest type: of the namespace, then of none, then Cedar’s own', () => {
    const text = `type S = String; type decimal = Long; entity Folder;
      namespace N { type T = Long; entity Doc; action a appliesTo { principal: Doc, resource: Doc, context: { t: T, d: Doc, s: S, f: Folder, m: decimal, c: __cedar::decimal } }; }`
    const index = indexSchema(schemaJson(text))
    const [{ context } = { context: undefined }] = index.actions.values()
    expect(Object.fromEntries(Array.from(context?.attributes ?? [], ([name, { type }]) => [name, type]))).toEqual({
      t: { kind: 'long' },
      d: { kind: 'entity', name: 'N::Doc' },
      s: { kind: 'string' },
      f: { kind: 'entity', name: 'Folder' },
      m: { kind: 'long' },
      c: { kind: 'extension', name: 'decimal' },
    })
  })
})
