/** Reports the outcome of a permitted action until Ephor has it, or the deadline passes and Ephor seals `unknown` itself. */
import type { callsOperations, OperationResponse } from '@ephor/contract'
import { Fault } from '@ephor/contract'
import type { Client } from './client.ts'

type Receipt = OperationResponse<typeof callsOperations.reportOutcome>['receipt']
type Report = { status: 'succeeded' | 'failed' | 'unknown'; result: unknown; tokens?: number | undefined }

/** What JSON can't say (undefined, functions, cycles) is left out or said in words: the record must not fail the action. */
function toJson(value: unknown): unknown {
  try {
    const text = JSON.stringify(value)
    return text === undefined ? null : JSON.parse(text)
  } catch (error) {
    return { unrecorded: `the result is not JSON: ${(error as Error).message}` }
  }
}

/** @throws Fault OUTCOME_LATE, SERVER_UNREACHABLE when Ephor could not be told in time. */
export async function reportOutcome(
  client: Client<typeof callsOperations>,
  decision: string,
  deadline: string,
  report: Report,
): Promise<Receipt> {
  const { status, result, tokens } = report
  const body = { status, result: toJson(result) as null, ...(tokens === undefined ? {} : { tokens }) }
  for (let pause = 200; ; pause = Math.min(pause * 2, 5000)) {
    try {
      return (await client.reportOutcome({ params: { id: decision }, body, idempotencyKey: `${decision}/outcome` })).receipt
    } catch (error) {
      const passing = error instanceof Fault && (error.code === 'SERVER_UNREACHABLE' || error.status === 503)
      if (!passing || Date.now() + pause >= Date.parse(deadline)) throw error
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }
}
