/** The store of entities: ancestors, changes one at a time, and what it refuses. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { group, outcome, refusalOf, user } from './decide.fixture.ts'
import { createEntities, recordOf } from './index.ts'
import type { Entities, EntityData, EntityUid } from './index.ts'

const entity = (uid: EntityUid, ...parents: EntityUid[]): EntityData => ({ uid, parents, attrs: recordOf([]) })
const above = (entities: Entities, uid: EntityUid) =>
  entities
    .ancestors(uid)
    .map(({ id }) => id)
    .sort()

test('ancestors are found whatever the order of loading', () => {
  const entities = createEntities([entity(user('ann'), group('a')), entity(group('b'), group('c')), entity(group('a'), group('b'))])
  expect(above(entities, user('ann'))).toEqual(['a', 'b', 'c'])
  expect(entities.size).toBe(3)
})

test('an entity that is only named as a parent is an ancestor, but is not known', () => {
  const entities = createEntities([entity(user('ann'), group('a'))])
  expect(entities.has(group('a'))).toBe(false)
  expect(above(entities, user('ann'))).toEqual(['a'])
})

test('a change reaches the descendants', () => {
  const entities = createEntities([entity(user('ann'), group('a')), entity(group('a'))])
  entities.upsert(entity(group('a'), group('b')))
  expect(above(entities, user('ann'))).toEqual(['a', 'b'])
  entities.upsert(entity(group('b'), group('c')))
  expect(above(entities, user('ann'))).toEqual(['a', 'b', 'c'])
  entities.upsert(entity(group('a')))
  expect(above(entities, user('ann'))).toEqual(['a'])
})

test('a removed entity is no ancestor, and nothing is reached through it', () => {
  const entities = createEntities([entity(user('ann'), group('a'), group('x')), entity(group('a'), group('b')), entity(group('x'))])
  expect(entities.remove(group('a'))).toBe(true)
  expect(above(entities, user('ann'))).toEqual(['x'])
  expect(entities.remove(group('a'))).toBe(false)
  entities.upsert(entity(group('a'), group('b')))
  expect(above(entities, user('ann'))).toEqual(['x'])
})

test('a cycle is refused, and leaves everything as it was', () => {
  const entities = createEntities([entity(user('ann'), group('a')), entity(group('a'), group('b'))])
  expect(refusalOf(() => entities.upsert(entity(group('b'), user('ann'))))).toBe('ENTITY_CYCLE')
  expect(refusalOf(() => entities.upsert(entity(group('b'), group('b'))))).toBe('ENTITY_CYCLE')
  expect(above(entities, user('ann'))).toEqual(['a', 'b'])
  expect(entities.has(group('b'))).toBe(false)
  expect(refusalOf(() => createEntities([entity(group('a'), group('b')), entity(group('b'), group('a'))]))).toBe('ENTITY_CYCLE')
})

test('too many ancestors are refused, and leave everything as it was', () => {
  const entities = createEntities([entity(user('ann'), group('a'))])
  const many = Array.from({ length: 10_001 }, (_, i) => group(`g${i}`))
  expect(refusalOf(() => entities.upsert(entity(group('a'), ...many)))).toBe('ANCESTORS_TOO_MANY')
  expect(above(entities, user('ann'))).toEqual(['a'])
  expect(refusalOf(() => entities.upsert(entity(user('bob'), ...many)))).toBe('ANCESTORS_TOO_MANY')
  expect(entities.has(user('bob'))).toBe(false)
})

test('a long chain is no deep recursion', () => {
  const chain = Array.from({ length: 2000 }, (_, i) => entity(group(String(i)), group(String(i + 1))))
  expect(createEntities(chain).ancestors(group('0'))).toHaveLength(2000)
})

test('names that objects have anyway are names like any other', () => {
  const entities = createEntities([entity({ type: 'constructor', id: '__proto__' }, { type: '__proto__', id: 'constructor' })])
  expect(above(entities, { type: 'constructor', id: '__proto__' })).toEqual(['constructor'])
  expect(entities.has({ type: 'toString', id: 'x' })).toBe(false)
  const json = JSON.parse('[{"uid":{"type":"User","id":"ann"},"parents":[],"attrs":{"__proto__":{"admin":true}},"tags":{"constructor":1}}]')
  expect(outcome('principal has admin', {}, json)).toBe(false)
  expect(outcome('principal["__proto__"].admin && principal.getTag("constructor") == 1', {}, json)).toBe(true)
  expect(outcome('principal has toString || principal.hasTag("toString") || context has constructor', {}, json)).toBe(false)
})

test('after any changes, the store is as one that was loaded so', () => {
  const id = fc.integer({ min: 0, max: 7 })
  const change = fc.record({ id, parents: fc.uniqueArray(id, { maxLength: 3 }), remove: fc.boolean() })
  const law = fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
    const entities = createEntities()
    const model = new Map<number, number[]>()
    for (const { id, parents, remove } of changes) {
      const uid = group(String(id))
      if (remove) {
        entities.remove(uid)
        if (model.delete(id))
          for (const [child, its] of model)
            model.set(
              child,
              its.filter((parent) => parent !== id),
            )
      } else if (refusalOf(() => entities.upsert(entity(uid, ...parents.map((parent) => group(String(parent)))))) === 'accepted') {
        model.set(id, parents)
      }
    }
    const fresh = createEntities(
      [...model].map(([id, parents]) => entity(group(String(id)), ...parents.map((parent) => group(String(parent))))),
    )
    expect(entities.size).toBe(fresh.size)
    for (const uid of fresh.uids()) expect(above(entities, uid)).toEqual(above(fresh, uid))
  })
  fc.assert(law, { numRuns: 500 })
})
