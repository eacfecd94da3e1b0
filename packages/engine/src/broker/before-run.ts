/** Between the sealed permit and the tool: the ledger is still one, and the witnesses that the permit asks for have seen its record. */
import type { Context } from './context.ts'
import { witnessesOf } from './obligations.ts'
import type { Ended } from './run-bounded.ts'
import type { Permitted } from './types.ts'

type NotRun = Extract<Ended, { fault: unknown }>

const notRun = (fault: NotRun['fault'], detail: string): NotRun => ({ status: 'failed', fault, detail })

/**
 * Waits, within the call's own time, until a checkpoint that covers the permit has the cosignatures that it asks for.
 * @returns what is left of the call's time; or how the call ends, which then must not run
 */
export async function beforeRun(context: Context, permit: Permitted, caller: AbortSignal): Promise<{ timeoutMs: number } | NotRun> {
  const { witnesses, ledger } = context
  const count = witnessesOf(permit.obligations, witnesses?.quorum ?? 0)
  let { timeoutMs } = permit
  if (count > 0) {
    const began = performance.now()
    const cosigned = await witnesses?.cosigned(permit.receipt.seq, count, AbortSignal.any([caller, AbortSignal.timeout(timeoutMs)]))
    if (caller.aborted) return notRun('CALL_CANCELLED', 'cancelled before it ran')
    if (!cosigned) return notRun('WITNESS_MISSING', `its record was not cosigned by ${count} within ${timeoutMs} ms, so it did not run`)
    timeoutMs = Math.max(1, Math.floor(timeoutMs - (performance.now() - began)))
  }
  const forked = ledger.forked()
  return forked ? notRun('LEDGER_FORKED', forked.detail) : { timeoutMs }
}
