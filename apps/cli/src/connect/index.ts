/** Connecting MCP clients: find their files, plan, apply with a backup, undo. Prints nothing. */
export { applyPlan } from './apply-plan.ts'
export { connectedFiles, disconnect } from './disconnect.ts'
export { snippetFor } from './entry-for.ts'
export { findConfigurations, locate, thisMachine } from './find-configurations.ts'
export type { Machine } from './find-configurations.ts'
export { planConnection } from './plan-connection.ts'
export type { Client, Importer, Location, Plan, Target } from './types.ts'
