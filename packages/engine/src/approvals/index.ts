/** Approvals: calls that wait for a person, bound to one call's digest, with a quorum for each ask, used once, expiring. */
export { openApprovals } from './open-approvals.ts'
export type { ApprovalsOptions } from './context.ts'
export { approvalsProjector } from './project-approvals.ts'
export { mountApprovals } from './routes.ts'
export { approvalsMigrations } from './store.ts'
export type {
  Answered,
  Approval,
  ApprovalAsk,
  ApprovalDraft,
  Approvals,
  ApprovalState,
  AskState,
  HeldCall,
  Verdict,
  Vote,
} from './types.ts'
