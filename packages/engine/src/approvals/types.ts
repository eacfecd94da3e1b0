/** The types of the approvals room's door: what is held, who voted, and what the broker writes with its own units. */
import type { PersonPrincipal } from '@ephor/contract'
import type { Json } from '@ephor/engine/kernel'
import type { Entry, Part } from '@ephor/engine/ledger'

/** `approved` and `pending` end as `expired` at `expiresAt`; `spent`, `denied` and `expired` are final. */
export type ApprovalState = 'pending' | 'approved' | 'denied' | 'expired' | 'spent'

/** What a policy asks for (the shape of policy's `Ask`). With a group, only its members may decide. */
export type ApprovalAsk = {
  policy: string
  reason: string
  /** How long it may be answered; the `ttlMs` of the draft where that is shorter. */
  deadlineMs?: number
  group?: string
  /** How many different people have to agree. */
  quorum: number
  /** The group that takes over at the deadline, for as long again. */
  escalate?: string
}

/** An ask as it stands. */
export type AskState = ApprovalAsk & {
  deadlineMs: number
  /** It was passed on: now `escalate` decides, and `group` no more. */
  escalated: boolean
  /** `per_…`: whose votes count for it, each person once. */
  by: string[]
}

export type Vote = {
  /** Its place among the steps of its approval: its entry is `<approval>/step/<step>`. */
  step: number
  /** `per_…` */
  by: string
  verdict: 'approve' | 'deny'
  /** The asks that it counts for, by policy: those that were the person's to answer at that time. */
  policies: string[]
  /** ms */
  at: number
  /** What the person wrote; only `find` and `decide` fill it in. */
  note?: string
}

export type ApprovalDraft = {
  /** `dec_…`: the decision that held the call; the payload `input` of its entry is `{server, name, input, onBehalfOf?}`. */
  decision: string
  /** `sha256:…` of principal, tool definition, arguments and policy version: what exactly is approved. */
  digest: string
  /** `agt_…` */
  agent: string
  server: string
  /** The server's own name of the tool. */
  tool: string
  /** One line for people, without argument values: it is kept in the clear. */
  summary: string
  /** People on whose behalf the call is made, proven by the credential or stated by the agent: none of them may decide it. What is no `per_…` id is left out. */
  requesters: readonly string[]
  reasons: readonly { policy: string; text: string }[]
  /** The union of what the policies ask, one ask a policy: each has to be answered. */
  asks: readonly ApprovalAsk[]
  /** ms from now, unless an ask says less. */
  ttlMs: number
}

export type Approval = {
  /** `apr_…`: the handle to retry with; worth nothing without the credential and the same call. */
  id: string
  state: ApprovalState
  digest: string
  decision: string
  agent: string
  server: string
  tool: string
  summary: string
  /** `per_…` */
  requesters: string[]
  reasons: { policy: string; text: string }[]
  asks: AskState[]
  /** Every vote in its order; where one denies, it is the last. */
  votes: Vote[]
  /** How many votes and escalations there were. */
  step: number
  /** ms */
  openedAt: number
  /** ms: when it ends unless it is decided, or once approved, used. */
  expiresAt: number
  decidedAt?: number
  /** `dec_…`: the decision that used it. */
  spentBy?: string
}

/** The held call as the agent made it: what a person has to see before deciding. */
export type HeldCall = {
  /** The tool or prompt, or the URI of the resource. */
  name: string
  /** Exactly what it will be called with. */
  arguments: Json
  /** For whom the agent says that it acts; unproven, and perhaps no id. */
  onBehalfOf?: string
}

export type Verdict = {
  verdict: 'approve' | 'deny'
  /** The digest that the person saw. */
  digest: string
  note?: string
  /** The client's Idempotency-Key: the same request by the same person gets the same answer. */
  idempotencyKey?: string
  /** Throws where the client saw another state than there is; not asked when a request is answered again. */
  expect?: (approval: Approval) => void
}

/** Why an approval ends before its time: its agent gave the call up, or policy asks for more by now. */
export type Withdrawn = 'withdrawn' | 'outgrown'

/** Which of the asks people have answered, and who they are: by the ledger's word. */
export type Answered = { by: string[]; policies: string[] }

export interface Approvals {
  /**
   * A new approval, to be written in one unit with the decision that holds the call. Ask `pendingFor` first: two live
   * approvals of one digest are a CONFLICT, more than 200 pending ones of an agent RATE_LIMITED: the unit fails as a
   * whole. Call `announce` when written.
   */
  open(draft: ApprovalDraft): { approval: Approval; part: Part }
  find(id: string): Promise<Approval | undefined>
  /** The live approval of this very call: pending, or approved and not yet used. */
  pendingFor(digest: string): Promise<Approval | undefined>
  /**
   * Uses the approval up, in one unit with the decision that it permits. Of several at once, one is written; the
   * others' units fail as a whole with APPROVAL_SPENT. Call `announce` when written.
   * @param use the permitting decision and the digest of the call as it is now
   * @throws Fault APPROVAL_MISMATCH, APPROVAL_PENDING, APPROVAL_DENIED, APPROVAL_EXPIRED, APPROVAL_SPENT.
   */
  spend(approval: Approval, use: { decision: string; digest: string }): Promise<Part>
  /**
   * Which of these asks the approval answers: the entry that sealed the decision counts, whatever the rows say.
   * @param asks what policy asks of the call now
   * @throws Fault STORE_CORRUPT when the ledger knows of no such decision.
   */
  answered(approval: Approval, asks: readonly ApprovalAsk[]): Promise<Answered>
  /** Tells listeners and waiters what became of an approval after the broker wrote its part. */
  announce(id: string): Promise<void>
  /** Tells of what another replica wrote, of which this is the entry. */
  follow(entry: Entry): Promise<void>
  /**
   * A person's vote, on every ask that is theirs to answer. The approval is approved when every ask has its quorum; one
   * denial ends it.
   * @throws Fault APPROVAL_UNKNOWN, APPROVAL_SELF, FORBIDDEN (in no group that is asked), CONFLICT (another digest),
   *   APPROVAL_VOTED, APPROVAL_DECIDED, APPROVAL_SPENT, APPROVAL_EXPIRED, IDEMPOTENCY_MISMATCH, STORE_CORRUPT (the rows
   *   are not what the ledger says).
   */
  decide(id: string, person: PersonPrincipal, verdict: Verdict): Promise<Approval>
  /** Ends a live approval: it expires now. Its agent gave the call up, unless said. False when it was used or over meanwhile. */
  withdraw(approval: Approval, was?: Withdrawn): Promise<boolean>
  /** The approval once it isn't pending any more, or as it is after `ms`, on abort, or on close. @throws Fault APPROVAL_UNKNOWN. */
  wait(id: string, ms: number, signal: AbortSignal): Promise<Approval>
  /** Newest first; `next` is the cursor of the next page. */
  list(query: { state?: ApprovalState; cursor?: string; limit: number }): Promise<{ items: Approval[]; next?: string }>
  /** The call that is held, as it was sealed. @throws Fault STORE_CORRUPT when it isn't there, or is another one. */
  callOf(approval: Approval): Promise<HeldCall>
  on(listener: (approval: Approval) => void): () => void
  /** Expires what is overdue and passes on asks at their deadline, an entry each; runs by itself too. Resolves with how many. */
  sweep(now: number): Promise<number>
  /** Stops the sweeper and lets waiters go. */
  close(): void
}
