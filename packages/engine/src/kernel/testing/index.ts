/** The door for the tests of other rooms: stores to test on. Nothing that runs imports it. */
export { alterStore, dropLeftovers, freshDatabase, openTestStore, postgresAnswers, readStored, testsPostgres } from '../test-store.ts'
export { tamperColumns } from '../tamper-store.ts'
export type { TestStoreOptions } from '../test-store.ts'
