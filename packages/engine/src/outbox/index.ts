/** The outbox: delivers the ledger to other systems, in order and at least once, however long they are away. */
export { openOutbox } from './open-outbox.ts'
export type { OutboxOptions } from './open-outbox.ts'
export { outboxProjector } from './projector.ts'
export { mountOutbox } from './routes.ts'
export { outboxMigrations } from './store.ts'
export type { Outbox, SinkOptions } from './types.ts'
