/** Thresholds: where policies ask people too often, and where too seldom, by what came of it. */
export { openThresholds } from './open-thresholds.ts'
export type { Thresholds } from './open-thresholds.ts'
export { mountThresholds } from './routes.ts'
