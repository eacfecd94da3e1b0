/** Runs the action within its time, and says honestly how it ended: an interrupted action may still have happened. */
import { Fault } from '@ephor/contract'
import type { FaultCode } from '@ephor/contract'
import type { Json } from '@ephor/engine/kernel'
import type { OutcomeStatus, Permitted, Run } from './types.ts'

export type Ended =
  /** `redacted`: how many of each category were taken out of the value. */
  | { status: 'succeeded' | 'failed'; value: Json; isError: boolean; redacted?: Record<string, number> }
  /** One that succeeded has a fault where its result is withheld. */
  | { status: OutcomeStatus; fault: FaultCode; detail: string }

/** Faults after which the action certainly did not happen, or the server itself said that it failed. */
const KNOWN_FAILURES = new Set<FaultCode>(['UPSTREAM_UNAVAILABLE', 'UPSTREAM_ERROR', 'SERVER_UNKNOWN', 'SECRET_UNKNOWN'])

/** How long a runner may take to notice that its signal fired, in ms, before it is left behind. */
const GRACE_MS = 250

export async function runBounded(permit: Permitted, run: Run, caller: AbortSignal): Promise<Ended> {
  // A call that was cancelled before it began did not happen.
  if (caller.aborted) return { status: 'failed', fault: 'CALL_CANCELLED', detail: 'cancelled before it ran' }
  const abort = new AbortController()
  let left: NodeJS.Timeout | undefined
  let leaveBehind: (fault: Fault) => void = () => {}
  const leftBehind = new Promise<never>((_, reject) => (leaveBehind = reject))
  function stop(fault: Fault): void {
    abort.abort(fault)
    left ??= setTimeout(() => leaveBehind(fault), GRACE_MS)
  }
  const timer = setTimeout(() => stop(new Fault('UPSTREAM_TIMEOUT', `no answer within ${permit.timeoutMs} ms`)), permit.timeoutMs)
  const onCancel = () => stop(new Fault('CALL_CANCELLED', 'the caller went away or cancelled'))
  caller.addEventListener('abort', onCancel, { once: true })
  try {
    const result = await Promise.race([run(permit, abort.signal), leftBehind])
    return { status: result.isError ? 'failed' : 'succeeded', ...result }
  } catch (error) {
    const fault = abort.signal.aborted
      ? (abort.signal.reason as Fault)
      : error instanceof Fault
        ? error
        : new Fault('UPSTREAM_ERROR', (error as Error).message)
    return { status: KNOWN_FAILURES.has(fault.code) ? 'failed' : 'unknown', fault: fault.code, detail: fault.message }
  } finally {
    clearTimeout(timer)
    clearTimeout(left)
    caller.removeEventListener('abort', onCancel)
  }
}
