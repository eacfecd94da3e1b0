/** Doors: standard ways for other enforcement points to ask, AuthZEN and Envoy's external authorization. */
export { mountAuthzen } from './authzen/mount-authzen.ts'
export { CHECK_PREFIX, mountEnvoy } from './envoy/mount-envoy.ts'
export { serveEnvoy } from './envoy/serve-grpc.ts'
export type { EnvoyServer } from './envoy/serve-grpc.ts'
export type { DoorRooms } from './rooms.ts'
