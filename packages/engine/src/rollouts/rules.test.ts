/** The rules of a rollout by themselves: shares, reviews, figures, and the way back. */
import { readCharter } from '@ephor/engine/policy'
import { expect, test } from 'vitest'
import { isCanary } from '../policy/stages.ts'
import { count, judge, kindsOf, lockout, missingReviews, noFigures, p99, sum, versionBefore } from './rules.ts'
import { CHARTER } from './rollouts.fixture.ts'
import type { Effect, Proposal } from './types.ts'

function charterOf(text: string) {
  const read = readCharter(text)
  if ('findings' in read) throw new Error(JSON.stringify(read.findings))
  return read.charter
}

function figuresOf(pairs: [active: Effect, tried: Effect, times: number][], ms = 1) {
  const figures = noFigures()
  for (const [active, tried, times] of pairs) for (let i = 0; i < times; i++) count(figures, { active, tried, ms })
  return figures
}

const brokenBy = (text: string, pairs: [Effect, Effect, number][], ms?: number) =>
  judge(charterOf(text), figuresOf(pairs, ms))
    .filter(({ broken }) => broken)
    .map(({ rule }) => rule)

test('a canary gets about its share of sessions, always the same ones, and more per cent take none away', () => {
  const stage = { version: `sha256:${'0'.repeat(64)}`, mode: 'canary' as const, salt: 'a salt' }
  const sessions = Array.from({ length: 20_000 }, (_, i) => `session ${i}`)
  const at = (percent: number) => sessions.filter((session) => isCanary({ ...stage, percent }, session))
  const [ten, fifty] = [at(10), at(50)]
  expect(ten.length).toBeGreaterThan(1800)
  expect(ten.length).toBeLessThan(2200)
  const half = new Set(fifty)
  expect(ten.every((session) => half.has(session))).toBe(true)
  expect(at(100)).toHaveLength(sessions.length)
  // Another stage draws anew: who was in the last canary is not in every canary.
  const other = sessions.filter((session) => isCanary({ ...stage, salt: 'another', percent: 10 }, session))
  expect(other.filter((session) => ten.includes(session)).length).toBeLessThan(400)
})

test('a version is judged by how it differs on the same calls, not by what the calls are', () => {
  const rules = 'rollout: { rollback: { decisions: 100, holds: 0.1, denials: 0.1 } }'
  // Nine of ten calls were refused before, too.
  expect(
    brokenBy(rules, [
      ['deny', 'deny', 90],
      ['permit', 'permit', 10],
    ]),
  ).toEqual([])
  expect(
    brokenBy(rules, [
      ['permit', 'permit', 89],
      ['permit', 'deny', 11],
    ]),
  ).toEqual(['denials'])
  expect(
    brokenBy(rules, [
      ['permit', 'permit', 89],
      ['permit', 'hold', 11],
    ]),
  ).toEqual(['holds'])
  expect(
    brokenBy(rules, [
      ['permit', 'permit', 90],
      ['permit', 'hold', 10],
    ]),
  ).toEqual([])
})

test('nothing is judged before there is enough to judge', () => {
  const rules = 'rollout: { rollback: { decisions: 100 } }'
  expect(brokenBy(rules, [['permit', 'error', 99]])).toEqual([])
  expect(brokenBy(rules, [['permit', 'error', 100]])).toEqual(['errors'])
  expect(
    brokenBy(rules, [
      ['permit', 'permit', 99],
      ['permit', 'error', 1],
    ]),
  ).toEqual(['errors'])
})

test('holding what was permitted is asking too much, even where as much else is no longer held', () => {
  const pairs: [Effect, Effect, number][] = [
    ['permit', 'hold', 30],
    ['hold', 'permit', 30],
    ['permit', 'permit', 40],
  ]
  expect(brokenBy('rollout: { rollback: { decisions: 100 } }', pairs)).toEqual([])
  expect(brokenBy('rollout: { rollback: { decisions: 100, escalations: 0.25 } }', pairs)).toEqual(['escalations'])
})

test('the slowest hundredth counts', () => {
  const rules = 'rollout: { rollback: { decisions: 100, latency: 10 } }'
  expect(brokenBy(rules, [['permit', 'permit', 200]], 9)).toEqual([])
  expect(brokenBy(rules, [['permit', 'permit', 200]], 11)).toEqual(['latency'])
  const figures = figuresOf([['permit', 'permit', 99]], 0.3)
  count(figures, { active: 'permit', tried: 'permit', ms: 900 })
  expect(p99(figures)).toBe(0.5)
  count(figures, { active: 'permit', tried: 'permit', ms: 900 })
  expect(p99(figures)).toBe(1000)
  expect(p99(noFigures())).toBeUndefined()
})

test('sums of figures can be taken apart again', () => {
  const [a, b] = [figuresOf([['permit', 'hold', 3]]), figuresOf([['deny', 'error', 2]], 40)]
  expect(sum(sum(a, b, 1), b, -1)).toEqual(a)
})

test('what a change needs is what it changes, tests being a part of the policies', () => {
  const base = { 'p.cedar': 'a', 'charter.yaml': 'b', 'p.test.yaml': 'c' }
  expect(kindsOf(base, { ...base, 'p.cedar': 'x' })).toEqual(['policy'])
  expect(kindsOf(base, { 'p.cedar': 'a', 'charter.yaml': 'b' })).toEqual(['policy'])
  expect(kindsOf(base, { 'p.cedar': 'a', 'p.test.yaml': 'c' })).toEqual(['charter'])
  expect(kindsOf(base, {})).toEqual(['policy', 'charter'])
})

test('reviews count for who is named now, each person once, and only for the version that was seen', () => {
  const charter = charterOf(CHARTER.replaceAll('reviewers: 1', 'reviewers: 2'))
  const person = (id: string, ...groups: string[]) => ({ id, groups, operator: false })
  const people = [person('per_a', 'security'), person('per_b', 'security'), person('per_c')]
  const proposal = { author: 'per_x', version: 'v', changes: ['policy'] } as unknown as Proposal
  const review = (by: string, version = 'v', verdict: 'approve' | 'reject' = 'approve') => ({ person: by, verdict, version })
  const missing = (...reviews: ReturnType<typeof review>[]) => missingReviews(charter, proposal, reviews, people).length
  expect(missing(review('per_a'), review('per_b'))).toBe(0)
  expect(missing(review('per_a'), review('per_a'))).toBe(1)
  expect(missing(review('per_a'), review('per_c'))).toBe(1)
  expect(missing(review('per_a'), review('per_b', 'other'))).toBe(1)
  expect(missing(review('per_a'), review('per_b', 'v', 'reject'))).toBe(1)
  expect(missingReviews(charter, { ...proposal, author: 'per_a' }, [review('per_a'), review('per_b')], people)).toHaveLength(1)
  expect(missingReviews(charter, { ...proposal, author: 'folder' }, [review('per_a'), review('per_b')], people)).toHaveLength(1)
})

test('a charter under which nobody could change anything any more is found out', () => {
  const people = ['per_a', 'per_b'].map((id) => ({ id, groups: ['security', 'board'], operator: false }))
  expect(lockout(charterOf(CHARTER), [...people, { id: 'per_c', groups: [], operator: false }])).toBeUndefined()
  expect(lockout(charterOf(CHARTER), people)).toContain('charter')
  expect(lockout(charterOf(CHARTER.replaceAll('group:security', 'group:nobody')), people)).toContain('group:nobody')
  expect(lockout(charterOf(''), [])).toBeUndefined()
})

test('the way back leads past what was rolled back already', () => {
  expect(versionBefore(['a'])).toBeUndefined()
  expect(versionBefore(['a', 'b', 'c'])).toBe('b')
  expect(versionBefore(['a', 'b', 'c', 'b'])).toBe('a')
  expect(versionBefore(['a', 'b', 'c', 'b', 'c'])).toBe('b')
})
