/** Whether a permit's obligations can be kept: a permit that demands more than its program does is none. */
import type { callsOperations, OperationResponse } from '@ephor/contract'

export type Obligation = Extract<OperationResponse<typeof callsOperations.askCall>, { kind: 'permitted' }>['obligations'][number]

/** What a program does itself when it acts. */
export type Keeps = {
  /** Categories that it takes out of what it hands to the agent: `ssn`, `email`, … */
  redact?: readonly string[]
  /** Profiles of the sandboxes that it can run the action in. */
  sandbox?: readonly string[]
  /** It waits until witnesses cosigned a checkpoint that covers the decision, as many as are asked for. */
  witnessed?: true
}

/** @returns the first obligation that is not kept, in words; rate limits and records are kept by Ephor, time-outs by `signal` */
export function findUnkept(obligations: readonly Obligation[], { redact = [], sandbox = [], witnessed }: Keeps = {}): string | undefined {
  for (const one of obligations) {
    if (one.kind === 'redact' && !redact.includes(one.category)) return `${one.policy} demands that ${one.category} is redacted`
    if (one.kind === 'sandbox' && !sandbox.includes(one.profile)) return `${one.policy} demands the sandbox ${one.profile}`
    if (one.kind === 'witnessed' && !witnessed)
      return `${one.policy} demands that the record of the decision is cosigned by witnesses first`
  }
  return undefined
}
