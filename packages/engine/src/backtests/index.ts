/** Backtests: recorded decisions made again, with other policies or with their own. */
export { backtestsProjector } from './project-runs.ts'
export { openBacktests } from './open-backtests.ts'
export type { Backtests } from './open-backtests.ts'
export type { BacktestsOptions } from './context.ts'
export { backtestView, mountBacktests } from './routes.ts'
export { backtestsMigrations } from './store.ts'
