/** The contract: wire shapes, ids, fault codes and operations that server, clients and console share. */
export { Fault, FAULTS, toProblem } from './faults.ts'
export type { FaultCode, Problem } from './faults.ts'
export { isId, makeId } from './ids.ts'
export type { IdPrefix } from './ids.ts'
export type { AgentPrincipal, PersonPrincipal, Principal } from './principal.ts'
export type { Operation, OperationInput, OperationResponse, Operations } from './operation.ts'
export { PageQuery, pageOf } from './page.ts'
export { AnalysisFinding, PolicyAnalysis, policyAnalysisOperations, PolicyDiff, PolicyWitness } from './policy-analysis.ts'
export type { PolicySource } from './policy-analysis.ts'
export { BacktestDetail, BacktestView, policyBacktestsOperations } from './policy-backtests.ts'
export { PolicyExplanation, policyQuestionsOperations, PolicyStandings, PolicyTests } from './policy-questions.ts'
export { policyVersionsOperations, ProposalDetail, ProposalState, ProposalView, RolloutView, TestReport } from './policy-versions.ts'
export { PolicyFinding, policyOperations, PolicyView } from './policy.ts'
export { ThresholdHealth, thresholdHealthOperations } from './threshold-health.ts'
export { budgetsOperations, BudgetView } from './budgets.ts'
export { callsOperations } from './calls.ts'
export {
  decisionsOperations,
  DecisionDetail,
  DecisionView,
  Effect,
  ObligationView,
  OutcomeStatus,
  ReasonView,
  ReceiptView,
  RiskView,
} from './decisions.ts'
export { eventsOperations, EventView } from './events.ts'
export { healthOperations } from './health.ts'
export { toOpenApi } from './openapi.ts'
export { outboxOperations, SinkView } from './outbox.ts'
export { isRedactionCategory, REDACTION_CATEGORIES } from './redaction.ts'
export type { RedactionCategory } from './redaction.ts'
export {
  Classification,
  Difference,
  registryOperations,
  Risk,
  ServerDraft,
  ServerName,
  Standing,
  ToolDiff,
  ToolKind,
  ToolView,
  ServerView,
  AgentView,
  Transport,
} from './registry.ts'
export { SecretName, SecretView, vaultOperations } from './vault.ts'
export { ApprovalDetail, approvalsOperations, ApprovalState, ApprovalView } from './approvals.ts'
export { CredentialView, identityOperations, PersonView, PublicJwk, SessionView } from './identity.ts'
export { accessOperations } from './access.ts'
export type { AccessMetadata } from './access.ts'
export { allOperations } from './all-operations.ts'
export { EntryView, HeadView, ledgerOperations } from './ledger.ts'
export { LedgerKeyView, ledgerKeysOperations, RevocationReason } from './ledger-keys.ts'
export { ForkView, ledgerWitnessesOperations, WitnessesView } from './ledger-witnesses.ts'
export { ledgerTimestampsOperations, TimestampView } from './ledger-timestamps.ts'
export { ledgerProjectionsOperations } from './ledger-projections.ts'
export { EXPORT_FORMATS, ledgerSearchOperations, SEARCH_FIELDS } from './ledger-search.ts'
export type { SearchField } from './ledger-search.ts'
export { BackupView, ledgerBackupsOperations } from './ledger-backups.ts'
export {
  ErasureDone,
  ErasurePreview,
  ErasureReason,
  ErasureView,
  HoldView,
  ledgerErasureOperations,
  NamingRow,
  RetentionRules,
  RetentionView,
} from './ledger-erasure.ts'
