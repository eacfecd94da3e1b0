/** The broker: the one pipeline that every call goes through, whichever door it came in by. */
export type {
  Asked,
  Broken,
  BrokerEvent,
  Call,
  CallMethod,
  DecisionRow,
  Done,
  Door,
  Held,
  OutcomeStatus,
  Performed,
  Permitted,
  Refused,
  Run,
  RunResult,
  ServerRequest,
} from './types.ts'
export { createBroker } from './create-broker.ts'
export { digestSession } from './digest.ts'
export type { BrokerRooms, BrokerSettings } from './context.ts'
export type { Broker, DecisionDetail } from './create-broker.ts'
export type { AccessRequest, JudgedAccess } from './judge-access.ts'
export type { JudgedServerRequest } from './judge-server-request.ts'
export { brokerProjector } from './project-decisions.ts'
export { mountBroker } from './routes.ts'
export { worldOf } from './world-of.ts'
export { brokerMigrations } from './migrations.ts'
