/** Running an action: however it ends, the broker says only what it knows. */
import { Fault } from '@ephor/contract'
import { expect, test } from 'vitest'
import { runBounded } from './run-bounded.ts'
import type { Permitted, Run } from './types.ts'

const permit = (timeoutMs: number) => ({ decision: 'dec_1', timeoutMs }) as Permitted
const never = new AbortController().signal
const forever: Run = (_, signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))))

test('an answer is an answer, also one that says it failed', async () => {
  expect(await runBounded(permit(1000), async () => ({ isError: false, value: 1 }), never)).toEqual({
    status: 'succeeded',
    isError: false,
    value: 1,
  })
  expect(await runBounded(permit(1000), async () => ({ isError: true, value: 'no' }), never)).toEqual({
    status: 'failed',
    isError: true,
    value: 'no',
  })
})

test('no answer in time is unknown, not failed', async () => {
  expect(await runBounded(permit(20), forever, never)).toMatchObject({ status: 'unknown', fault: 'UPSTREAM_TIMEOUT' })
})

test('a runner that ignores its signal is left behind', async () => {
  expect(await runBounded(permit(20), () => new Promise(() => {}), never)).toMatchObject({ status: 'unknown', fault: 'UPSTREAM_TIMEOUT' })
})

test('a cancelled call that had begun is unknown; one that had not did not happen', async () => {
  const abort = new AbortController()
  const running = runBounded(permit(1000), forever, abort.signal)
  abort.abort()
  expect(await running).toMatchObject({ status: 'unknown', fault: 'CALL_CANCELLED' })
  let ran = false
  const run: Run = async () => {
    ran = true
    return { isError: false, value: null }
  }
  expect(await runBounded(permit(1000), run, abort.signal)).toMatchObject({ status: 'failed', fault: 'CALL_CANCELLED' })
  expect(ran).toBe(false)
})

test.each([
  ['UPSTREAM_UNAVAILABLE', 'failed'],
  ['UPSTREAM_ERROR', 'failed'],
  ['UPSTREAM_DIED', 'unknown'],
  ['UPSTREAM_RESULT_TOO_LARGE', 'unknown'],
] as const)('%s means %s', async (code, status) => {
  const run: Run = async () => {
    throw new Fault(code, 'why')
  }
  expect(await runBounded(permit(1000), run, never)).toEqual({ status, fault: code, detail: 'why' })
})
