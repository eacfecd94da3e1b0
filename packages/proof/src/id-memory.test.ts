/** What the verifier remembers of ids is what a set of texts would. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { IdMemory } from './id-memory.ts'

const anId = fc.oneof(
  fc.integer({ min: 0, max: 30 }).map((n) => `dec_${n}`),
  fc.integer({ min: 0, max: 30 }).map((n) => `dec_${n}/outcome`),
  fc.constantFrom('', '/outcome', 'dec_1/outcome/outcome'),
  fc.string(),
)

test('it answers as a set of texts does', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anId, fc.boolean()), { maxLength: 200 }), (ids) => {
      const memory = new IdMemory()
      const all = new Set<string>()
      const decisions = new Set<string>()
      for (const [id, isDecision] of ids) {
        expect(memory.hasDecision(id)).toBe(decisions.has(id))
        expect(memory.add(id, isDecision)).toBe(!all.has(id))
        if (!all.has(id) && isDecision && !id.endsWith('/outcome')) decisions.add(id)
        all.add(id)
      }
    }),
  )
})

test('it holds as many as come', () => {
  const memory = new IdMemory()
  for (let n = 0; n < 50_000; n++) expect(memory.add(`dec_${n}`, n % 2 === 0)).toBe(true)
  for (let n = 0; n < 50_000; n += 997) {
    expect(memory.add(`dec_${n}`, true)).toBe(false)
    expect(memory.hasDecision(`dec_${n}`)).toBe(n % 2 === 0)
  }
  expect(memory.hasDecision('dec_50000')).toBe(false)
})
