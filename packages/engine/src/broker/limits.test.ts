/** Rate limits: exact over any window, all or nothing, and given back when nothing was permitted. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { makeLimits } from './limits.ts'

const perMinute = (count: number, policy = 'p') => ({ kind: 'limit' as const, count, per: 'minute' as const, policy })
const perHour = (count: number, policy = 'p') => ({ kind: 'limit' as const, count, per: 'hour' as const, policy })

test('in no window of a minute are more permits than the limit', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20_000), { maxLength: 60 }), fc.integer({ min: 1, max: 5 }), (steps, count) => {
      const limits = makeLimits()
      const granted: number[] = []
      let now = 0
      for (const step of steps) {
        now += step
        if (!limits.reserve('agent', [perMinute(count)], now)) granted.push(now)
      }
      for (const at of granted) expect(granted.filter((other) => other > at - 60_000 && other <= at).length).toBeLessThanOrEqual(count)
    }),
  )
})

test('a refusal says which limit and when it frees', () => {
  const limits = makeLimits()
  expect(limits.reserve('a', [perMinute(1)], 1000)).toBeUndefined()
  expect(limits.reserve('a', [perMinute(1)], 2000)).toEqual({ used: perMinute(1), freeAt: 61_000 })
  expect(limits.reserve('a', [perMinute(1)], 61_000)).toBeUndefined()
})

test('one agent’s calls use up nothing of another’s', () => {
  const limits = makeLimits()
  limits.reserve('a', [perMinute(1)], 0)
  expect(limits.reserve('b', [perMinute(1)], 0)).toBeUndefined()
})

test('of several limits either all are reserved or none', () => {
  const limits = makeLimits()
  limits.reserve('a', [perHour(1, 'q')], 0)
  for (let i = 0; i < 5; i++) expect(limits.reserve('a', [perMinute(1), perHour(1, 'q')], 1)?.used.per).toBe('hour')
  expect(limits.reserve('a', [perMinute(1)], 2)).toBeUndefined()
})

test('a permit that could not be sealed gives its place back', () => {
  const limits = makeLimits()
  limits.reserve('a', [perMinute(1)], 5)
  limits.release('a', [perMinute(1)], 5)
  expect(limits.reserve('a', [perMinute(1)], 6)).toBeUndefined()
})
