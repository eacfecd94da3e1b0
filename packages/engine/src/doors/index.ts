/** Doors: standard ways for other enforcement points to ask, AuthZEN and Envoy's external authorization. */
export { mountAuthzen } from './authzen/mount-authzen.ts'
export type { DoorRooms } from './rooms.ts'
