/** How the tests run: every *.test.ts beside the code, the house rules and the stories in test/, and the rooms' suites once more on PostgreSQL. */
import { defineConfig } from 'vitest/config'
import { postgresAnswers } from './packages/engine/src/kernel/test-store.ts'

/** Suites whose subject keeps something in the store; those of one store only are left out. */
const STORING = [
  'packages/engine/src/kernel/store.test.ts',
  'packages/engine/src/{identity,registry,approvals,broker,budgets,vault}/*.test.ts',
  'packages/engine/src/{rollouts/rollouts,backtests/backtests,thresholds/thresholds}.test.ts',
  'packages/engine/src/ledger/{ledger,crash,tamper,tampered-rows,integrate,replicas,routes,sealed-together}.test.ts',
  'packages/engine/src/ledger/{erasure,keys,signers,witness}/*.test.ts',
  'packages/engine/src/ledger/timestamps/*.test.ts',
  'packages/engine/src/outbox/deliver.test.ts',
  'apps/server/src/idempotency/*.test.ts',
]

const postgres = {
  extends: true as const,
  test: {
    name: 'postgres',
    include: STORING,
    // Routes and pure rules are the same on either.
    exclude: ['**/{routes,rules,confine,limits,threads,run-bounded}.test.ts'],
    env: { EPHOR_TEST_STORE: 'postgres' },
    globalSetup: ['packages/engine/src/kernel/testing/with-postgres.ts'],
    // Databases are slower to make than files.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
}

const answers = await postgresAnswers()
if (!answers) console.warn('No PostgreSQL answers at EPHOR_TEST_POSTGRES or on loopback: the suites run on the embedded store only.')

export default defineConfig({
  test: {
    testTimeout: 20_000,
    hookTimeout: 30_000,
    pool: 'forks',
    // More than a small machine has processors: half the time of a test is waiting, for disks, processes and clocks.
    maxWorkers: 3,
    coverage: { provider: 'v8', include: ['packages/*/src/**/*.ts', 'apps/*/src/**/*.ts'] },
    projects: [
      { extends: true, test: { name: 'all', include: ['{packages,apps,test,policies,scripts}/**/*.test.ts'] } },
      ...(answers ? [postgres] : []),
    ],
  },
})
