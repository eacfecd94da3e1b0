/** Approvals: calls that wait for a person, bound to one call's digest, used once, expiring. */
export { openApprovals } from './open-approvals.ts'
export type { ApprovalsOptions } from './context.ts'
export { mountApprovals } from './routes.ts'
export { approvalsMigrations } from './store.ts'
export type { Approval, ApprovalAsk, ApprovalDraft, Approvals, ApprovalState, HeldCall, Verdict } from './types.ts'
