/** Budgets: how much of what was declared is used, counted durably, so that calls at once can't overspend. */
export { openBudgets } from './open-budgets.ts'
export type { BudgetsOptions } from './open-budgets.ts'
export { budgetsProjector } from './project-uses.ts'
export { mountBudgets } from './routes.ts'
export type { DeclaredBudget } from './routes.ts'
export { budgetsMigrations } from './store.ts'
export type { Actual, Budgets, Charge, Spend, Subjects, Terms, Use } from './types.ts'
