/** Every operation of the API in one object: what clients are made from and the OpenAPI document shows. */
import { accessOperations } from './access.ts'
import { approvalsOperations } from './approvals.ts'
import { budgetsOperations } from './budgets.ts'
import { callsOperations } from './calls.ts'
import { decisionsOperations } from './decisions.ts'
import { eventsOperations } from './events.ts'
import { healthOperations } from './health.ts'
import { identityOperations } from './identity.ts'
import { ledgerOperations } from './ledger.ts'
import { ledgerKeysOperations } from './ledger-keys.ts'
import { ledgerWitnessesOperations } from './ledger-witnesses.ts'
import { ledgerProjectionsOperations } from './ledger-projections.ts'
import { ledgerSearchOperations } from './ledger-search.ts'
import { ledgerTimestampsOperations } from './ledger-timestamps.ts'
import { ledgerBackupsOperations } from './ledger-backups.ts'
import { ledgerErasureOperations } from './ledger-erasure.ts'
import { outboxOperations } from './outbox.ts'
import { policyOperations } from './policy.ts'
import { policyAnalysisOperations } from './policy-analysis.ts'
import { policyBacktestsOperations } from './policy-backtests.ts'
import { policyQuestionsOperations } from './policy-questions.ts'
import { policyVersionsOperations } from './policy-versions.ts'
import { registryOperations } from './registry.ts'
import { thresholdHealthOperations } from './threshold-health.ts'
import { vaultOperations } from './vault.ts'

export const allOperations = {
  ...callsOperations,
  ...accessOperations,
  ...decisionsOperations,
  ...approvalsOperations,
  ...registryOperations,
  ...identityOperations,
  ...vaultOperations,
  ...policyOperations,
  ...policyAnalysisOperations,
  ...policyBacktestsOperations,
  ...policyQuestionsOperations,
  ...policyVersionsOperations,
  ...thresholdHealthOperations,
  ...budgetsOperations,
  ...ledgerOperations,
  ...ledgerKeysOperations,
  ...ledgerWitnessesOperations,
  ...ledgerProjectionsOperations,
  ...ledgerSearchOperations,
  ...ledgerTimestampsOperations,
  ...ledgerErasureOperations,
  ...ledgerBackupsOperations,
  ...outboxOperations,
  ...eventsOperations,
  ...healthOperations,
}
