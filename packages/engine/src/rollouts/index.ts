/** Rollouts: policy versions on their way from a proposal through reviews and a trial to being active, and back. */
export { rolloutsProjector } from './project-rollouts.ts'
export { mountRollouts } from './routes.ts'
export { openRollouts } from './open-rollouts.ts'
export type { Rollouts } from './open-rollouts.ts'
export type { RolloutsOptions } from './context.ts'
export { rolloutsMigrations } from './store.ts'
export type { Draft, Proposal, Review, Someone, TestReport } from './types.ts'
