/** The schema of a generated world, in Cedar's JSON form: namespaces, common types, groups of actions, tags, listed entities. */
import { ACTIONS, COLOURS, FIELDS, INNER } from './vocabulary.fixture.ts'
import type { Kind } from './vocabulary.fixture.ts'
import type { JsonObject } from './worlds.fixture.ts'

/** The attributes that something has in one world, and which of them it must have. */
export type Shape = Record<string, { kind: Kind; required: boolean }>
export type Shapes = { User: Shape; Group: Shape; 'App::Doc': Shape; context: Shape; tags: Kind | undefined }

/** In different forms of the same, as schemas come. */
const TYPES: Record<Kind, JsonObject> = {
  bool: { type: 'Boolean' },
  long: { type: 'Long' },
  string: { type: 'EntityOrCommon', name: 'String' },
  entity: { type: 'Entity', name: 'User' },
  longs: { type: 'Set', element: { type: 'Long' } },
  strings: { type: 'Words' },
  entities: { type: 'Set', element: { type: 'EntityOrCommon', name: 'User' } },
  record: { type: 'EntityOrCommon', name: 'Fields' },
  decimal: { type: 'Extension', name: 'decimal' },
  ip: { type: 'Extension', name: 'ipaddr' },
  datetime: { type: 'EntityOrCommon', name: 'datetime' },
  duration: { type: 'EntityOrCommon', name: '__cedar::duration' },
}

const recordOf = (attributes: JsonObject): JsonObject => ({ type: 'Record', attributes })
const optional = (all: readonly (readonly [string, Kind])[]) =>
  Object.fromEntries(all.map(([name, kind]) => [name, { ...TYPES[kind], required: false }]))

function shapeOf(shape: Shape): JsonObject {
  return recordOf(Object.fromEntries(Object.entries(shape).map(([name, { kind, required }]) => [name, { ...TYPES[kind], required }])))
}

export function schemaOf({ User, Group, 'App::Doc': Doc, context, tags }: Shapes): JsonObject {
  const tagged = tags === undefined ? {} : { tags: TYPES[tags] }
  const fields = Object.entries(FIELDS).filter((field): field is [string, Kind] => field[1] !== 'inner')
  const appliesTo = { principalTypes: ['User'], resourceTypes: ['App::Doc', 'Group'], context: shapeOf(context) }
  return {
    '': {
      commonTypes: {
        Words: { type: 'Set', element: { type: 'String' } },
        Fields: recordOf({ ...optional(fields), inner: { ...recordOf(optional(Object.entries(INNER))), required: false } }),
      },
      entityTypes: {
        User: { memberOfTypes: ['Group'], shape: shapeOf(User), ...tagged },
        Group: { memberOfTypes: ['Group'], shape: shapeOf(Group) },
        Colour: { enum: COLOURS },
      },
      actions: Object.fromEntries(ACTIONS.map((id) => [id, id === 'all' ? {} : { memberOf: [{ id: 'all' }], appliesTo }])),
    },
    App: { entityTypes: { Doc: { memberOfTypes: ['Group'], shape: shapeOf(Doc), ...tagged } }, actions: {} },
  }
}
