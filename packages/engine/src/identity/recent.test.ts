/** The memory of verified tokens is bounded: nobody fills the heap by signing in often. */
import { expect, test } from 'vitest'
import { makeRecent } from './recent.ts'

test('of more than it holds, what was asked for longest ago is forgotten', () => {
  const recent = makeRecent<number>(2)
  recent.set('a', 1)
  recent.set('b', 2)
  expect(recent.get('a')).toBe(1)
  recent.set('c', 3)
  expect([recent.get('a'), recent.get('b'), recent.get('c')]).toEqual([1, undefined, 3])
  recent.delete('a')
  expect(recent.get('a')).toBeUndefined()
})
