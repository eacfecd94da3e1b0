/** Both engines on generated worlds: ours decides as the official one does, with the same reasons and the same errors. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { disagreements } from './compare.fixture.ts'
import { worlds } from './worlds.fixture.ts'

const CASES = 10_000
const REQUESTS = 20

test(`${CASES} generated cases are decided alike`, { timeout: 300_000 }, () => {
  fc.assert(
    fc.property(worlds(REQUESTS), (world) => {
      expect(disagreements(world)).toEqual([])
    }),
    { numRuns: CASES / REQUESTS },
  )
})
