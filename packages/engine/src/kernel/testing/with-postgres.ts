/** Around a run of the suites on PostgreSQL: what earlier runs and this one left behind is dropped. */
import { dropLeftovers } from '../test-store.ts'

/** Called by vitest. */
export async function setup(): Promise<() => Promise<void>> {
  await dropLeftovers()
  return dropLeftovers
}
