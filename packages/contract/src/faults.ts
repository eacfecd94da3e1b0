/** The closed list of faults: what each code means on the wire, its HTTP status, and what to do about it. */

import { LEDGER_FAULTS } from './ledger-faults.ts'

export type FaultRow = { status: number; title: string; advice: string }

/** Every fault code Ephor can answer with. A new code is a new row here; nothing else names statuses or advice. */
export const FAULTS = {
  // The request itself
  REQUEST_INVALID: { status: 400, title: 'The request is not valid', advice: 'Correct the field named in the detail and send it again.' },
  JSON_INVALID: { status: 400, title: 'The body is not acceptable JSON', advice: 'Send one UTF-8 JSON value without duplicate keys.' },
  BODY_TOO_LARGE: { status: 413, title: 'The body is larger than the limit', advice: 'Send less, or ask the operator to raise the limit.' },
  BODY_TOO_DEEP: { status: 400, title: 'The body is nested more deeply than the limit', advice: 'Flatten the value.' },
  CONTENT_TYPE_UNSUPPORTED: { status: 415, title: 'The content type is not supported', advice: 'Send application/json.' },
  NOT_FOUND: { status: 404, title: 'There is nothing here by that name', advice: 'Check the id or the path.' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'This path does not take that method', advice: 'See the Allow header.' },
  CONFLICT: { status: 409, title: 'The thing changed meanwhile', advice: 'Read it again and repeat the change on what you find.' },
  PRECONDITION_FAILED: { status: 412, title: 'The ETag does not match', advice: 'Read it again and send its ETag as If-Match.' },
  IDEMPOTENCY_MISMATCH: {
    status: 422,
    title: 'This idempotency key was used for another request',
    advice: 'Use a new Idempotency-Key for a new request.',
  },
  RATE_LIMITED: { status: 429, title: 'Too many requests', advice: 'Wait and try again.' },
  HOST_REFUSED: {
    status: 403,
    title: 'This host or origin may not talk to Ephor',
    advice: 'Use the address that Ephor printed, or add the host to the settings.',
  },
  INTERNAL: { status: 500, title: 'Something failed inside Ephor', advice: 'See the log of the server; nothing was permitted.' },
  SHUTTING_DOWN: { status: 503, title: 'Ephor is stopping', advice: 'Try again when it is back.' },

  // Identity
  UNAUTHENTICATED: { status: 401, title: 'No valid credential', advice: 'Send a current token or credential as Authorization: Bearer.' },
  TOKEN_EXPIRED: { status: 401, title: 'The token has expired', advice: 'Get a new token with the agent key.' },
  CREDENTIAL_REVOKED: { status: 401, title: 'The credential was revoked', advice: 'Ask the operator for a new one: ephor agents token.' },
  FORBIDDEN: { status: 403, title: 'This principal may not do that', advice: 'Sign in as somebody who may.' },
  LINK_SPENT: { status: 410, title: 'The sign-in link was used or has expired', advice: 'Make a new one: ephor login.' },

  // Registry
  AGENT_UNKNOWN: { status: 403, title: 'The agent is not registered', advice: 'Register it: ephor agents add.' },
  AGENT_RETIRED: { status: 403, title: 'The agent is retired', advice: 'Register a new agent if it is needed again.' },
  AGENT_EXPIRED: {
    status: 403,
    title: 'The registration of the agent has expired',
    advice: 'Its owner can extend it: ephor agents add --expires.',
  },
  SERVER_UNKNOWN: { status: 404, title: 'No such tool server', advice: 'See ephor servers list.' },
  SERVER_NOT_ACCEPTED: {
    status: 403,
    title: 'The tool server was not accepted',
    advice: 'Look at it with ephor servers diff, then ephor servers accept.',
  },
  SERVER_REFUSED: {
    status: 422,
    title: 'The tool server cannot be accepted as it is',
    advice: 'See the detail; the tool list of the server has to change first: ephor servers diff.',
  },
  TOOL_UNKNOWN: { status: 404, title: 'No such tool', advice: 'List the tools again.' },
  TOOL_CHANGED: {
    status: 409,
    title: 'The definition of the tool changed after it was accepted',
    advice: 'An operator looks at the change with ephor servers diff and accepts it with ephor servers accept.',
  },
  TOOL_NAME_SUSPICIOUS: {
    status: 400,
    title: 'The name contains look-alike or invisible characters',
    advice: 'Use the plain name from the tool list.',
  },
  INPUT_INVALID: {
    status: 400,
    title: 'The arguments do not fit the accepted definition of the tool',
    advice: 'Correct the argument named in the detail.',
  },

  // Policy
  POLICY_DENIED: { status: 403, title: 'Refused by policy', advice: 'See the reasons; an operator can change the policy.' },
  POLICY_NO_PERMIT: {
    status: 403,
    title: 'No policy permits this',
    advice: 'Everything is refused unless a policy permits it; an operator can add one.',
  },
  POLICY_ERROR: {
    status: 403,
    title: 'A policy could not be evaluated, so the call is refused',
    advice: 'An operator corrects the policy named in the detail.',
  },
  POLICY_TIMEOUT: {
    status: 503,
    title: 'The policy took too long to evaluate, so the call is refused',
    advice: 'Try again; if it persists, simplify the policies.',
  },
  POLICY_INVALID: {
    status: 422,
    title: 'The policy folder has errors',
    advice: 'Correct the place named in the detail: ephor policy check.',
  },
  POLICY_MISSING: {
    status: 503,
    title: 'No policy is active, so everything is refused',
    advice: 'Add policies to the policy folder: ephor policy check.',
  },
  BUNDLE_INVALID: {
    status: 503,
    title: 'Stored policies are not those that were reviewed or signed',
    advice: 'Somebody changed the store: propose the policies again from their source, and compare the store with a backup.',
  },
  PROPOSAL_STALE: {
    status: 409,
    title: 'Other policies became active since this was proposed',
    advice: 'Look at what is active now, bring the change up to it, and propose it again: ephor policy propose.',
  },
  PROPOSAL_CLOSED: {
    status: 409,
    title: 'The proposal is not at a point where this can be done',
    advice: 'See its state: ephor policy proposals.',
  },
  BACKTEST_FAILED: {
    status: 500,
    title: 'The backtest did not come to its end',
    advice: 'See the log of the server; start it again, with fewer decisions if need be: --limit, --since.',
  },
  REVIEW_SELF: { status: 403, title: 'Nobody reviews their own proposal', advice: 'Somebody else that the charter names reviews it.' },
  REVIEWS_MISSING: {
    status: 403,
    title: 'The charter asks for more reviews',
    advice: 'People named in the detail review it first: ephor policy review.',
  },
  AUTHORITY_MISSING: {
    status: 403,
    title: 'The charter does not give you this authority',
    advice: 'Ask one of those that the detail names.',
  },
  TESTS_FAILED: {
    status: 422,
    title: 'The tests that the charter asks for fail or are missing',
    advice: 'Run them and correct what fails: ephor policy test.',
  },
  ROLLOUT_EARLY: {
    status: 409,
    title: 'The charter asks for a longer trial first',
    advice: 'See how far it is: ephor policy rollout.',
  },
  ROLLOUT_RUNNING: {
    status: 409,
    title: 'Another version is being tried',
    advice: 'Promote it or end it first: ephor policy rollout.',
  },
  OBLIGATION_UNKNOWN: {
    status: 403,
    title: 'A policy asks for an obligation that this version cannot meet',
    advice: 'Correct the @obligation named in the detail.',
  },
  OBLIGATION_UNMET: {
    status: 429,
    title: 'An obligation of the permit is not met',
    advice: 'See the detail; a rate limit passes with time.',
  },

  // Budgets
  BUDGET_EXHAUSTED: {
    status: 429,
    title: 'A budget has not enough left for this call',
    advice: 'See the detail for when it frees; an operator can raise the limit in the charter.',
  },
  BUDGET_UNCOUNTABLE: {
    status: 403,
    title: 'A budget covers this call, and what the call takes of it cannot be told',
    advice: 'An operator says in the charter where the amount of the tool stands, or adds a budget in its currency.',
  },

  // Approvals
  APPROVAL_REQUIRED: {
    status: 202,
    title: 'A person has to approve this first',
    advice: 'Repeat the same call with the handle after the decision.',
  },
  APPROVAL_PENDING: { status: 202, title: 'The approval is still pending', advice: 'Repeat the same call with the handle later.' },
  APPROVAL_DENIED: { status: 403, title: 'A person denied this call', advice: 'See the reason given.' },
  APPROVAL_EXPIRED: { status: 403, title: 'The approval expired', advice: 'Make the call again; it will be asked for again.' },
  APPROVAL_SPENT: {
    status: 403,
    title: 'The approval was already used',
    advice: 'Each approval serves one call; make the call again to ask anew.',
  },
  APPROVAL_MISMATCH: { status: 403, title: 'The approval is for a different call', advice: 'Repeat exactly the call that was approved.' },
  APPROVAL_UNKNOWN: { status: 404, title: 'No such approval', advice: 'Check the handle.' },
  APPROVAL_SELF: { status: 403, title: 'Nobody approves their own request', advice: 'Somebody else decides.' },
  APPROVAL_VOTED: {
    status: 409,
    title: 'You have voted on this already',
    advice: 'A vote is final and counts once; others have to agree as well: ephor approvals show.',
  },
  APPROVAL_DECIDED: { status: 409, title: 'The approval was already decided', advice: 'See ephor approvals show.' },

  // Running
  UPSTREAM_UNAVAILABLE: {
    status: 502,
    title: 'The tool server cannot be reached',
    advice: 'It is restarted with growing pauses; try again.',
  },
  UPSTREAM_TIMEOUT: {
    status: 504,
    title: 'The tool server did not answer in time; what it did is unknown',
    advice: 'Check the effect before trying again.',
  },
  UPSTREAM_DIED: {
    status: 502,
    title: 'The tool server died during the call; what it did is unknown',
    advice: 'Check the effect before trying again.',
  },
  UPSTREAM_ERROR: { status: 502, title: 'The tool server answered with an error', advice: 'See the detail.' },
  UPSTREAM_RESULT_TOO_LARGE: {
    status: 502,
    title: 'The result is larger than the limit and was withheld whole',
    advice: 'Ask for less, or ask the operator to raise the limit.',
  },
  CALL_CANCELLED: { status: 499, title: 'The caller cancelled the call', advice: 'Check the effect before trying again.' },
  WARRANT_INVALID: { status: 403, title: 'The warrant does not cover this action', advice: 'Ask again: POST /v1/calls.' },
  OUTCOME_DECIDED: { status: 409, title: 'The outcome of this call is already sealed', advice: 'Nothing to do; see ephor decisions show.' },
  OUTCOME_LATE: {
    status: 409,
    title: 'The deadline for the outcome has passed and it was sealed as unknown',
    advice: 'Tell the operator what happened; see ephor decisions show.',
  },

  ...LEDGER_FAULTS,

  // The machine
  SETTINGS_INVALID: {
    status: 500,
    title: 'The settings are not valid',
    advice: 'Correct the setting named in the detail: ephor config show.',
  },
  PORT_TAKEN: { status: 500, title: 'The port is taken', advice: 'Stop what uses it, or set another: ephor up --port N.' },
  HOME_UNWRITABLE: {
    status: 500,
    title: 'The data folder cannot be written',
    advice: 'Correct its permissions, or choose another with EPHOR_HOME.',
  },
  KEY_UNSAFE: { status: 500, title: 'A key file can be read by others', advice: 'Make it private: chmod 600.' },
  SERVER_UNREACHABLE: {
    status: 502,
    title: 'No Ephor answers there',
    advice: 'Start it with ephor up, or name its address with EPHOR_URL.',
  },
  SECRET_UNKNOWN: { status: 422, title: 'A secret that is referred to does not exist', advice: 'Store it: see the detail for its name.' },
} as const satisfies Record<string, FaultRow>

export type FaultCode = keyof typeof FAULTS

/** RFC 9457 problem details with our extension members. */
export type Problem = {
  type: string
  title: string
  status: number
  code: FaultCode
  detail: string
  advice: string
  /** Where in the input the fault is: a JSON pointer, or file:line:column. */
  where?: string
  reasons?: readonly { policy: string; text: string }[]
}

/** Something that must not happen did: thrown, never returned. Expected refusals are values. */
export class Fault extends Error {
  readonly code: FaultCode
  readonly where: string | undefined

  constructor(code: FaultCode, detail: string, options: { where?: string; cause?: unknown } = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'Fault'
    this.code = code
    this.where = options.where
  }

  get status(): number {
    return FAULTS[this.code].status
  }
}

/** A fault as RFC 9457 problem details. */
export function toProblem(fault: Fault): Problem {
  const { status, title, advice } = FAULTS[fault.code]
  return {
    type: `urn:ephor:fault:${fault.code}`,
    title,
    status,
    code: fault.code,
    detail: fault.message,
    advice,
    ...(fault.where === undefined ? {} : { where: fault.where }),
  }
}
