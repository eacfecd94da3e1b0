/** Approvals: calls that wait for a person, bound to one call's digest, used once, expiring. */
export type { Approval, ApprovalAsk, ApprovalDraft, Approvals, ApprovalState, Verdict } from './types.ts'
