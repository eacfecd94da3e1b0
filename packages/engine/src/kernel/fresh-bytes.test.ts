/** Nonces must never repeat: that is all that keeps AES-GCM safe. */
import { expect, test } from 'vitest'
import { freshBytes } from './fresh-bytes.ts'

test('no bytes are given out twice, across many refills and sizes', () => {
  const seen = new Set<string>()
  for (let i = 0; i < 20_000; i++) seen.add(freshBytes(i % 2 === 0 ? 12 : 32).toString('hex'))
  expect(seen.size).toBe(20_000)
})

test('what was given out is no longer shared', () => {
  const first = freshBytes(12)
  const copy = first.toString('hex')
  for (let i = 0; i < 2000; i++) freshBytes(12).fill(7)
  expect(first.toString('hex')).toBe(copy)
})
