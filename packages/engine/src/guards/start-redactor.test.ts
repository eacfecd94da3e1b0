/** Values that are made to be slow, too many, or odd: the redactor stays with its time, and nothing gets past it unexamined. */
import { REDACTION_CATEGORIES } from '@ephor/contract'
import { afterEach, expect, test } from 'vitest'
import type { Json } from '@ephor/engine/kernel'
import { redact, startRedactor } from './index.ts'
import type { Redactor } from './index.ts'

const NUMBER = '531-21-7351'
/** Too long to be examined at once, and nothing to find in it. */
const LONG = 'lorem ipsum '.repeat(2000)

let redactor: Redactor
afterEach(() => redactor.close())

/** The longest that nothing else could run while this did, in ms. */
async function longestPause(work: () => Promise<unknown>): Promise<number> {
  let [longest, last] = [0, performance.now()]
  const tick = () => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }
  const timer = setInterval(tick, 1)
  await work()
  clearInterval(timer)
  tick()
  return longest
}

test('small or large, a value is redacted to the same, whatever its names are', async () => {
  redactor = startRedactor()
  const small: Json = { ['__proto__']: NUMBER, [NUMBER]: [1, null, true, 1.5, { ssn: 531217351 }], text: `a ${NUMBER}` }
  for (const value of [small, { ...small, long: LONG }, [small, LONG]])
    expect(await redactor.redact(value, ['ssn'])).toEqual(redact(value, ['ssn']))
})

test('half a million characters that are slow to examine stop nothing else', async () => {
  redactor = startRedactor()
  const slow = '6 '.repeat(256 * 1024)
  await redactor.redact(LONG, ['ssn'])
  let took = 0
  const pause = await longestPause(async () => {
    const start = performance.now()
    await Promise.all(Array.from({ length: 10 }, () => redactor.redact(slow, REDACTION_CATEGORIES)))
    took = performance.now() - start
  })
  expect(pause).toBeLessThan(took / 4)
})

test('a value that takes too long is withheld, and the next one is examined by a fresh thread', async () => {
  redactor = startRedactor({ timeoutMs: 20 })
  const slow = Array.from({ length: 20 }, () => '6 '.repeat(13_000))
  expect(await redactor.redact(slow, REDACTION_CATEGORIES)).toEqual({
    kind: 'unexaminable',
    detail: 'examining it took longer than 20 ms, or failed',
  })
  const next = () => redactor.redact([LONG, NUMBER], ['ssn'])
  await expect.poll(next, { timeout: 15_000 }).toEqual({ kind: 'redacted', value: [LONG, '[redacted: ssn]'], found: { ssn: 1 } })
})

test('of a flood, as many as may wait are examined and the others withheld at once; none gets through as it was', async () => {
  redactor = startRedactor()
  let withheldBefore = 0
  let isFirst = true
  const all = Array.from({ length: 300 }, async () => {
    const shown = await redactor.redact([LONG, NUMBER], ['ssn'])
    if (shown.kind === 'unexaminable' && isFirst) withheldBefore++
    if (shown.kind === 'redacted') isFirst = false
    return shown
  })
  const shown = await Promise.all(all)
  expect(shown.filter(({ kind }) => kind === 'redacted')).toHaveLength(64)
  expect([withheldBefore, JSON.stringify(shown).includes(NUMBER)]).toEqual([236, false])
  expect(await redactor.redact(NUMBER, ['ssn'])).toMatchObject({ kind: 'redacted' })
  expect(await redactor.redact([LONG, NUMBER], ['ssn'])).toMatchObject({ kind: 'redacted' })
})

test('what waits when everything stops is withheld', async () => {
  redactor = startRedactor()
  const waiting = [1, 2, 3].map(() => redactor.redact([LONG, NUMBER], ['ssn']))
  redactor.close()
  for (const one of waiting) expect(await one).toMatchObject({ kind: 'unexaminable' })
  expect(await redactor.redact([LONG, NUMBER], ['ssn'])).toMatchObject({ kind: 'unexaminable', detail: 'nothing is examined any more' })
})

test('a name of many characters above many numbers takes no long time', () => {
  redactor = startRedactor()
  const value = { ['a'.repeat(250_000)]: Array.from({ length: 25_000 }, () => '123456789') }
  const start = performance.now()
  redact(value, REDACTION_CATEGORIES)
  expect(performance.now() - start).toBeLessThan(5000)
})
