/** Policy: Cedar texts from a folder, checked against the registry's world, and decisions under them. */
export { analyze } from './analyze/analyze.ts'
export { diff } from './analyze/diff-policies.ts'
export { mountPolicyAnalysis } from './analyze/routes.ts'
export type { Analysis, AnalysisFinding, Diff, Witness } from './analyze/types.ts'
export type { AccessEntity, AccessQuestion, Application } from './applications/decide-access.ts'
export { openApplications } from './applications/open-applications.ts'
export type { Applications, ApplicationStatus } from './applications/open-applications.ts'
export { reportTests, testBundle } from './cases/test-bundle.ts'
export type { BundleTests } from './cases/test-bundle.ts'
export type { Coverage } from './cases/coverage.ts'
export type { CaseResult } from './cases/run-cases.ts'
export { declaredBudgets } from './charter/charges.ts'
export { Charter, defaultCharter } from './charter/charter.ts'
export { readCharter } from './charter/read-charter.ts'
export type { Checked } from './check-files.ts'
export type { CompiledPolicy } from './compile-policy.ts'
export { digestOfWorld, versionOf } from './digest.ts'
export { countNamed, forgetAgent } from './forget-agent.ts'
export { formatText } from './format-text.ts'
export { openBundle } from './open-bundle.ts'
export type { OpenBundle } from './open-bundle.ts'
export { openPolicy } from './open-policy.ts'
export type { Policy, PolicyOptions } from './open-policy.ts'
export { policyProjector } from './project-policy.ts'
export { mountPolicyQuestions } from './questions/routes.ts'
export { readAnswer, readQuestion, sealedFacts } from './recorded-question.ts'
export { openReasons } from './reason-texts.ts'
export { mountPolicy } from './routes.ts'
export type { Comparison } from './stages.ts'
export { policyMigrations } from './store.ts'
export { withoutPolicy } from './without-policy.ts'
export { digestOfVerdict, verdictOf } from './verdict-of.ts'
export type { Live, Versions } from './versions.ts'
export type { Activation } from './versions-store.ts'
export type {
  Ask,
  Autonomy,
  Decision,
  Finding,
  GivenApproval,
  Obligation,
  PolicyFacts,
  PolicyFiles,
  PolicyPrincipal,
  PolicyRequest,
  PolicyStatus,
  PolicyWorld,
  Reason,
  RiskScore,
  RiskTier,
  Standing,
} from './types.ts'
